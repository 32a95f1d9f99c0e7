
#include "ngx_http_im_cache.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_zone.h"


/* at most so many old entries are removed for a new one */
#define NGX_HTTP_IM_CACHE_EVICT   8

/*
 * Entries of a bucket, which has four on average: that there are more is so
 * unlikely that the oldest of them may be lost
 */
#define NGX_HTTP_IM_CACHE_CHAIN   32

#define NGX_HTTP_IM_CACHE_PARTS   3


typedef struct ngx_http_im_cache_entry_s  ngx_http_im_cache_entry_t;

struct ngx_http_im_cache_entry_s {
    ngx_http_im_cache_entry_t   *next;       /* in its bucket */
    ngx_queue_t                  queue;      /* the newest first */
    ngx_msec_t                   requested;  /* the values, from Redis */
    ngx_msec_t                   changed;    /* older values are refused */
    uint32_t                     hash;
    uint32_t                     scope;
    uint16_t                     len[2];     /* of the values */
    uint16_t                     capacity;   /* for the values */
    u_char                       kind;
    u_char                       part;
    u_char                       id_len;
    unsigned                     valid:1;
    u_char                       data[1];    /* id, values */
};

/* entries of some kinds, so that they do not evict those of others */

typedef struct {
    ngx_queue_t                  queue;
    size_t                       size;       /* of its entries */
    size_t                       max;
} ngx_http_im_cache_part_t;

typedef enum {
    NGX_HTTP_IM_CACHE_PART_COMMON = 0,
    NGX_HTTP_IM_CACHE_PART_RECENT,
    NGX_HTTP_IM_CACHE_PART_ABSENT    /* users without a profile */
} ngx_http_im_cache_part_e;

struct ngx_http_im_cache_sh_s {
    ngx_http_im_cache_part_t     part[NGX_HTTP_IM_CACHE_PARTS];
    ngx_http_im_siphash_key_t    key;
    ngx_http_im_cache_stat_t     stat;
    ngx_uint_t                   mask;
    ngx_http_im_cache_entry_t   *buckets[1];
};


static ngx_int_t ngx_http_im_cache_init(ngx_shm_zone_t *zone, void *data);
static uint32_t ngx_http_im_cache_key_hash(ngx_http_im_cache_key_t *key);
static ngx_http_im_cache_part_e ngx_http_im_cache_part(
    ngx_http_im_cache_key_t *key, ngx_str_t values[2]);
static ngx_http_im_cache_entry_t *ngx_http_im_cache_find(
    ngx_http_im_cache_t *cache, ngx_http_im_cache_key_t *key, uint32_t hash);
static ngx_http_im_cache_entry_t *ngx_http_im_cache_create(
    ngx_http_im_cache_t *cache, ngx_http_im_cache_key_t *key, uint32_t hash,
    ngx_http_im_cache_part_e part, size_t capacity);
static void ngx_http_im_cache_insert(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_entry_t *entry);
static size_t ngx_http_im_cache_slab_size(size_t size);
static void ngx_http_im_cache_remove(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_entry_t *entry);


char *
ngx_http_im_cache_conf(ngx_conf_t *cf, ngx_str_t *value, void *tag,
    ngx_shm_zone_t **zone)
{
    char       *rv;
    size_t      size;
    ngx_str_t   name;

    rv = ngx_http_im_zone_parse(value, "takes \"zone=NAME:SIZE\" or \"off\"",
                                &name, &size);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    *zone = ngx_http_im_cache_zone_add(cf, &name, size, tag);

    return *zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_shm_zone_t *
ngx_http_im_cache_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag)
{
    ngx_http_im_cache_t  *cache;

    cache = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_cache_t));
    if (cache == NULL) {
        return NULL;
    }

    return ngx_http_im_zone_add(cf, name, size, tag, ngx_http_im_cache_init,
                                cache);
}


