
#include "ngx_http_im_stat.h"
#include "ngx_http_im_id.h"


struct ngx_http_im_stat_sh_s {
    ngx_queue_t                blocks;        /* of ngx_http_im_stat_t */
    ngx_uint_t                 generation;    /* of the last configuration */
    time_t                     since;
};


/* upper bound of a bucket of the histogram */

typedef struct {
    ngx_msec_t                 ms;
    ngx_str_t                  seconds;
} ngx_http_im_stat_bound_t;


static ngx_int_t ngx_http_im_stat_init(ngx_shm_zone_t *shm_zone, void *data);
static void ngx_http_im_stat_reap(ngx_http_im_stat_zone_t *zone,
    ngx_uint_t starting);
static ngx_uint_t ngx_http_im_stat_is_dead(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat, ngx_uint_t starting);
static void ngx_http_im_stat_merge(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat);
static ngx_int_t ngx_http_im_stat_sum_add(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat);
static ngx_http_im_stat_t *ngx_http_im_stat_sum_find(
    ngx_http_im_stat_zone_t *zone, ngx_http_im_stat_t *stat);
static ngx_http_im_stat_t *ngx_http_im_stat_copy(ngx_pool_t *pool,
    ngx_http_im_stat_t *stat);


/* nginx's clock counts milliseconds, so there is no finer bucket */

static const ngx_http_im_stat_bound_t
    ngx_http_im_stat_bounds[NGX_HTTP_IM_STAT_BUCKETS] =
{
    { 1,    ngx_string("0.001") },
    { 2,    ngx_string("0.002") },
    { 5,    ngx_string("0.005") },
    { 10,   ngx_string("0.01") },
    { 20,   ngx_string("0.02") },
    { 50,   ngx_string("0.05") },
    { 100,  ngx_string("0.1") },
    { 200,  ngx_string("0.2") },
    { 500,  ngx_string("0.5") },
    { 1000, ngx_string("1") },
    { 2000, ngx_string("2") },
    { 5000, ngx_string("5") },
    { 0,    ngx_string("+Inf") }
};


ngx_shm_zone_t *
ngx_http_im_stat_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag)
{
    ngx_shm_zone_t           *shm_zone;
    ngx_http_im_stat_zone_t  *zone;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_stat_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_http_im_stat_init;
    shm_zone->data = zone;

    return shm_zone;
}


/*
 * The next configuration takes over a zone only if both have the same tag,
 * that is, the same image of the module: the layout of the zone is known.
 */

static ngx_int_t
ngx_http_im_stat_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_im_stat_zone_t  *old = data;

    ngx_http_im_stat_zone_t  *zone;

    zone = shm_zone->data;
    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old) {
        zone->sh = old->sh;

    } else if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;

    } else {
        zone->sh = ngx_slab_calloc(zone->shpool,
                                   sizeof(ngx_http_im_stat_sh_t));
        if (zone->sh == NULL) {
            return NGX_ERROR;
        }

        ngx_queue_init(&zone->sh->blocks);
        zone->sh->since = ngx_time();

        zone->shpool->data = zone->sh;
        zone->shpool->log_nomem = 0;
    }

    zone->generation = ++zone->sh->generation;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, shm_zone->shm.log, 0,
                   "im stat zone:%p generation:%ui",
                   zone->sh, zone->generation);

    return NGX_OK;
}


ngx_http_im_stat_t *
ngx_http_im_stat_create(ngx_pool_t *pool, const ngx_str_t *name,
    ngx_uint_t size)
{
    ngx_http_im_stat_t  *stat;

    stat = ngx_pcalloc(pool, offsetof(ngx_http_im_stat_t, n)
                             + size * sizeof(uint64_t));
    if (stat == NULL) {
        return NULL;
    }

    if (name) {
        stat->name = *name;
        stat->is_store = 1;
    }

    stat->size = size;

    return stat;
}


void
ngx_http_im_stat_start(ngx_http_im_stat_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);
    ngx_http_im_stat_reap(zone, 1);
    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_http_im_stat_t *
