
#ifndef _NGX_HTTP_IM_CACHE_H_INCLUDED_
#define _NGX_HTTP_IM_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_siphash.h"


/*
 * A cache in shared memory of what the workers have read from Redis or changed
 * there.  Recent messages are large, so they have one half of the zone; users
 * without a profile, of whom callers can invent any number, have a sixteenth;
 * all else shares the rest.
 *
 * Callers choose ids, so they are hashed under a random key of the zone, and
 * a lookup compares a bounded number of entries.
 *
 * An entry has the time at which its values were requested from Redis; the
 * caller says how old they may be.  Values that were requested before a change
 * made on this machine are never returned.
 */

typedef enum {
    NGX_HTTP_IM_CACHE_PROFILE = 0,    /* a user's name and img */
    NGX_HTTP_IM_CACHE_SENDER,         /* a group's last sender: id, "" */
    NGX_HTTP_IM_CACHE_INBOX,          /* of a 1:1 in both inboxes: time, "" */
    NGX_HTTP_IM_CACHE_RECENT          /* a conversation's newest rows, "" */
} ngx_http_im_cache_e;


/* longer values are not stored: an entry is at most a page of memory */
#define NGX_HTTP_IM_CACHE_MAX      3900

#define NGX_HTTP_IM_CACHE_LOCKED   64


typedef struct ngx_http_im_cache_sh_s  ngx_http_im_cache_sh_t;

typedef struct {
    ngx_http_im_cache_sh_t     *sh;
    ngx_slab_pool_t            *shpool;
    ngx_http_im_siphash_key_t   key;       /* a copy of the zone's */
} ngx_http_im_cache_t;


/* scope separates stores and key prefixes */

typedef struct {
    ngx_http_im_cache_e       kind;
    uint32_t                  scope;
    uint32_t                  hash;      /* ngx_http_im_cache_hash() of id */
    ngx_str_t                 id;
} ngx_http_im_cache_key_t;


/* of all workers, since the zone was created */

typedef struct {
    uint64_t                  hits;      /* profiles that were found */
    uint64_t                  misses;
    uint64_t                  evictions; /* recent, absent not counted */
} ngx_http_im_cache_stat_t;


/* the module's zone; NULL after an error was logged */
ngx_shm_zone_t *ngx_http_im_cache_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);

/* the same from "zone=NAME:SIZE"; returns what a directive does */
char *ngx_http_im_cache_conf(ngx_conf_t *cf, ngx_str_t *value, void *tag,
    ngx_shm_zone_t **zone);

uint32_t ngx_http_im_cache_hash(ngx_http_im_cache_t *cache, ngx_str_t *id);

/*
 * _get is called between these two, so that some entries cost one lock; no
 * more than NGX_HTTP_IM_CACHE_LOCKED, as all workers wait for it.
 */
void ngx_http_im_cache_lock(ngx_http_im_cache_t *cache);
void ngx_http_im_cache_unlock(ngx_http_im_cache_t *cache);

/*
 * NGX_OK: values that were requested after since, copied to the pool;
 * NGX_DECLINED: there are none; NGX_ERROR: out of memory
 */
ngx_int_t ngx_http_im_cache_get(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key, ngx_msec_t since, ngx_pool_t *pool,
    ngx_str_t values[2]);

/* earlier than any request that may be in flight; msec wraps around */
#define ngx_http_im_cache_long_ago()  (ngx_current_msec - NGX_MAX_INT32_VALUE)

/* values that were requested from Redis at that time */
void ngx_http_im_cache_put(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key, ngx_msec_t requested, ngx_str_t values[2]);

/* a change was made: values that were requested until now are outdated */
void ngx_http_im_cache_forget(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key);

void ngx_http_im_cache_stat_get(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_stat_t *stat);


#endif /* _NGX_HTTP_IM_CACHE_H_INCLUDED_ */
