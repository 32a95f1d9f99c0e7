
#ifndef _NGX_HTTP_IM_STREAM_HANDLER_H_INCLUDED_
#define _NGX_HTTP_IM_STREAM_HANDLER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* the content handler of a location with im_stream */
ngx_int_t ngx_http_im_stream_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IM_STREAM_HANDLER_H_INCLUDED_ */