ngx_http_im_stat_attach(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat, ngx_log_t *log)
{
    size_t               len;
    ngx_http_im_stat_t  *block;

    len = offsetof(ngx_http_im_stat_t, n) + stat->size * sizeof(uint64_t);

    ngx_shmtx_lock(&zone->shpool->mutex);

    /*
     * Blocks are larger than a cache line, so slab aligns them to at least
     * one: workers do not share lines.
     */

    block = ngx_slab_calloc_locked(zone->shpool, len + stat->name.len);

    if (block) {
        block->pid = ngx_pid;
        block->worker = ngx_worker;
        block->generation = zone->generation;
        block->started = ngx_time();
        block->size = stat->size;
        block->is_store = stat->is_store;
        block->name.len = stat->name.len;
        block->name.data = (u_char *) block + len;

        if (stat->name.len) {
            ngx_memcpy(block->name.data, stat->name.data, stat->name.len);
        }

        ngx_queue_insert_tail(&zone->sh->blocks, &block->queue);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (block == NULL) {
        if (!zone->full) {
            zone->full = 1;
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "im no room for the counters of this worker, they "
                          "are added to the totals when it exits");
        }

        return stat;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, log, 0,
                   "im stat attach block:%p store:\"%V\" worker:%ui "
                   "generation:%ui",
                   block, &block->name, block->worker, block->generation);

    return block;
}


void
ngx_http_im_stat_detach(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im stat detach block:%p store:\"%V\" pid:%P",
                   stat, &stat->name, stat->pid);

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (stat->pid) {
        ngx_http_im_stat_merge(zone, stat);

    } else {

        /* the zone was full: counted in a block of the worker's own */

        (void) ngx_http_im_stat_sum_add(zone, stat);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * Merges the blocks of workers that were killed and could not detach them.
 * The mutex is locked.
 */

static void
ngx_http_im_stat_reap(ngx_http_im_stat_zone_t *zone, ngx_uint_t starting)
{
    ngx_queue_t         *q, *next;
    ngx_http_im_stat_t  *stat;

    for (q = ngx_queue_head(&zone->sh->blocks);
         q != ngx_queue_sentinel(&zone->sh->blocks);
         q = next)
    {
        next = ngx_queue_next(q);
        stat = ngx_queue_data(q, ngx_http_im_stat_t, queue);

        if (ngx_http_im_stat_is_dead(zone, stat, starting)) {
            ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                           "im stat dead worker:%ui pid:%P block:%p "
                           "store:\"%V\"",
                           stat->worker, stat->pid, stat, &stat->name);

            ngx_http_im_stat_merge(zone, stat);
        }
    }
}


/*
 * A worker that starts replaces the one of the same number and configuration,
 * which is dead even if its pid is in use again.  EPERM does not mean dead: a
 * worker of the previous configuration may run as another user.
 */

static ngx_uint_t
ngx_http_im_stat_is_dead(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat, ngx_uint_t starting)
{
    if (stat->pid == 0) {
        return 0;
    }

    if (stat->pid == ngx_pid) {
        return starting;
    }

    if (starting && stat->worker == ngx_worker
        && stat->generation == zone->generation)
    {
        return 1;
    }

    return kill(stat->pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


/*
 * Adds the counters of a block to the sum of the dead of its name, and frees
 * it.  The first block of a name becomes the sum.
 */

static void
ngx_http_im_stat_merge(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat)
{
    ngx_uint_t  i;

    ngx_queue_remove(&stat->queue);

    if (ngx_http_im_stat_sum_add(zone, stat) == NGX_OK) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im stat merged block:%p", stat);

        ngx_slab_free_locked(zone->shpool, stat);
        return;
    }

    for (i = 0; i < NGX_HTTP_IM_STAT_GAUGES; i++) {
        stat->n[i] = 0;
    }

    stat->pid = 0;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im stat new sum block:%p store:\"%V\"",
                   stat, &stat->name);

    ngx_queue_insert_head(&zone->sh->blocks, &stat->queue);
}


/* NGX_DECLINED: there is no sum of its name */

