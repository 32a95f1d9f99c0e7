
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

/*
 * After the configuration is read, if there is an im_pass: adds the handler of
 * the preaccess phase and the filter of bodies; NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_im_handler_init(ngx_conf_t *cf,
    ngx_http_im_main_conf_t *imcf);


#endif /* _NGX_HTTP_IM_HANDLER_H_INCLUDED_ */