static ngx_int_t
ngx_http_im_cache_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_im_cache_t  *old = data;

    size_t                n, max;
    ngx_uint_t            i;
    ngx_http_im_cache_t  *cache;

    cache = zone->data;
    cache->shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (old || zone->shm.exists) {
        cache->sh = old ? old->sh : cache->shpool->data;
        cache->key = cache->sh->key;
        return NGX_OK;
    }

    if (ngx_http_im_siphash_key_init(&cache->key, zone->shm.log) != NGX_OK) {
        return NGX_ERROR;
    }

    /* one bucket per 512 bytes of the zone */

    for (n = 64; n < zone->shm.size / 512; n *= 2) { /* void */ }

    cache->sh = ngx_slab_calloc(cache->shpool,
                                sizeof(ngx_http_im_cache_sh_t)
                                + n * sizeof(ngx_http_im_cache_entry_t *));
    if (cache->sh == NULL) {
        return NGX_ERROR;
    }

    cache->sh->mask = n - 1;
    cache->sh->key = cache->key;

    max = cache->shpool->pfree * ngx_pagesize;

    cache->sh->part[NGX_HTTP_IM_CACHE_PART_COMMON].max = max / 16 * 7;
    cache->sh->part[NGX_HTTP_IM_CACHE_PART_RECENT].max = max / 2;
    cache->sh->part[NGX_HTTP_IM_CACHE_PART_ABSENT].max = max / 16;

    for (i = 0; i < NGX_HTTP_IM_CACHE_PARTS; i++) {
        ngx_queue_init(&cache->sh->part[i].queue);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, zone->shm.log, 0,
                   "im cache zone:%p buckets:%uz size:%uz",
                   cache->sh, n, max);

    cache->shpool->data = cache->sh;
    cache->shpool->log_nomem = 0;

    return NGX_OK;
}


void
ngx_http_im_cache_lock(ngx_http_im_cache_t *cache)
{
    ngx_shmtx_lock(&cache->shpool->mutex);
}


void
ngx_http_im_cache_unlock(ngx_http_im_cache_t *cache)
{
    ngx_shmtx_unlock(&cache->shpool->mutex);
}


ngx_int_t
ngx_http_im_cache_get(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key, ngx_msec_t since, ngx_pool_t *pool,
    ngx_str_t values[2])
{
    u_char                     *p;
    size_t                      len;
    ngx_http_im_cache_entry_t  *entry;

    entry = ngx_http_im_cache_find(cache, key,
                                   ngx_http_im_cache_key_hash(key));

    if (entry == NULL || !entry->valid
        || (ngx_msec_int_t) (entry->requested - since) <= 0)
    {
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                       "im cache miss kind:%d id:%V entry:%p",
                       key->kind, &key->id, entry);

        cache->sh->stat.misses += (key->kind == NGX_HTTP_IM_CACHE_PROFILE);
        return NGX_DECLINED;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                   "im cache hit kind:%d id:%V entry:%p age:%M",
                   key->kind, &key->id, entry,
                   ngx_current_msec - entry->requested);

    cache->sh->stat.hits += (key->kind == NGX_HTTP_IM_CACHE_PROFILE);

    len = entry->len[0] + entry->len[1];

    p = ngx_pnalloc(pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, entry->data + entry->id_len, len);

    values[0].data = p;
    values[0].len = entry->len[0];
    values[1].data = p + entry->len[0];
    values[1].len = entry->len[1];

    return NGX_OK;
}


