
/* What the harnesses share, and what they have instead of an nginx. */

#include "fuzz.h"


ngx_log_t              fuzz_log;
ngx_uint_t             fuzz_no_memory;
ngx_uint_t             fuzz_own;
ngx_uint_t             fuzz_conf;
ngx_uint_t             fuzz_refusals;
ngx_pid_t              ngx_pid = 1;
ngx_int_t              ngx_ncpu = 1;
ngx_uint_t             ngx_worker;
volatile ngx_cycle_t  *ngx_cycle;
volatile ngx_msec_t    ngx_current_msec = 100000000;
volatile ngx_time_t   *ngx_cached_time;

/* events and timers, of which none comes */
ngx_queue_t            ngx_posted_events;
ngx_queue_t            ngx_posted_next_events;
ngx_rbtree_t           ngx_event_timer_rbtree;

static ngx_cycle_t     fuzz_cycle;
static ngx_shm_zone_t  fuzz_zone;

/* made once, as when a configuration is read */
ngx_pool_t                   *fuzz_scripts_pool;
static ngx_http_im_script_t  *fuzz_scripts;

static u_char          fuzz_shm[64 * 1024] __attribute__((aligned(4096)));


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    if (fuzz_conf && level == NGX_LOG_EMERG) {
        fuzz_refusals++;
        return;
    }

    fuzz_assert(level > NGX_LOG_ALERT || fuzz_no_memory);
}


u_char *
ngx_log_errno(u_char *buf, u_char *last, ngx_err_t err)
{
    return buf;
}


void
ngx_debug_point(void)
{
    abort();
}


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    fuzz_assert(mtx->spin == 0);
    mtx->spin = 1;
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    fuzz_assert(mtx->spin == 1);
    mtx->spin = 0;
}


/* no target but conf, which has its own, names a file */

__attribute__((weak)) ngx_int_t
ngx_get_full_name(ngx_pool_t *pool, ngx_str_t *prefix, ngx_str_t *name)
{
    return NGX_ERROR;
}


ngx_shm_zone_t *
ngx_shared_memory_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    return &fuzz_zone;
}


ngx_pool_t *
fuzz_pool(void)
{
    if (ngx_cycle == NULL) {
        ngx_pagesize = 4096;
        ngx_pagesize_shift = 12;
        ngx_slab_sizes_init();
        fuzz_log.log_level = NGX_LOG_ALERT;
        fuzz_cycle.log = &fuzz_log;
        ngx_cycle = &fuzz_cycle;
        ngx_http_im_field_init();

        fuzz_scripts_pool = ngx_create_pool(1024, &fuzz_log);
        fuzz_scripts = ngx_http_im_scripts_create(fuzz_scripts_pool);
    }

    return ngx_create_pool(1024, &fuzz_log);
}


ngx_str_t
fuzz_until(const uint8_t **p, const uint8_t *last, u_char stop)
{
    ngx_str_t       s;
    const uint8_t  *end;

    end = (*p == last) ? NULL : memchr(*p, stop, last - *p);

    s.data = (u_char *) *p;
    s.len = (end ? end : last) - *p;

    *p = end ? end + 1 : last;

    return s;
}


ngx_http_im_cache_t *
fuzz_cache(void)
{
    ngx_conf_t            cf;
    ngx_slab_pool_t      *sp;
    ngx_http_im_cache_t  *cache;

    static ngx_pool_t     *pool;

    if (pool) {
        ngx_destroy_pool(pool);
        pool = NULL;
    }

    pool = fuzz_pool();
    if (pool == NULL) {
        return NULL;
    }

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.pool = pool;

    ngx_memzero(fuzz_shm, sizeof(fuzz_shm));
    ngx_memzero(&fuzz_zone, sizeof(fuzz_zone));

    sp = (ngx_slab_pool_t *) fuzz_shm;
    sp->end = fuzz_shm + sizeof(fuzz_shm);
    sp->min_shift = 3;
    sp->addr = fuzz_shm;
    ngx_slab_init(sp);

    fuzz_zone.shm.addr = fuzz_shm;
    fuzz_zone.shm.size = sizeof(fuzz_shm);
    fuzz_zone.shm.log = &fuzz_log;

    if (ngx_http_im_cache_zone_add(&cf, NULL, sizeof(fuzz_shm), NULL) == NULL) {
        return NULL;
    }

    cache = fuzz_zone.data;

    return (fuzz_zone.init(&fuzz_zone, NULL) == NGX_OK) ? cache : NULL;
}


