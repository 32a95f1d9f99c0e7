
#ifndef _NGX_HTTP_IM_KEY_H_INCLUDED_
#define _NGX_HTTP_IM_KEY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The keys in Redis: PREFIX{c:ID}:X for a conversation, PREFIX{u:ID}:X for a
 * user, PREFIX{s:}:X for the store.  The hash tag puts all keys of a
 * conversation (or a user) into one slot.  Their contents are described in
 * docs/redis-schema.md.
 */

typedef enum {
    NGX_HTTP_IM_CONV_HEAD = 0,       /* h: string */
    NGX_HTTP_IM_CONV_TIMELINE,       /* m: sorted set */
    NGX_HTTP_IM_CONV_IDEMPOTENCY,    /* i: sorted set */
    NGX_HTTP_IM_CONV_MEMBERS,        /* g: hash, groups only */
    NGX_HTTP_IM_CONV_SETTINGS,       /* x: hash, groups and other names */
    NGX_HTTP_IM_CONV_IMPORTED,       /* k: hash, imported ones only */
    NGX_HTTP_IM_USER_INBOX,          /* i: sorted set */
    NGX_HTTP_IM_USER_GROUPS,         /* g: set */
    NGX_HTTP_IM_USER_PROFILE,        /* p: hash */
    NGX_HTTP_IM_USER_ONLINE,         /* o: string */
    NGX_HTTP_IM_STORE_RECALLS        /* r: sorted set, id "" */
} ngx_http_im_key_e;


/* the longest key without its prefix */
#define NGX_HTTP_IM_KEY_LEN  (sizeof("{c:}:h") - 1 + 64)


/* NGX_OK, or NGX_ERROR: out of memory; the key is allocated from the pool */
ngx_int_t ngx_http_im_key(ngx_pool_t *pool, ngx_str_t *key,
    const ngx_str_t *prefix, ngx_http_im_key_e what, const ngx_str_t *id);


#endif /* _NGX_HTTP_IM_KEY_H_INCLUDED_ */
