
#include "ngx_http_im_page_rows.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


/* bytes; no row of a timeline is shorter */
#define NGX_HTTP_IM_PAGE_ROW_MIN    22


static void ngx_http_im_page_number_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static void ngx_http_im_page_cursor_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static void ngx_http_im_page_cursor_look_up(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t *n);
static ngx_uint_t ngx_http_im_page_cursor_found(ngx_http_im_page_t *page,
    ngx_http_im_reply_t *reply);
static ngx_int_t ngx_http_im_page_recent_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_timeline_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);


void
ngx_http_im_page_rows_fetch(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    ngx_http_im_page_args_t  *args;

    args = call->args;

    if (args->page_no == 0) {
        ngx_http_im_page_cursor_fetch(call, page);

    } else if (args->page_no > 1
               || ngx_http_im_recent_get(call, args->page_size, &page->rev,
                                         &page->recent)
                  != NGX_OK)
    {
        ngx_http_im_page_number_fetch(call, page);
    }
}


ngx_int_t
ngx_http_im_page_rows_parse(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    ngx_int_t  rc;

    if (page->recent.len == 0) {
        return ngx_http_im_page_timeline_parse(call, page);
    }

    rc = ngx_http_im_page_recent_parse(call, page);

    if (rc == NGX_AGAIN) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                       "im page recent conv:\"%V\" is stale job:%p",
                       &call->conv_id, call->job);

        ngx_http_im_page_number_fetch(call, page);
    }

    return rc;
}


/* by rank, so that a deep page costs what the first one does */

static void
ngx_http_im_page_number_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page)
{
    u_char                    start[NGX_INT64_LEN], stop[NGX_INT64_LEN];
    int64_t                   n;
    ngx_str_t                 argv[4];
    ngx_http_im_page_args_t  *args;

    args = call->args;

    ngx_str_null(&page->recent);

    n = (args->page_no - 1) * args->page_size;

    ngx_str_set(&argv[0], "ZREVRANGE");
    argv[2].data = start;
    argv[2].len = ngx_sprintf(start, "%L", n) - start;
    argv[3].data = stop;
    argv[3].len = ngx_sprintf(stop, "%L", n + args->page_size - 1) - stop;

    page->sent = ngx_current_msec;
    page->timeline = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_CONV_TIMELINE,
                                          &call->conv_id, argv, 4);
}


/* by sequence, which has no gaps, from the cursor's message on */

static void
ngx_http_im_page_cursor_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page)
{
    u_char                    from[NGX_INT64_LEN], n[NGX_INT64_LEN];
    uint64_t                  seq;
    ngx_str_t                 argv[7], *cursor;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    cursor = args->before.data ? &args->before : &args->after;

    seq = cursor->len ? ngx_http_im_id_msg_seq(cursor) : 1;

    page->cursor = *cursor;

    if (seq == 0 && ngx_http_im_msg_id_escape(call->pool, &page->cursor)
                    != NGX_OK)
    {
        call->pipeline->failed = 1;
        return;
    }

    argv[6].data = n;
    argv[6].len = ngx_sprintf(n, "%L", args->page_size + (cursor->len != 0))
                  - n;

    if (cursor->len && (call->imported || page->looked_up)) {
        ngx_http_im_page_cursor_look_up(call, page, &argv[6]);
        return;
    }

    ngx_str_set(&argv[0], "ZRANGEBYSCORE");
    ngx_str_set(&argv[3], "+inf");

    if (args->before.len) {
        ngx_str_set(&argv[0], "ZREVRANGEBYSCORE");
        ngx_str_set(&argv[3], "1");
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page cursor seq:%uL size:%L job:%p",
                   seq, args->page_size, call->job);

    if (seq == 0) {
        /* what is no id is not found either */
        ngx_str_set(&argv[3], "0");
    }

    argv[2].data = from;
    argv[2].len = ngx_sprintf(from, "%uL", seq) - from;
    ngx_str_set(&argv[4], "LIMIT");
    ngx_str_set(&argv[5], "0");

    page->timeline = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_CONV_TIMELINE,
                                          &call->conv_id, argv, 7);
}


