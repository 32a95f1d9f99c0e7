
#include "ngx_http_im_message.h"
#include "ngx_http_im_id.h"


ngx_int_t
ngx_http_im_messages_init(ngx_http_im_call_t *call,
    ngx_http_im_messages_t *messages, ngx_uint_t n)
{
    messages->nelts = 0;
    messages->first = 0;
    messages->size = 0;

    messages->elts = ngx_palloc(call->pool, n * sizeof(ngx_http_im_message_t));

    return messages->elts ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_im_message_add(ngx_http_im_call_t *call,
    ngx_http_im_messages_t *messages, ngx_str_t *text)
{
    ngx_int_t               rc;
    ngx_http_im_message_t  *message;

    message = &messages->elts[messages->nelts];

    rc = ngx_http_im_row_parse(&message->row, text);

    if (rc == NGX_DECLINED) {
        return NGX_DONE;
    }

    if (rc != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    message->sender = ngx_http_im_profile_add(call, &messages->profiles,
                                              &message->row.from);
    if (message->sender == NULL) {
        return NGX_ERROR;
    }

    /* one that was added before is a user, or has been found to be one */

    if (message->sender->id.data == message->row.from.data
        && !ngx_http_im_id_user_valid(&message->row.from))
    {
        return ngx_http_im_call_store_error(call);
    }

    if (messages->nelts > messages->first
        && message->row.seq == message[-1].row.seq
        && !ngx_http_im_str_eq(&message->row.id, &message[-1].row.id))
    {
        return ngx_http_im_call_contradiction(call,
                                    "two messages have the same sequence");
    }

    messages->size += text->len;

    if (message->row.text.len >= NGX_HTTP_IM_WRITER_SHARED) {
        messages->size -= message->row.text.len;
    }

    messages->nelts++;

    return NGX_OK;
}


void
ngx_http_im_messages_reverse(ngx_http_im_messages_t *messages)
{
    ngx_uint_t             i, n;
    ngx_http_im_message_t  message, *elts;

    n = messages->nelts;
    elts = messages->elts;

    for (i = 0; i < n / 2; i++) {
        message = elts[i];
        elts[i] = elts[n - 1 - i];
        elts[n - 1 - i] = message;
    }
}


ngx_int_t
ngx_http_im_messages_write(ngx_http_im_call_t *call,
    ngx_http_im_messages_t *messages, ngx_str_t *conv_id)
{
    size_t                  size;
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_http_im_message_t  *message;

    size = messages->size + 2;

    for (i = 0; i < messages->nelts; i++) {
        message = &messages->elts[i];

        rc = ngx_http_im_profile_parse(call, message->sender);
        if (rc != NGX_OK) {
            return rc;
        }

        size += 256 + conv_id->len + message->sender->text[0].len
                + message->sender->text[1].len;
    }

    call->writer.size = size;

    ngx_http_im_write_lit(&call->writer, "[");

    for (i = 0; i < messages->nelts; i++) {
        if (i) {
            ngx_http_im_write_lit(&call->writer, ",");
        }

        ngx_http_im_message_write(call, &messages->elts[i], conv_id,
                                  call->options->reply_full);
    }

    ngx_http_im_write_lit(&call->writer, "]");

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im messages write n:%ui size:%uz job:%p",
                   messages->nelts, size, call->job);

    return NGX_OK;
}


void
ngx_http_im_message_write(ngx_http_im_call_t *call,
    ngx_http_im_message_t *message, ngx_str_t *conv_id, ngx_uint_t seq)
{
    ngx_str_t               id, type;
    ngx_http_im_row_t      *row;
    ngx_http_im_writer_t   *w;
    ngx_http_im_profile_t  *sender;

    w = &call->writer;
    row = &message->row;
    sender = message->sender;

    if (row->imported) {
        ngx_http_im_msg_id_unescape(&row->id);
    }

    ngx_http_im_write_lit(w, "{\"msg_id\":\"");
    ngx_http_im_write_raw(w, &row->id);
    ngx_http_im_write_lit(w, "\",\"msg_type\":");
    ngx_http_im_write_raw(w, &row->type);
    ngx_http_im_write_lit(w, ",\"msg\":\"");
    ngx_http_im_write_shared(w, &row->text);
    ngx_http_im_write_lit(w, "\",\"conv_id\":\"");
    ngx_http_im_write_raw(w, conv_id);
    ngx_http_im_write_lit(w, "\",\"from_id\":\"");
    ngx_http_im_write_raw(w, &row->from);
    ngx_http_im_write_lit(w, "\",\"from_time\":");
    ngx_http_im_write_raw(w, &row->time);

    ngx_http_im_id_split(&row->from, &id, &type);

    ngx_http_im_write_lit(w, ",\"user\":{\"id\":\"");
    ngx_http_im_write_raw(w, &id);
    ngx_http_im_write_lit(w, "\",\"type\":\"");
    ngx_http_im_write_raw(w, &type);
    ngx_http_im_write_lit(w, "\",\"img\":\"");
    ngx_http_im_write_raw(w, &sender->text[1]);
    ngx_http_im_write_lit(w, "\",\"name\":\"");
    ngx_http_im_write_raw(w, &sender->text[0]);
    ngx_http_im_write_lit(w, "\"}");

    if (seq) {
        ngx_http_im_write_lit(w, ",\"seq\":");
        ngx_http_im_write_int(w, row->seq);
    }

    if (row->recalled && call->options->reply_full) {
        ngx_http_im_write_lit(w, ",\"recalled\":true");
    }

    ngx_http_im_write_lit(w, "}");
}
