
#ifndef _NGX_HTTP_IM_PROFILE_H_INCLUDED_
#define _NGX_HTTP_IM_PROFILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/*
 * Names and pictures of the users of one answer.  Each user is fetched once,
 * in however many places it stands.  A step adds users, fetches those added
 * since the last time, and parses them in the next step.
 */

#define NGX_HTTP_IM_PROFILE_BUCKETS   64     /* a power of two */

typedef struct ngx_http_im_profile_s  ngx_http_im_profile_t;

struct ngx_http_im_profile_s {
    ngx_http_im_profile_t   *next;         /* in its bucket */
    ngx_http_im_profile_t   *fetch_next;
    ngx_str_t                id;
    ngx_str_t                text[2];      /* name and picture, escaped, */
    ngx_http_im_cmd_t       *cmd;          /*   "" when unknown */
    ngx_msec_t               sent;
    uint32_t                 hash;
    unsigned                 known:1;
};

/* empty when zeroed; the users are in the call's pool */

typedef struct {
    ngx_http_im_profile_t   *few[NGX_HTTP_IM_PROFILE_BUCKETS];
    ngx_http_im_profile_t  **more;         /* instead of few, if not NULL */
    ngx_uint_t               nbuckets;     /* of more */
    ngx_uint_t               n;
    ngx_http_im_profile_t   *two[2];       /* the first two */
    ngx_http_im_profile_t   *added;        /* not yet fetched */
} ngx_http_im_profiles_t;


/* NULL: out of memory */
ngx_http_im_profile_t *ngx_http_im_profile_add(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles, ngx_str_t *id);

/* may add commands; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_profiles_fetch(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles);

/* NGX_OK, or refused: the reply is not a profile */
ngx_int_t ngx_http_im_profile_parse(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile);

/* the user has a new profile: what is in the cache must not be used */
void ngx_http_im_profile_forget(ngx_http_im_call_t *call, ngx_str_t *id);


#endif /* _NGX_HTTP_IM_PROFILE_H_INCLUDED_ */
