
#include "ngx_http_im_stat.h"
#include "ngx_http_im_id.h"


struct ngx_http_im_stat_sh_s {
    ngx_queue_t                blocks;
    ngx_uint_t                 generation;    /* of the last configuration */
    time_t                     since;
};


static ngx_int_t ngx_http_im_stat_init(ngx_shm_zone_t *zone, void *data);
static void ngx_http_im_stat_reap(ngx_http_im_stat_zone_t *counts,
    ngx_uint_t starting);
static ngx_uint_t ngx_http_im_stat_is_dead(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count, ngx_uint_t starting);
static void ngx_http_im_stat_merge(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count);
static ngx_int_t ngx_http_im_stat_add_dead(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count);
static ngx_http_im_stat_t *ngx_http_im_stat_dead_find(
    ngx_http_im_stat_zone_t *counts, ngx_http_im_stat_t *count);
static ngx_http_im_stat_t *ngx_http_im_stat_copy(ngx_pool_t *pool,
    ngx_http_im_stat_t *count);


/* nginx's clock has milliseconds: nothing finer can be told */

static const ngx_msec_t
    ngx_http_im_stat_bounds[NGX_HTTP_IM_STAT_BUCKETS - 1] =
{
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000
};


ngx_shm_zone_t *
ngx_http_im_stat_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag)
{
    ngx_shm_zone_t           *zone;
    ngx_http_im_stat_zone_t  *counts;

    counts = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_stat_zone_t));
    if (counts == NULL) {
        return NULL;
    }

    zone = ngx_shared_memory_add(cf, name, size, tag);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = ngx_http_im_stat_init;
    zone->data = counts;

    return zone;
}


/*
 * The zone goes over to the next configuration only between the same two
 * tags, that is, within the same image of the module: so what is in it has
 * the layout that this code knows.
 */

static ngx_int_t
ngx_http_im_stat_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_im_stat_zone_t  *old = data;

    ngx_http_im_stat_zone_t  *counts;

    counts = zone->data;
    counts->shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (old) {
        counts->sh = old->sh;

    } else if (zone->shm.exists) {
        counts->sh = counts->shpool->data;

    } else {
        counts->sh = ngx_slab_calloc(counts->shpool,
                                     sizeof(ngx_http_im_stat_sh_t));
        if (counts->sh == NULL) {
            return NGX_ERROR;
        }

        ngx_queue_init(&counts->sh->blocks);
        counts->sh->since = ngx_time();

        counts->shpool->data = counts->sh;
        counts->shpool->log_nomem = 0;
    }

    counts->generation = ++counts->sh->generation;

    return NGX_OK;
}


ngx_http_im_stat_t *
ngx_http_im_stat_create(ngx_pool_t *pool, const ngx_str_t *name,
    ngx_uint_t size)
{
    ngx_http_im_stat_t  *count;

    count = ngx_pcalloc(pool, offsetof(ngx_http_im_stat_t, n)
                              + size * sizeof(uint64_t));
    if (count == NULL) {
        return NULL;
    }

    if (name) {
        count->name = *name;
        count->is_store = 1;
    }

    count->size = size;

    return count;
}


void
ngx_http_im_stat_start(ngx_http_im_stat_zone_t *counts)
{
    ngx_shmtx_lock(&counts->shpool->mutex);
    ngx_http_im_stat_reap(counts, 1);
    ngx_shmtx_unlock(&counts->shpool->mutex);
}


ngx_http_im_stat_t *
ngx_http_im_stat_attach(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count, ngx_log_t *log)
{
    size_t               len;
    ngx_http_im_stat_t  *block;

    len = offsetof(ngx_http_im_stat_t, n) + count->size * sizeof(uint64_t);

    ngx_shmtx_lock(&counts->shpool->mutex);

    /* slab gives what starts with a cache line, as it is larger than one */

    block = ngx_slab_calloc_locked(counts->shpool, len + count->name.len);

    if (block) {
        block->pid = ngx_pid;
        block->worker = ngx_worker;
        block->generation = counts->generation;
        block->started = ngx_time();
        block->size = count->size;
        block->is_store = count->is_store;
        block->name.len = count->name.len;
        block->name.data = (u_char *) block + len;

        if (count->name.len) {
            ngx_memcpy(block->name.data, count->name.data, count->name.len);
        }

        ngx_queue_insert_tail(&counts->sh->blocks, &block->queue);
    }

    ngx_shmtx_unlock(&counts->shpool->mutex);

    if (block == NULL) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "im no room for the figures of this worker: they show "
                      "in the totals when it ends");
        return count;
    }

    return block;
}


void
ngx_http_im_stat_detach(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count)
{
    ngx_shmtx_lock(&counts->shpool->mutex);

    if (count->pid) {
        ngx_http_im_stat_merge(counts, count);

    } else {
        (void) ngx_http_im_stat_add_dead(counts, count);
    }

    ngx_shmtx_unlock(&counts->shpool->mutex);
}


/* those that ended without a word; the mutex is held */

