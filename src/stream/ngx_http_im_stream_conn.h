
#ifndef _NGX_HTTP_IM_STREAM_CONN_H_INCLUDED_
#define _NGX_HTTP_IM_STREAM_CONN_H_INCLUDED_


#include "ngx_http_im_stream.h"


/*
 * What a stream writes.  A frame that the client has not taken is held, up to
 * a limit; beyond it the stream is cut off: the client comes back and is told
 * what it has missed.  None of these ends a request: that is left to an event,
 * so that streams can be walked meanwhile.
 */

/* sends the header; NGX_OK, or what the request is to be finalized with */
ngx_int_t ngx_http_im_stream_conn_header(ngx_http_request_t *r);

/* the stream's request has sent its header; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_stream_conn_init(ngx_http_im_stream_t *stream);

void ngx_http_im_stream_conn_send(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame);

/* says goodbye, and kills it; retry: ms */
void ngx_http_im_stream_conn_bye(ngx_http_im_stream_t *stream,
    const char *reason, ngx_msec_t retry);

/* after the stream has left its channel: ends the request, or cuts it off */
void ngx_http_im_stream_conn_close(ngx_http_im_stream_t *stream);


#endif /* _NGX_HTTP_IM_STREAM_CONN_H_INCLUDED_ */
