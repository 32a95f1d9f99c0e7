
#ifndef _NGX_HTTP_IM_STREAM_ONLINE_H_INCLUDED_
#define _NGX_HTTP_IM_STREAM_ONLINE_H_INCLUDED_


#include "ngx_http_im_stream.h"


/*
 * A key of each user with a stream, which expires unless it is refreshed: for
 * /im/user/online.
 */

/* writes the keys that are due, unless the last ones are under way */
void ngx_http_im_stream_online_refresh(ngx_http_im_channel_t *channel);


#endif /* _NGX_HTTP_IM_STREAM_ONLINE_H_INCLUDED_ */
