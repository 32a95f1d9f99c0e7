
#ifndef _NGX_HTTP_IM_SLOTS_H_INCLUDED_
#define _NGX_HTTP_IM_SLOTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_reply.h"


/*
 * What servers of a Redis Cluster tell about slots.  Nothing is allocated;
 * hosts point into the reply.
 */

#define NGX_HTTP_IM_SLOTS      16384
#define NGX_HTTP_IM_SLOTS_HOST   255


typedef struct {
    ngx_uint_t    first;
    ngx_uint_t    last;
    ngx_str_t     host;       /* of the primary; "": that of who was asked */
    in_port_t     port;
} ngx_http_im_slots_range_t;


/* the slot that a key belongs to, 0 to 16383 */
ngx_uint_t ngx_http_im_key_slot(const ngx_str_t *key);

/*
 * The i-th range of a reply to CLUSTER SLOTS.  NGX_OK; NGX_DONE: there are not
 * so many; NGX_DECLINED: its primary has no address; NGX_ERROR: it is none.
 */
ngx_int_t ngx_http_im_slots_range(ngx_http_im_reply_t *reply, ngx_uint_t i,
    ngx_http_im_slots_range_t *range);

/* "MOVED 3999 10.0.0.1:6379", and ASK; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_slots_redirect(const ngx_str_t *error,
    ngx_http_im_slots_range_t *range);


#endif /* _NGX_HTTP_IM_SLOTS_H_INCLUDED_ */
