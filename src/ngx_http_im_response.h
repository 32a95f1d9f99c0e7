
#ifndef _NGX_HTTP_IM_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_IM_RESPONSE_H_INCLUDED_


#include "ngx_http_im.h"


/*
 * Both send header and body and return what the request is to be finalized
 * with.
 */

/* the answer of a call, with what was made told in headers */
ngx_int_t ngx_http_im_response(ngx_http_request_t *r,
    ngx_http_im_call_t *call);

/* {"code":"...","error":"..."}; text NULL: the usual one */
ngx_int_t ngx_http_im_response_refusal(ngx_http_request_t *r,
    ngx_http_im_error_e id, ngx_str_t *text);


#endif /* _NGX_HTTP_IM_RESPONSE_H_INCLUDED_ */
