
#ifndef _NGX_HTTP_IM_SEND_CHECK_H_INCLUDED_
#define _NGX_HTTP_IM_SEND_CHECK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


typedef struct {
    ngx_str_t             conv_id;
    ngx_str_t             to_id;      /* "": the id tells who it is */
    ngx_str_t             peer;       /* to_id, beside an id that is not that
                                         of the two, or is a group's */
    ngx_str_t             from_id;
    ngx_http_im_text_t    msg;
    int64_t               msg_type;
    ngx_str_t             client_msg_id;
} ngx_http_im_send_args_t;


ngx_int_t ngx_http_im_send_check(ngx_http_im_call_t *call);

/*
 * The first step, where peer is set, or in a call that was started again.
 * NGX_OK; NGX_AGAIN: the conversation is asked for first; or refused.
 */
ngx_int_t ngx_http_im_send_peer_check(ngx_http_im_call_t *call);


#endif /* _NGX_HTTP_IM_SEND_CHECK_H_INCLUDED_ */
