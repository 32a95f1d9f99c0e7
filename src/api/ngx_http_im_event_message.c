
#include "ngx_http_im_event_message.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_message.h"


static ngx_int_t ngx_http_im_event(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_event_answer(ngx_http_im_call_t *call);


/* HMGET of the sender's profile, unless it is in the cache */

const ngx_http_im_op_t  ngx_http_im_op_event = {
    ngx_string("event"),
    NULL,
    sizeof(ngx_http_im_event_args_t),
    NGX_HTTP_IM_OP_READ,
    NULL,
    ngx_http_im_event
};


static ngx_int_t
ngx_http_im_event(ngx_http_im_call_t *call)
{
    ngx_int_t                  rc;
    ngx_http_im_messages_t    *messages;
    ngx_http_im_event_args_t  *args;

    args = call->args;

    messages = ngx_pcalloc(call->pool, sizeof(ngx_http_im_messages_t));

    if (messages == NULL
        || ngx_http_im_messages_init(call, messages, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    call->state = messages;

    rc = ngx_http_im_message_add(call, messages, &args->row);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? ngx_http_im_call_store_error(call) : rc;
    }

    if (ngx_http_im_profiles_fetch(call, &messages->profiles) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_im_call_continue(call, ngx_http_im_event_answer);
}


static ngx_int_t
ngx_http_im_event_answer(ngx_http_im_call_t *call)
{
    ngx_int_t                  rc;
    ngx_http_im_message_t     *message;
    ngx_http_im_messages_t    *messages;
    ngx_http_im_event_args_t  *args;

    args = call->args;
    messages = call->state;
    message = &messages->elts[0];

    rc = ngx_http_im_profile_parse(call, message->sender);
    if (rc != NGX_OK) {
        return rc;
    }

    call->writer.size = 256 + args->row.len + call->conv_id.len
                        + message->sender->text[0].len
                        + message->sender->text[1].len;

    ngx_http_im_message_write(call, message, &call->conv_id, 1);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im event message conv:\"%V\" seq:%L job:%p",
                   &call->conv_id, message->row.seq, call->job);

    return NGX_OK;
}


ngx_int_t
ngx_http_im_event_write_bare(ngx_http_im_call_t *call)
{
    ngx_http_im_message_t      message;
    ngx_http_im_profile_t      sender;
    ngx_http_im_event_args_t  *args;

    args = call->args;

    ngx_memzero(&sender, sizeof(ngx_http_im_profile_t));

    message.sender = &sender;

    if (ngx_http_im_row_parse(&message.row, &args->row) != NGX_OK
        || !ngx_http_im_id_user_valid(&message.row.from))
    {
        return NGX_ERROR;
    }

    ngx_http_im_writer_init(&call->writer, call->pool,
                            256 + args->row.len + call->conv_id.len);

    ngx_http_im_message_write(call, &message, &call->conv_id, 1);

    return call->writer.failed ? NGX_ERROR : NGX_OK;
}