void
ngx_http_im_cache_put(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key, ngx_msec_t requested, ngx_str_t values[2])
{
    size_t                      len;
    u_char                     *p;
    uint32_t                    hash;
    ngx_msec_t                  changed;
    ngx_uint_t                  i;
    ngx_http_im_cache_part_e    part;
    ngx_http_im_cache_entry_t  *entry;

    len = values[0].len + values[1].len;
    changed = ngx_http_im_cache_long_ago();
    part = ngx_http_im_cache_part(key, values);

    if (len > NGX_HTTP_IM_CACHE_MAX) {
        return;
    }

    hash = ngx_http_im_cache_key_hash(key);

    ngx_http_im_cache_lock(cache);

    entry = ngx_http_im_cache_find(cache, key, hash);

    if (entry
        && ((ngx_msec_int_t) (requested - entry->changed) <= 0
            || (entry->valid
                && (ngx_msec_int_t) (requested - entry->requested) < 0)))
    {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im cache put kind:%d id:%V: values are outdated",
                       key->kind, &key->id);
        goto done;
    }

    if (entry && (entry->capacity < len || entry->part != part)) {
        changed = entry->changed;
        ngx_http_im_cache_remove(cache, entry);
        entry = NULL;
    }

    if (entry == NULL) {
        entry = ngx_http_im_cache_create(cache, key, hash, part, len);
        if (entry == NULL) {
            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                           "im cache put kind:%d id:%V: no memory",
                           key->kind, &key->id);
            goto done;
        }

        entry->changed = changed;

    } else {
        ngx_queue_remove(&entry->queue);
        ngx_queue_insert_head(&cache->sh->part[part].queue, &entry->queue);
    }

    p = entry->data + entry->id_len;

    for (i = 0; i < 2; i++) {
        entry->len[i] = (uint16_t) values[i].len;

        if (values[i].len) {
            p = ngx_cpymem(p, values[i].data, values[i].len);
        }
    }

    entry->requested = requested;
    entry->valid = 1;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im cache put kind:%d id:%V entry:%p len:%uz",
                   key->kind, &key->id, entry, len);

done:

    ngx_http_im_cache_unlock(cache);
}


void
ngx_http_im_cache_forget(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key)
{
    uint32_t                    hash;
    ngx_http_im_cache_entry_t  *entry;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im cache forget kind:%d id:%V", key->kind, &key->id);

    hash = ngx_http_im_cache_key_hash(key);

    ngx_http_im_cache_lock(cache);

    entry = ngx_http_im_cache_find(cache, key, hash);

    /* the time of the change is not to be evicted by absent users */

    if (entry && entry->part == NGX_HTTP_IM_CACHE_PART_ABSENT) {
        ngx_http_im_cache_remove(cache, entry);
        entry = NULL;
    }

    if (entry == NULL) {
        entry = ngx_http_im_cache_create(cache, key, hash,
                                         NGX_HTTP_IM_CACHE_PART_COMMON, 0);
    }

    if (entry) {
        entry->changed = ngx_current_msec;
        entry->valid = 0;
    }

    ngx_http_im_cache_unlock(cache);
}


void
ngx_http_im_cache_stat_get(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_stat_t *stat)
{
    ngx_http_im_cache_lock(cache);
    *stat = cache->sh->stat;
    ngx_http_im_cache_unlock(cache);
}


uint32_t
ngx_http_im_cache_hash(ngx_http_im_cache_t *cache, ngx_str_t *id)
{
    return (uint32_t) ngx_http_im_siphash(&cache->key, id->data, id->len);
}


static uint32_t
ngx_http_im_cache_key_hash(ngx_http_im_cache_key_t *key)
{
    return key->hash ^ (key->scope * 2654435761u + key->kind);
}


static ngx_http_im_cache_part_e
ngx_http_im_cache_part(ngx_http_im_cache_key_t *key, ngx_str_t values[2])
{
    if (key->kind == NGX_HTTP_IM_CACHE_RECENT) {
        return NGX_HTTP_IM_CACHE_PART_RECENT;
    }

    return (key->kind == NGX_HTTP_IM_CACHE_PROFILE
            && values[0].len == 0 && values[1].len == 0)
           ? NGX_HTTP_IM_CACHE_PART_ABSENT : NGX_HTTP_IM_CACHE_PART_COMMON;
}


static ngx_http_im_cache_entry_t *
ngx_http_im_cache_find(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key, uint32_t hash)
{
    ngx_http_im_cache_entry_t  *entry;

    entry = cache->sh->buckets[hash & cache->sh->mask];

    for ( /* void */ ; entry; entry = entry->next) {

        if (entry->hash == hash && entry->id_len == key->id.len
            && entry->scope == key->scope && entry->kind == key->kind
            && ngx_memcmp(entry->data, key->id.data, key->id.len) == 0)
        {
            return entry;
        }
    }

    return NULL;
}


