
#ifndef _NGX_HTTP_IM_CHANNEL_H_INCLUDED_
#define _NGX_HTTP_IM_CHANNEL_H_INCLUDED_


#include "ngx_http_im_stream.h"


/* in a worker; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_channel_init(ngx_http_im_channel_t *channel);

/* at its exit */
void ngx_http_im_channel_exit(ngx_http_im_channel_t *channel);

/* a stream whose header was sent, for this user; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_channel_join(ngx_http_im_stream_t *stream,
    ngx_str_t *user);


#endif /* _NGX_HTTP_IM_CHANNEL_H_INCLUDED_ */