void
fuzz_refusal(ngx_http_im_error_t *refusal)
{
    const ngx_http_im_code_t  *row;

    fuzz_assert(refusal->id != NGX_HTTP_IM_OK);

    row = ngx_http_im_error_code(refusal->id);

    fuzz_assert(row->status >= 400 && row->status < 600);
    fuzz_assert(row->code.len);
    fuzz_assert(refusal->text.len || row->text.len);

    if (refusal->text.len) {

        /* it goes into the answer between quotes */

        fuzz_assert(memchr(refusal->text.data, '"', refusal->text.len)
                    == NULL);
        fuzz_assert(memchr(refusal->text.data, '\\', refusal->text.len)
                    == NULL);

    }
}


/* the text in memory of its very length, for the sanitizer */

static ngx_int_t
fuzz_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    dst->len = src->len;
    dst->data = ngx_pnalloc(pool, src->len ? src->len : 1);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    if (src->len) {
        ngx_memcpy(dst->data, src->data, src->len);
    }

    return NGX_OK;
}


ngx_int_t
fuzz_check(fuzz_call_t *f, ngx_pool_t *pool, ngx_uint_t flags,
    ngx_str_t *path, ngx_str_t *body)
{
    ngx_int_t                 rc;
    ngx_str_t                 conv_id, copy;
    const ngx_http_im_op_t   *op;
    ngx_http_im_call_env_t    env;

    ngx_memzero(f, sizeof(fuzz_call_t));

    op = ngx_http_im_route(path, &conv_id);
    if (op == NULL) {
        return NGX_DECLINED;
    }

    ngx_str_set(&f->options.key_prefix, "im:");
    f->options.max_body_size = 65536;
    f->options.max_message_size = (flags & 16) ? 100 : 32768;
    f->options.list_max = (flags & 32) ? 3 : 500;
    f->options.page_size_max = 200;
    f->options.group_max_members = (flags & 32) ? 3 : 500;
    f->options.groups_max = (flags & 32) ? 3 : 1000;
    f->options.group_add = (flags & 64) ? NGX_HTTP_IM_GROUP_ADD_OWNER
                                        : NGX_HTTP_IM_GROUP_ADD_MEMBER;
    f->options.idempotency_window = 86400000;
    f->options.recall_window = (flags & 16) ? NGX_HTTP_IM_RECALL_OFF : 120000;
    f->options.reply_full = (flags & 1) != 0;
    f->options.read_on_fetch = (flags & 2) != 0;

    f->unique.msg.k0 = 42;
    f->unique.group.k0 = 43;

    f->job.pool = pool;
    ngx_http_im_pipeline_init(&f->job.pipeline, pool);

    env.options = &f->options;
    env.scripts = fuzz_scripts;
    env.cache = (flags & 4) ? fuzz_cache() : NULL;
    env.scope = 0;
    env.unique = &f->unique;
    env.timeout = 2000;
    env.log = &fuzz_log;

    f->call = ngx_http_im_call_create(&env, &f->job, op, &conv_id);

    if (f->call == NULL || fuzz_copy(pool, &copy, body) != NGX_OK) {
        return NGX_ERROR;
    }

    if (flags & 8) {
        ngx_str_set(&f->call->user, "ann");

    } else {
        f->call->trusted = 1;
    }

    rc = ngx_http_im_call_check(f->call, copy.data, copy.len);

    fuzz_assert(rc == NGX_OK || rc == NGX_DECLINED || rc == NGX_ERROR);

    if (rc == NGX_DECLINED && !fuzz_no_memory) {
        fuzz_refusal(&f->call->error);
        fuzz_assert(ngx_http_im_error_code(f->call->error.id)->status < 500);
        fuzz_assert(ngx_http_im_call_code(f->call, rc) == f->call->error.id);
    }

    return rc;
}