/*
 * A new entry, not yet valid; the oldest of the same part are removed until it
 * fits.  NULL: there is not enough memory.
 */

static ngx_http_im_cache_entry_t *
ngx_http_im_cache_create(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key, uint32_t hash,
    ngx_http_im_cache_part_e part, size_t capacity)
{
    size_t                      head, size;
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_im_cache_part_t   *p;
    ngx_http_im_cache_entry_t  *entry;

    if (key->id.len > NGX_HTTP_IM_ID_MAX) {
        return NULL;
    }

    head = offsetof(ngx_http_im_cache_entry_t, data) + key->id.len;
    size = ngx_http_im_cache_slab_size(head + capacity);
    p = &cache->sh->part[part];

    for (n = 0; /* void */ ; n++) {

        if (p->size + size <= p->max) {
            entry = ngx_slab_alloc_locked(cache->shpool, size);

            if (entry) {
                break;
            }
        }

        if (n == NGX_HTTP_IM_CACHE_EVICT || ngx_queue_empty(&p->queue)) {
            return NULL;
        }

        cache->sh->stat.evictions += (part == NGX_HTTP_IM_CACHE_PART_COMMON);

        q = ngx_queue_last(&p->queue);

        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im cache evict entry:%p for kind:%d id:%V",
                       ngx_queue_data(q, ngx_http_im_cache_entry_t, queue),
                       key->kind, &key->id);

        ngx_http_im_cache_remove(cache,
                     ngx_queue_data(q, ngx_http_im_cache_entry_t, queue));
    }

    ngx_queue_insert_head(&p->queue, &entry->queue);
    p->size += size;

    entry->changed = ngx_http_im_cache_long_ago();
    entry->requested = 0;
    entry->valid = 0;
    entry->hash = hash;
    entry->scope = key->scope;
    entry->kind = (u_char) key->kind;
    entry->part = (u_char) part;
    entry->id_len = (u_char) key->id.len;
    entry->capacity = (uint16_t) (size - head);

    ngx_memcpy(entry->data, key->id.data, key->id.len);

    ngx_http_im_cache_insert(cache, entry);

    return entry;
}


/* the newest is the first in its bucket */

static void
ngx_http_im_cache_insert(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_entry_t *entry)
{
    ngx_uint_t                   n;
    ngx_http_im_cache_entry_t  **bucket, *last;

    bucket = &cache->sh->buckets[entry->hash & cache->sh->mask];

    entry->next = *bucket;
    *bucket = entry;

    last = entry;

    for (n = 1; last->next && n < NGX_HTTP_IM_CACHE_CHAIN; n++) {
        last = last->next;
    }

    if (last->next) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im cache bucket is full: entry:%p lost for %p",
                       last->next, entry);

        ngx_http_im_cache_remove(cache, last->next);
    }
}


/* the memory that an allocation takes: a power of two, or whole pages */

static size_t
ngx_http_im_cache_slab_size(size_t size)
{
    size_t  n;

    if (size > ngx_pagesize / 2) {
        return ngx_align(size, ngx_pagesize);
    }

    for (n = 64; n < size; n *= 2) { /* void */ }

    return n;
}


static void
ngx_http_im_cache_remove(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_entry_t *entry)
{
    ngx_http_im_cache_entry_t  **p;

    p = &cache->sh->buckets[entry->hash & cache->sh->mask];

    for ( /* void */ ; *p; p = &(*p)->next) {
        if (*p == entry) {
            *p = entry->next;
            break;
        }
    }

    cache->sh->part[entry->part].size -=
                        offsetof(ngx_http_im_cache_entry_t, data)
                        + entry->id_len + entry->capacity;

    ngx_queue_remove(&entry->queue);
    ngx_slab_free_locked(cache->shpool, entry);
}
