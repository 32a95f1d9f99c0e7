
#ifndef _NGX_HTTP_IM_CACHE_H_INCLUDED_
#define _NGX_HTTP_IM_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * What the workers of a machine tell each other: names and pictures of users,
 * who wrote last in a group, up to when a conversation is in both inboxes, the
 * newest messages of a conversation.  The latter are large, so they have one
 * half of the zone and all others have the other.
 *
 * An entry knows when its values were asked for, and who takes it says how
 * old it may be.  What was asked for before a change made here is never
 * taken.
 */

typedef enum {
    NGX_HTTP_IM_CACHE_PROFILE = 0,    /* name, img */
    NGX_HTTP_IM_CACHE_SENDER,         /* of a group: id, nothing */
    NGX_HTTP_IM_CACHE_INBOX,         /* of a 1:1: time, nothing */
    NGX_HTTP_IM_CACHE_RECENT          /* of any: newest rows, nothing */
} ngx_http_im_cache_e;


/* longer values are not kept: an entry is at most a page of memory */
#define NGX_HTTP_IM_CACHE_MAX   3900


typedef struct ngx_http_im_cache_sh_s  ngx_http_im_cache_sh_t;

typedef struct {
    ngx_http_im_cache_sh_t   *sh;
    ngx_slab_pool_t          *shpool;
} ngx_http_im_cache_t;


/* scope keeps stores and key prefixes apart */

typedef struct {
    ngx_http_im_cache_e       kind;
    uint32_t                  scope;
    uint32_t                  hash;      /* ngx_murmur_hash2() of the id */
    ngx_str_t                 id;
} ngx_http_im_cache_key_t;


/* since the zone was made, by all workers */

typedef struct {
    uint64_t                  hits;      /* profiles that were there */
    uint64_t                  misses;
    uint64_t                  evictions; /* but for recent messages */
} ngx_http_im_cache_counts_t;


/* a zone of the module's; NULL after an error was logged */
ngx_shm_zone_t *ngx_http_im_cache_zone(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);

/* the same from "zone=NAME:SIZE"; returns what a directive does */
char *ngx_http_im_cache_conf(ngx_conf_t *cf, ngx_str_t *value, void *tag,
    ngx_shm_zone_t **zone);

/* get is between lock and unlock, so that many cost one lock */
void ngx_http_im_cache_lock(ngx_http_im_cache_t *cache);
void ngx_http_im_cache_unlock(ngx_http_im_cache_t *cache);

/*
 * NGX_OK: values, asked for after since, are copied to the pool;
 * NGX_DECLINED; NGX_ERROR
 */
ngx_int_t ngx_http_im_cache_get(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key, ngx_msec_t since, ngx_pool_t *pool,
    ngx_str_t values[2]);

/* before anything that may still be under way, whatever the clock says */
#define ngx_http_im_cache_long_ago()  (ngx_current_msec - NGX_MAX_INT32_VALUE)

/* asked: when the values were asked for */
void ngx_http_im_cache_put(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key, ngx_msec_t asked, ngx_str_t values[2]);

/* what was asked for until now is not the truth any more */
void ngx_http_im_cache_forget(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_key_t *key);

void ngx_http_im_cache_read(ngx_http_im_cache_t *cache,
    ngx_http_im_cache_counts_t *counts);


#endif /* _NGX_HTTP_IM_CACHE_H_INCLUDED_ */
