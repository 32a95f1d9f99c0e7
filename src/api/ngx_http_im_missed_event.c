
#include "ngx_http_im_missed_event.h"
#include "ngx_http_im_event.h"
#include "ngx_http_im_id.h"


static ngx_int_t ngx_http_im_missed_joined(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed);
static ngx_int_t ngx_http_im_missed_recalls(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed);
static ngx_int_t ngx_http_im_missed_recall(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_str_t *text, ngx_str_t *score);


ngx_int_t
ngx_http_im_missed_changes(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed)
{
    ngx_int_t  rc;

    if (missed->joined == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_im_missed_joined(call, missed);

    return (rc == NGX_OK) ? ngx_http_im_missed_recalls(call, missed) : rc;
}


static ngx_int_t
ngx_http_im_missed_joined(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed)
{
    ngx_str_t                   conv_id;
    ngx_uint_t                  i;
    ngx_http_im_reply_t        *reply;
    ngx_http_im_writer_t       *w;
    ngx_http_im_missed_args_t  *args;

    args = call->args;
    reply = &missed->joined->reply;
    w = &call->writer;

    if (ngx_http_im_reply_array(reply, 0) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    for (i = 0; i + 1 < reply->nelts; i += 2) {

        if (ngx_http_im_reply_string(&reply->elts[i], &conv_id) != NGX_OK
            || !ngx_http_im_id_conv_valid(&conv_id))
        {
            return ngx_http_im_call_store_error(call);
        }

        if (!args->allowed(args->data, &conv_id)) {
            continue;
        }

        ngx_http_im_writer_init(w, call->pool, 64 + conv_id.len);

        ngx_http_im_write_lit(w, "{\"conv_id\":\"");
        ngx_http_im_write_raw(w, &conv_id);
        ngx_http_im_write_lit(w, "\",\"change\":\"joined\"}");

        if (ngx_http_im_missed_push(call, missed, NGX_HTTP_IM_MISSED_JOINED,
                                    ngx_max(args->since, 0), &conv_id, 1, 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_missed_recalls(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed)
{
    ngx_int_t             rc;
    ngx_str_t             text, score;
    ngx_uint_t            i;
    ngx_http_im_reply_t  *reply;

    reply = &missed->recalls->reply;

    if (ngx_http_im_reply_array(reply, 0) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    /* one more than are told */

    if (reply->nelts > 2 * 1000) {
        missed->too_many = 1;
        return NGX_OK;
    }

    for (i = 0; i + 1 < reply->nelts; i += 2) {

        if (ngx_http_im_reply_string(&reply->elts[i], &text) != NGX_OK
            || ngx_http_im_reply_string(&reply->elts[i + 1], &score) != NGX_OK)
        {
            return ngx_http_im_call_store_error(call);
        }

        rc = ngx_http_im_missed_recall(call, missed, &text, &score);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* stored as it was published, but that the time is the score */

static ngx_int_t
ngx_http_im_missed_recall(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_str_t *text, ngx_str_t *score)
{
    u_char                     *p;
    ngx_str_t                   row;
    ngx_http_im_event_t         event;
    ngx_http_im_writer_t       *w;
    ngx_http_im_missed_args_t  *args;

    args = call->args;
    w = &call->writer;

    p = ngx_pnalloc(call->pool, text->len + score->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (text->len < 2 || score->len != 13) {
        return ngx_http_im_call_store_error(call);
    }

    row.data = p;
    p = ngx_cpymem(p, text->data, 2);
    p = ngx_cpymem(p, score->data, score->len);
    *p++ = ':';
    p = ngx_cpymem(p, text->data + 2, text->len - 2);
    row.len = p - row.data;

    if (ngx_http_im_event_parse(&event, &row) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (event.pair ? (!ngx_http_im_str_eq(&event.users[0], &args->user)
                      && !ngx_http_im_str_eq(&event.users[1], &args->user))
                   : !args->allowed(args->data, &event.conv_id))
    {
        return NGX_OK;
    }

    ngx_http_im_writer_init(w, call->pool, 64 + event.shown.len
                                           + event.msg_id.len);
    ngx_http_im_event_write(w, &event, NULL);

    return ngx_http_im_missed_push(call, missed, NGX_HTTP_IM_MISSED_RECALL,
                                   event.clock, &event.conv_id, !event.pair,
                                   0);
}


ngx_int_t
ngx_http_im_missed_push(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_http_im_missed_e kind, int64_t time,
    ngx_str_t *conv_id, ngx_uint_t group, int64_t seq)
{
    ngx_http_im_missed_event_t  *event;

    event = ngx_array_push(&missed->events);
    if (event == NULL) {
        return NGX_ERROR;
    }

    event->kind = kind;
    event->time = time;
    event->seq = seq;
    event->group = group;
    event->conv_id = *conv_id;

    return ngx_http_im_event_text(&call->writer, &event->json);
}
