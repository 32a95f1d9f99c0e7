
#ifndef _NGX_HTTP_IM_ROUTE_H_INCLUDED_
#define _NGX_HTTP_IM_ROUTE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/*
 * The operation that a path names, the URI after the location's prefix.  NULL:
 * there is none; conv_id is what stands in the path, not yet checked.
 */
const ngx_http_im_op_t *ngx_http_im_route(ngx_str_t *path,
    ngx_str_t *conv_id);

/*
 * The same for a whole URI, of which prefix bytes are the location's name.  A
 * name without a slash at its end is followed by one.
 */
const ngx_http_im_op_t *ngx_http_im_route_uri(ngx_str_t *uri, size_t prefix,
    ngx_str_t *conv_id);

/*
 * Numbers, below ngx_http_im_route_calls(): every operation has one, and the
 * last one is that of requests that name none.
 */
ngx_uint_t ngx_http_im_route_calls(void);
ngx_uint_t ngx_http_im_route_number(const ngx_http_im_op_t *op);

/* NULL: no operation has this number */
const ngx_http_im_op_t *ngx_http_im_route_op(ngx_uint_t number);


#endif /* _NGX_HTTP_IM_ROUTE_H_INCLUDED_ */