/* the same in an imported conversation, where any id may be any message's */

static void
ngx_http_im_page_cursor_look_up(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t *n)
{
    ngx_str_t                 argv[3];
    ngx_http_im_page_args_t  *args;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_IMPORTED
    };

    args = call->args;
    page->looked_up = 1;

    argv[0] = page->cursor;
    ngx_str_set(&argv[1], "");
    argv[2] = *n;

    if (args->before.len) {
        ngx_str_set(&argv[1], "1");
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page cursor conv:\"%V\" is looked up job:%p",
                   &call->conv_id, call->job);

    page->timeline = ngx_http_im_call_script(call, NGX_HTTP_IM_READ,
                                             NGX_HTTP_IM_SCRIPT_CURSOR,
                                             &call->conv_id, keys, 2, argv, 3);
}


static ngx_uint_t
ngx_http_im_page_cursor_found(ngx_http_im_page_t *page,
    ngx_http_im_reply_t *reply)
{
    ngx_http_im_row_t  row;

    return reply->nelts
           && reply->elts[0].type == NGX_HTTP_IM_REPLY_STRING
           && ngx_http_im_row_parse(&row, &reply->elts[0].str) == NGX_OK
           && ngx_http_im_str_eq(&row.id, &page->cursor);
}


/* NGX_AGAIN: there are newer messages, or one was recalled */

static ngx_int_t
ngx_http_im_page_recent_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page)
{
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_uint_t                n;
    ngx_http_im_messages_t   *messages;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    messages = &page->messages;

    if (!ngx_http_im_str_eq(&page->rev, &page->shown.rev)) {
        return NGX_AGAIN;
    }

    n = ngx_min((size_t) args->page_size,
                page->recent.len / NGX_HTTP_IM_PAGE_ROW_MIN);

    if (ngx_http_im_messages_init(call, messages, n) != NGX_OK) {
        return NGX_ERROR;
    }

    while (messages->nelts < n
           && ngx_http_im_recent_next(&page->recent, &text))
    {
        rc = ngx_http_im_message_add(call, messages, &text);
        if (rc != NGX_OK) {
            return rc;
        }

        if (messages->nelts == 1
            && !ngx_http_im_row_is_last(&messages->elts[0].row, &page->shown))
        {
            return NGX_AGAIN;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_page_timeline_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n, first;
    ngx_http_im_reply_t      *reply, *elt;
    ngx_http_im_messages_t   *messages;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    messages = &page->messages;
    reply = &page->timeline->reply;

    if (ngx_http_im_reply_array(reply, 0) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (ngx_http_im_messages_init(call, messages, reply->nelts + 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    first = (args->before.len || args->after.len);

    if (first && !ngx_http_im_page_cursor_found(page, reply)) {
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                       "im page cursor conv:\"%V\" not found rows:%ui job:%p",
                       &call->conv_id, reply->nelts, call->job);

        if (page->shown.imported && !page->looked_up) {
            page->looked_up = 1;
            ngx_http_im_page_cursor_fetch(call, page);
            return NGX_AGAIN;
        }

        return ngx_http_im_call_error(call, NGX_HTTP_IM_MSG_NOT_FOUND);
    }

    n = reply->nelts;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page timeline rows:%ui cursor:%ui cmd:%p job:%p",
                   n, first, page->timeline, call->job);

    for (i = first; i < n; i++) {
        elt = &reply->elts[args->after.data ? n - 1 + first - i : i];

        if (elt->type != NGX_HTTP_IM_REPLY_STRING) {
            return ngx_http_im_call_store_error(call);
        }

        rc = ngx_http_im_message_add(call, messages, &elt->str);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }
    }

    /* messages may have been stored or recalled between the two commands */

    if (args->page_no == 1 && messages->nelts
        && page->head->conn == page->timeline->conn
        && ngx_http_im_row_is_last(&messages->elts[0].row, &page->shown))
    {
        ngx_http_im_recent_put(call, &page->shown.rev, reply, page->sent);
    }

    return NGX_OK;
}