static ngx_int_t
ngx_http_im_stat_sum_add(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat)
{
    ngx_uint_t           i;
    ngx_http_im_stat_t  *sum;

    sum = ngx_http_im_stat_sum_find(zone, stat);

    if (sum == NULL) {
        return NGX_DECLINED;
    }

    for (i = NGX_HTTP_IM_STAT_GAUGES; i < stat->size; i++) {
        sum->n[i] += stat->n[i];
    }

    return NGX_OK;
}


static ngx_http_im_stat_t *
ngx_http_im_stat_sum_find(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat)
{
    ngx_queue_t         *q;
    ngx_http_im_stat_t  *sum;

    for (q = ngx_queue_head(&zone->sh->blocks);
         q != ngx_queue_sentinel(&zone->sh->blocks);
         q = ngx_queue_next(q))
    {
        sum = ngx_queue_data(q, ngx_http_im_stat_t, queue);

        if (sum->pid == 0 && ngx_http_im_stat_eq(sum, stat)) {
            return sum;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_im_stat_eq(ngx_http_im_stat_t *a, ngx_http_im_stat_t *b)
{
    if (!a->is_store || !b->is_store) {
        return a->is_store == b->is_store;
    }

    return ngx_http_im_str_eq(&a->name, &b->name);
}


ngx_int_t
ngx_http_im_stat_read(ngx_http_im_stat_zone_t *zone, ngx_array_t *blocks)
{
    ngx_int_t            rc;
    ngx_queue_t         *q;
    ngx_http_im_stat_t  *stat, **copy;

    rc = NGX_OK;

    ngx_shmtx_lock(&zone->shpool->mutex);

    ngx_http_im_stat_reap(zone, 0);

    for (q = ngx_queue_head(&zone->sh->blocks);
         q != ngx_queue_sentinel(&zone->sh->blocks);
         q = ngx_queue_next(q))
    {
        stat = ngx_queue_data(q, ngx_http_im_stat_t, queue);

        copy = ngx_array_push(blocks);
        if (copy == NULL) {
            rc = NGX_ERROR;
            break;
        }

        *copy = ngx_http_im_stat_copy(blocks->pool, stat);
        if (*copy == NULL) {
            rc = NGX_ERROR;
            break;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


/* each counter is read once, as the worker goes on counting */

static ngx_http_im_stat_t *
ngx_http_im_stat_copy(ngx_pool_t *pool, ngx_http_im_stat_t *stat)
{
    ngx_str_t            name;
    ngx_uint_t           i;
    volatile uint64_t   *n;
    ngx_http_im_stat_t  *copy;

    name.len = stat->name.len;
    name.data = ngx_pnalloc(pool, name.len + 1);

    if (name.data == NULL) {
        return NULL;
    }

    if (name.len) {
        ngx_memcpy(name.data, stat->name.data, name.len);
    }

    copy = ngx_http_im_stat_create(pool, stat->is_store ? &name : NULL,
                                   stat->size);
    if (copy == NULL) {
        return NULL;
    }

    copy->pid = stat->pid;
    copy->worker = stat->worker;
    copy->generation = stat->generation;
    copy->started = stat->started;

    n = stat->n;

    for (i = 0; i < stat->size; i++) {
        copy->n[i] = n[i];
    }

    return copy;
}


time_t
ngx_http_im_stat_since(ngx_http_im_stat_zone_t *zone)
{
    return zone->sh->since;
}


void
ngx_http_im_stat_round(ngx_http_im_stat_t *stat, ngx_msec_t ms)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_IM_STAT_BUCKETS - 1; i++) {
        if (ms <= ngx_http_im_stat_bounds[i].ms) {
            break;
        }
    }

    stat->n[NGX_HTTP_IM_STAT_ROUNDS + i]++;
    stat->n[NGX_HTTP_IM_STAT_TIME] += ms;
}


const ngx_str_t *
ngx_http_im_stat_bound(ngx_uint_t bucket)
{
    return &ngx_http_im_stat_bounds[bucket].seconds;
}
