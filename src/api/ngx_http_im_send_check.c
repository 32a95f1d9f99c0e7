
#include "ngx_http_im_send_check.h"
#include "ngx_http_im_conv.h"


static ngx_int_t ngx_http_im_send_to_check(ngx_http_im_call_t *call,
    ngx_http_im_send_args_t *args);
static ngx_int_t ngx_http_im_send_conv_known(ngx_http_im_call_t *call);


ngx_int_t
ngx_http_im_send_check(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_http_im_send_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;
    ngx_http_im_conv_set(call, &args->conv_id);

    if (args->conv_id.len == 0 && args->to_id.len == 0) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "conv_id or to_id is missing");
    }

    if (args->conv_id.len && !call->pair) {
        /* a group, whose to_id is ignored, or another name of a 1:1 */
        args->peer = args->to_id;
        ngx_str_null(&args->to_id);
    }

    if (args->to_id.len) {
        rc = ngx_http_im_send_to_check(call, args);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (args->msg.len > call->options->max_message_size) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_MSG_TOO_LONG,
                                     "msg must be at most %uz bytes long",
                                     call->options->max_message_size);
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_send_to_check(ngx_http_im_call_t *call,
    ngx_http_im_send_args_t *args)
{
    ngx_int_t  rc;
    ngx_str_t  id;

    rc = ngx_http_im_call_check_user_id(call, "to_id", &args->to_id);

    if (rc == NGX_OK) {
        rc = ngx_http_im_conv_pair_check(call, &args->from_id, &args->to_id);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_conv_pair_id(call->pool, &args->from_id, &args->to_id,
                                 &id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (args->conv_id.len && !ngx_http_im_str_eq(&args->conv_id, &id)) {
        args->peer = args->to_id;
        ngx_str_null(&args->to_id);
        return NGX_OK;
    }

    call->conv_id = id;
    call->pair = 1;

    return NGX_OK;
}


/*
 * An id of 24 hex digits that is not the one computed from the two is a wrong
 * one, unless it is that of an imported conversation.
 */

ngx_int_t
ngx_http_im_send_peer_check(ngx_http_im_call_t *call)
{
    ngx_str_t                 id;
    ngx_http_im_send_args_t  *args;

    args = call->args;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im send peer:\"%V\" conv:\"%V\" pair:%d job:%p",
                   &args->peer, &call->conv_id, (int) call->pair, call->job);

    if (!call->imported) {

        if (!call->pair) {
            return NGX_OK;
        }

        call->state = ngx_http_im_conv_head_fetch(call, &call->conv_id, 0);
        call->next = ngx_http_im_send_conv_known;

        return NGX_AGAIN;
    }

    if (args->to_id.len) {
        return ngx_http_im_call_store_error(call);
    }

    if (!call->pair || args->peer.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_im_conv_pair_id(call->pool, &args->from_id, &args->peer, &id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_im_str_eq(&call->conv_id, &id)) {

        /* others are told the same as if there were no such conversation */

        return ngx_http_im_call_error(call,
                                      (ngx_http_im_call_is_user(call)
                                       || ngx_http_im_id_is_pair(
                                                             &args->conv_id))
                                      ? NGX_HTTP_IM_CONV_MISMATCH
                                      : NGX_HTTP_IM_NOT_MEMBER);
    }

    args->to_id = args->peer;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_send_conv_known(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_http_im_cmd_t   *cmd;
    ngx_http_im_head_t   head;

    cmd = call->state;

    rc = ngx_http_im_conv_head_parse(call, &cmd->reply, &head);

    if (rc == NGX_OK && head.group) {
        (void) ngx_http_im_reply_string(&cmd->reply, &text);
        return ngx_http_im_call_restart(call, &text);
    }

    return (rc == NGX_OK || rc == NGX_DONE)
           ? ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_MISMATCH) : rc;
}
