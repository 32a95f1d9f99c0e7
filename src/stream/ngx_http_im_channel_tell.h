
#ifndef _NGX_HTTP_IM_CHANNEL_TELL_H_INCLUDED_
#define _NGX_HTTP_IM_CHANNEL_TELL_H_INCLUDED_


#include "ngx_http_im_event.h"
#include "ngx_http_im_stream.h"


/*
 * Tells the streams that an event is for of it, and changes who is in which
 * group.  The frame is that of a message, else NULL.  NGX_OK, or NGX_ERROR:
 * out of memory, streams have missed something.
 */
ngx_int_t ngx_http_im_channel_tell(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event, ngx_http_im_frame_t *frame);


#endif /* _NGX_HTTP_IM_CHANNEL_TELL_H_INCLUDED_ */
