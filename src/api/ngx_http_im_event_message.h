
#ifndef _NGX_HTTP_IM_EVENT_MESSAGE_H_INCLUDED_
#define _NGX_HTTP_IM_EVENT_MESSAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/*
 * A call whose answer is a row of a timeline as a message, with seq; it is for
 * no request.  call->conv_id is the conversation.
 */

typedef struct {
    ngx_str_t              row;
} ngx_http_im_event_args_t;

extern const ngx_http_im_op_t  ngx_http_im_op_event;

/* the answer after the call has failed: without the sender's profile */
ngx_int_t ngx_http_im_event_write_bare(ngx_http_im_call_t *call);


#endif /* _NGX_HTTP_IM_EVENT_MESSAGE_H_INCLUDED_ */