static void
ngx_http_im_stat_reap(ngx_http_im_stat_zone_t *counts, ngx_uint_t starting)
{
    ngx_queue_t         *q, *next;
    ngx_http_im_stat_t  *count;

    for (q = ngx_queue_head(&counts->sh->blocks);
         q != ngx_queue_sentinel(&counts->sh->blocks);
         q = next)
    {
        next = ngx_queue_next(q);
        count = ngx_queue_data(q, ngx_http_im_stat_t, queue);

        if (ngx_http_im_stat_is_dead(counts, count, starting)) {
            ngx_http_im_stat_merge(counts, count);
        }
    }
}


/*
 * A worker that starts takes the place of the one of its number and
 * configuration: that one is dead, even if there is a process of its id.
 * A process of another user may be a worker: "user" may have been changed.
 */

static ngx_uint_t
ngx_http_im_stat_is_dead(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count, ngx_uint_t starting)
{
    if (count->pid == 0) {
        return 0;
    }

    if (count->pid == ngx_pid) {
        return starting;
    }

    if (starting && count->worker == ngx_worker
        && count->generation == counts->generation)
    {
        return 1;
    }

    return kill(count->pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


static void
ngx_http_im_stat_merge(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count)
{
    ngx_uint_t  i;

    ngx_queue_remove(&count->queue);

    if (ngx_http_im_stat_add_dead(counts, count) == NGX_OK) {
        ngx_slab_free_locked(counts->shpool, count);
        return;
    }

    /* the first of its name */

    for (i = 0; i < NGX_HTTP_IM_STAT_GAUGES; i++) {
        count->n[i] = 0;
    }

    count->pid = 0;

    ngx_queue_insert_head(&counts->sh->blocks, &count->queue);
}


/* adds its counters to those gone of its name; NGX_DECLINED: none is gone */

static ngx_int_t
ngx_http_im_stat_add_dead(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count)
{
    ngx_uint_t           i;
    ngx_http_im_stat_t  *gone;

    gone = ngx_http_im_stat_dead_find(counts, count);

    if (gone == NULL) {
        return NGX_DECLINED;
    }

    for (i = NGX_HTTP_IM_STAT_GAUGES; i < count->size; i++) {
        gone->n[i] += count->n[i];
    }

    return NGX_OK;
}


static ngx_http_im_stat_t *
ngx_http_im_stat_dead_find(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count)
{
    ngx_queue_t         *q;
    ngx_http_im_stat_t  *gone;

    for (q = ngx_queue_head(&counts->sh->blocks);
         q != ngx_queue_sentinel(&counts->sh->blocks);
         q = ngx_queue_next(q))
    {
        gone = ngx_queue_data(q, ngx_http_im_stat_t, queue);

        if (gone->pid == 0 && ngx_http_im_stat_eq(gone, count)) {
            return gone;
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
ngx_http_im_stat_read(ngx_http_im_stat_zone_t *counts, ngx_array_t *blocks)
{
    ngx_int_t            rc;
    ngx_queue_t         *q;
    ngx_http_im_stat_t  *count, **copy;

    rc = NGX_OK;

    ngx_shmtx_lock(&counts->shpool->mutex);

    ngx_http_im_stat_reap(counts, 0);

    for (q = ngx_queue_head(&counts->sh->blocks);
         q != ngx_queue_sentinel(&counts->sh->blocks);
         q = ngx_queue_next(q))
    {
        count = ngx_queue_data(q, ngx_http_im_stat_t, queue);

        copy = ngx_array_push(blocks);
        if (copy == NULL) {
            rc = NGX_ERROR;
            break;
        }

        *copy = ngx_http_im_stat_copy(blocks->pool, count);
        if (*copy == NULL) {
            rc = NGX_ERROR;
            break;
        }
    }

    ngx_shmtx_unlock(&counts->shpool->mutex);

    return rc;
}


/* figure by figure, as their worker goes on counting */

static ngx_http_im_stat_t *
ngx_http_im_stat_copy(ngx_pool_t *pool, ngx_http_im_stat_t *count)
{
    ngx_str_t            name;
    ngx_uint_t           i;
    volatile uint64_t   *n;
    ngx_http_im_stat_t  *copy;

    name.len = count->name.len;
    name.data = ngx_pnalloc(pool, name.len + 1);

    if (name.data == NULL) {
        return NULL;
    }

    if (name.len) {
        ngx_memcpy(name.data, count->name.data, name.len);
    }

    copy = ngx_http_im_stat_create(pool, count->is_store ? &name : NULL,
                                   count->size);
    if (copy == NULL) {
        return NULL;
    }

    copy->pid = count->pid;
    copy->worker = count->worker;
    copy->generation = count->generation;
    copy->started = count->started;

    n = count->n;

    for (i = 0; i < count->size; i++) {
        copy->n[i] = n[i];
    }

    return copy;
}


time_t
ngx_http_im_stat_since(ngx_http_im_stat_zone_t *counts)
{
    return counts->sh->since;
}


void
ngx_http_im_stat_round(ngx_http_im_stat_t *count, ngx_msec_t ms)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_IM_STAT_BUCKETS - 1; i++) {
        if (ms <= ngx_http_im_stat_bounds[i]) {
            break;
        }
    }

    count->n[NGX_HTTP_IM_STAT_ROUNDS + i]++;
    count->n[NGX_HTTP_IM_STAT_TIME] += ms;
}


ngx_msec_t
ngx_http_im_stat_bound(ngx_uint_t bucket)
{
    return ngx_http_im_stat_bounds[bucket];
}
