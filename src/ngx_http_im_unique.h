
#ifndef _NGX_HTTP_IM_UNIQUE_H_INCLUDED_
#define _NGX_HTTP_IM_UNIQUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_siphash.h"


/*
 * Parts of ids that no other id has and nobody can guess: a counter under a
 * keyed hash.  Messages and groups have a key each, as ids of messages are
 * told to all and those of groups only to some.
 */

#define NGX_HTTP_IM_UNIQUE_MSG_LEN     16
#define NGX_HTTP_IM_UNIQUE_GROUP_LEN   24


/* of a worker */

typedef struct {
    ngx_http_im_siphash_key_t    msg;
    ngx_http_im_siphash_key_t    group;
    uint64_t                     counter;
} ngx_http_im_unique_t;


/* NGX_ERROR after an error was logged */
ngx_int_t ngx_http_im_unique_init(ngx_http_im_unique_t *unique,
    ngx_log_t *log);

/* hex digits */
void ngx_http_im_unique_msg(ngx_http_im_unique_t *unique,
    u_char dst[NGX_HTTP_IM_UNIQUE_MSG_LEN]);
void ngx_http_im_unique_group(ngx_http_im_unique_t *unique,
    u_char dst[NGX_HTTP_IM_UNIQUE_GROUP_LEN]);


#endif /* _NGX_HTTP_IM_UNIQUE_H_INCLUDED_ */
