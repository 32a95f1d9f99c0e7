
#ifndef _NGX_HTTP_IM_HANDLER_H_INCLUDED_
#define _NGX_HTTP_IM_HANDLER_H_INCLUDED_


#include "ngx_http_im.h"


/*
 * The content handler.  It reads the body, runs the steps of the call, and
 * is the only one to finalize.
 *
 * The request may go before its call is done.  A call that only reads is
 * given up then; one that writes goes on without an answer, as its steps
 * need nothing of the request.
 */

ngx_int_t ngx_http_im_handler(ngx_http_request_t *r);

/* the call that the request's URI names, or NULL */
const ngx_http_im_op_t *ngx_http_im_request_route(ngx_http_request_t *r,
    ngx_http_im_loc_conf_t *lcf, ngx_str_t *conv_id);


#endif /* _NGX_HTTP_IM_HANDLER_H_INCLUDED_ */
