
#include "ngx_http_im_missed_rows.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_event.h"
#include "ngx_http_im_missed_event.h"


static ngx_int_t ngx_http_im_missed_rows_add(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_uint_t i);
static ngx_int_t ngx_http_im_missed_gap(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_http_im_convs_row_t *conv,
    ngx_str_t *after, ngx_http_im_row_t *oldest);
static ngx_int_t ngx_http_im_missed_answer(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_missed_message(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_uint_t i);
static ngx_str_t *ngx_http_im_missed_shown(ngx_http_im_convs_row_t *conv);
static int ngx_libc_cdecl ngx_http_im_missed_cmp(const void *one,
    const void *two);


ngx_int_t
ngx_http_im_missed_rows(ngx_http_im_call_t *call)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, n;
    ngx_http_im_missed_t       *missed;
    ngx_http_im_missed_args_t  *args;

    args = call->args;
    missed = call->state;

    for (n = 0, i = 0; i < missed->n; i++) {

        if (ngx_http_im_reply_array(&missed->rows[i]->reply, 0) != NGX_OK
            || missed->rows[i]->reply.nelts == 0)
        {
            return ngx_http_im_call_store_error(call);
        }

        n += missed->rows[i]->reply.nelts - 1;
    }

    if (n > args->max) {
        missed->too_many = 1;
        return NGX_OK;
    }

    missed->of = ngx_palloc(call->pool,
                            (n + 1) * sizeof(ngx_http_im_convs_row_t *));

    if (missed->of == NULL
        || ngx_http_im_messages_init(call, &missed->messages, n + 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < missed->n; i++) {
        rc = ngx_http_im_missed_rows_add(call, missed, i);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im missed rows convs:%ui rows:%ui messages:%ui job:%p",
                   missed->n, n, missed->messages.nelts, call->job);

    if (ngx_http_im_profiles_fetch(call, &missed->messages.profiles)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_call_continue(call, ngx_http_im_missed_answer);
}


/* what has come since the head was read, the stream is told of otherwise */

static ngx_int_t
ngx_http_im_missed_rows_add(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_uint_t i)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_str_t                after, text, *shown;
    ngx_uint_t               k;
    ngx_http_im_row_t       *oldest;
    ngx_http_im_reply_t     *reply;
    ngx_http_im_messages_t  *messages;

    reply = &missed->rows[i]->reply;
    messages = &missed->messages;
    messages->first = messages->nelts;
    oldest = NULL;

    if (ngx_http_im_reply_string(&reply->elts[0], &after) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    p = ngx_strlchr(after.data, after.data + after.len, '=');

    if (p) {
        shown = &missed->convs_of[i]->head.id;
        shown->data = p + 1;
        shown->len = after.data + after.len - shown->data;
        after.len = p - after.data;
    }

    for (k = 1; k < reply->nelts; k++) {

        if (ngx_http_im_reply_string(&reply->elts[k], &text) != NGX_OK) {
            return ngx_http_im_call_store_error(call);
        }

        rc = ngx_http_im_message_add(call, messages, &text);

        if (rc == NGX_DONE) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        oldest = &messages->elts[messages->nelts - 1].row;

        if (oldest->seq > missed->convs_of[i]->head.seq) {
            messages->nelts--;
            continue;
        }

        missed->of[messages->nelts - 1] = missed->convs_of[i];
    }

    if (after.len == 0 || oldest == NULL) {
        return NGX_OK;
    }

    return ngx_http_im_missed_gap(call, missed, missed->convs_of[i], &after,
                                  oldest);
}


static ngx_int_t
ngx_http_im_missed_gap(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_http_im_convs_row_t *conv,
    ngx_str_t *after, ngx_http_im_row_t *oldest)
{
    int64_t               time;
    ngx_str_t            *shown;
    ngx_http_im_writer_t  *w;

    w = &call->writer;
    shown = ngx_http_im_missed_shown(conv);

    ngx_http_im_writer_init(w, call->pool, 128 + shown->len);

    ngx_http_im_write_lit(w, "{\"conv_id\":\"");
    ngx_http_im_write_raw(w, shown);
    ngx_http_im_write_lit(w, "\",\"after\":");
    ngx_http_im_write_raw(w, after);
    ngx_http_im_write_lit(w, ",\"before\":");
    ngx_http_im_write_int(w, oldest->seq);
    ngx_http_im_write_lit(w, "}");

    time = ngx_http_im_atoi(oldest->time.data, oldest->time.len);

    return ngx_http_im_missed_push(call, missed, NGX_HTTP_IM_MISSED_GAP, time,
                                   &conv->conv_id, conv->peer.len == 0,
                                   oldest->seq - 1);
}


static ngx_int_t
ngx_http_im_missed_answer(ngx_http_im_call_t *call)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_http_im_missed_t  *missed;

    missed = call->state;

    for (i = 0; i < missed->messages.nelts; i++) {
        rc = ngx_http_im_missed_message(call, missed, i);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_im_missed_changes(call, missed);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_qsort(missed->events.elts, missed->events.nelts,
              sizeof(ngx_http_im_missed_event_t), ngx_http_im_missed_cmp);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im missed events:%ui too many:%ui job:%p",
                   missed->events.nelts, missed->too_many, call->job);

    ngx_http_im_writer_init(&call->writer, call->pool, 0);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_missed_message(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_uint_t i)
{
    int64_t                 time;
    ngx_int_t               rc;
    ngx_http_im_row_t      *row;
    ngx_http_im_message_t  *message;

    message = &missed->messages.elts[i];
    row = &message->row;

    rc = ngx_http_im_profile_parse(call, message->sender);
    if (rc != NGX_OK) {
        return rc;
    }

    call->conv_id = *ngx_http_im_missed_shown(missed->of[i]);

    ngx_http_im_writer_init(&call->writer, call->pool,
                            320 + row->text.len + call->conv_id.len
                            + 2 * row->from.len + message->sender->text[0].len
                            + message->sender->text[1].len);

    ngx_http_im_message_write(call, message, &call->conv_id, 1);

    time = ngx_http_im_atoi(row->time.data, row->time.len);

    return ngx_http_im_missed_push(call, missed, NGX_HTTP_IM_MISSED_MESSAGE,
                                   time, &missed->of[i]->conv_id,
                                   missed->of[i]->peer.len == 0, row->seq);
}


/* the id of a conversation, as callers see it */

static ngx_str_t *
ngx_http_im_missed_shown(ngx_http_im_convs_row_t *conv)
{
    return conv->head.id.len ? &conv->head.id : &conv->conv_id;
}


static int ngx_libc_cdecl
ngx_http_im_missed_cmp(const void *one, const void *two)
{
    int                          rc;
    ngx_http_im_missed_event_t  *a = (ngx_http_im_missed_event_t *) one;
    ngx_http_im_missed_event_t  *b = (ngx_http_im_missed_event_t *) two;

    if (a->time != b->time) {
        return (a->time < b->time) ? -1 : 1;
    }

    rc = ngx_memn2cmp(a->conv_id.data, b->conv_id.data, a->conv_id.len,
                      b->conv_id.len);
    if (rc) {
        return rc;
    }

    /* a gap has the sequence before the first message behind it */

    return (a->seq < b->seq) ? -1 : (a->seq > b->seq);
}
