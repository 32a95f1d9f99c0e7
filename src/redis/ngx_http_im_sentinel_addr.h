
#ifndef _NGX_HTTP_IM_SENTINEL_ADDR_H_INCLUDED_
#define _NGX_HTTP_IM_SENTINEL_ADDR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_reply.h"


#define NGX_HTTP_IM_SENTINEL_HOST   253


/* what a Sentinel told of a master; host is in the reply */

typedef struct {
    ngx_str_t     host;          /* an address or a name */
    in_port_t     port;
} ngx_http_im_sentinel_addr_t;


/* NGX_OK; NGX_DECLINED: it knows no such master; NGX_ERROR: no address */
ngx_int_t ngx_http_im_sentinel_addr_parse(ngx_http_im_reply_t *reply,
    ngx_http_im_sentinel_addr_t *addr);


#endif /* _NGX_HTTP_IM_SENTINEL_ADDR_H_INCLUDED_ */
