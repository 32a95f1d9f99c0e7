
#ifndef _NGX_HTTP_IM_HANDLER_H_INCLUDED_
#define _NGX_HTTP_IM_HANDLER_H_INCLUDED_


#include "ngx_http_im.h"


/*
 * The content handler.  It reads the body, makes the call, and is the only one
 * to finalize.
 *
 * The request may end before its call.  A call that only reads is given up
 * then; one that writes goes on without an answer, as its steps need nothing
 * of the request.
 */

ngx_int_t ngx_http_im_handler(ngx_http_request_t *r);

/* of the preaccess phase: for all requests, declines those of others */
ngx_int_t ngx_http_im_preaccess_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IM_HANDLER_H_INCLUDED_ */
