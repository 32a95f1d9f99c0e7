
#ifndef _NGX_HTTP_IM_CHANNEL_EVENT_H_INCLUDED_
#define _NGX_HTTP_IM_CHANNEL_EVENT_H_INCLUDED_


#include "ngx_http_im_stream.h"


/*
 * Events of a channel, in order.  A message waits for the name and picture of
 * its sender, if these are not in the cache, and what follows waits behind it.
 */

/* the row handler of the subscription */
void ngx_http_im_channel_row(void *data, ngx_str_t *row);

/* drops the events that were not told */
void ngx_http_im_channel_events_drop(ngx_http_im_channel_t *channel);

/* all streams have missed something: they are to read it from Redis */
void ngx_http_im_channel_resync(ngx_http_im_channel_t *channel);


#endif /* _NGX_HTTP_IM_CHANNEL_EVENT_H_INCLUDED_ */
