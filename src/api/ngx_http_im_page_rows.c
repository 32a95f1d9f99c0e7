
#include "ngx_http_im_page_rows.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


/* bytes; no row of a timeline is shorter */
#define NGX_HTTP_IM_PAGE_ROW_MIN    22


static ngx_uint_t ngx_http_im_page_cursor_found(ngx_http_im_page_t *page,
    ngx_http_im_reply_t *reply);
static ngx_int_t ngx_http_im_page_recent_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_timeline_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_timeline_begin(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_uint_t cursor, ngx_uint_t more);


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


static ngx_uint_t
ngx_http_im_page_cursor_found(ngx_http_im_page_t *page,
    ngx_http_im_reply_t *reply)
{
    ngx_http_im_row_t  row;

    if (reply->nelts == 0
        || reply->elts[0].type != NGX_HTTP_IM_REPLY_STRING
        || ngx_http_im_row_parse(&row, &reply->elts[0].str) != NGX_OK
        || !ngx_http_im_str_eq(&row.id, &page->cursor))
    {
        return 0;
    }

    page->cursor_seq = row.seq;

    return 1;
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
    ngx_uint_t                i, n, first, more, partial, reverse;
    ngx_http_im_reply_t      *reply, *elt;
    ngx_http_im_messages_t   *messages;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    messages = &page->messages;
    reply = &page->timeline->reply;

    if (ngx_http_im_reply_array(reply, 0) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    first = 0;
    more = ngx_http_im_page_has_more(page);
    partial = more || page->partial;

    if (!page->partial) {
        first = (args->before.len || args->after.len);

        rc = ngx_http_im_page_timeline_begin(call, page, first, more);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    n = reply->nelts;

    if (page->partial && n > page->wanted) {
        return ngx_http_im_call_store_error(call);
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page timeline rows:%ui cursor:%ui more:%ui cmd:%p "
                   "job:%p", n, first, more, page->timeline, call->job);

    reverse = (args->after.data && !partial);

    for (i = first; i < n; i++) {
        elt = &reply->elts[reverse ? n - 1 + first - i : i];

        if (elt->type != NGX_HTTP_IM_REPLY_STRING) {
            return ngx_http_im_call_store_error(call);
        }

        rc = ngx_http_im_message_add(call, messages, &elt->str);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }
    }

    if (more) {
        ngx_http_im_page_more_fetch(call, page);
        return NGX_AGAIN;
    }

    if (partial && args->after.data) {
        ngx_http_im_messages_reverse(messages);
    }

    /* messages may have been stored or recalled between the two commands */

    if (args->page_no == 1 && messages->nelts
        && page->head->conn == page->timeline->conn
        && ngx_http_im_row_is_last(&messages->elts[0].row, &page->shown)
        && !partial)
    {
        ngx_http_im_recent_put(call, &page->shown.rev, reply, page->sent);
    }

    return NGX_OK;
}


/* room for the messages; the first row may be that of the cursor */

static ngx_int_t
ngx_http_im_page_timeline_begin(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_uint_t cursor, ngx_uint_t more)
{
    ngx_uint_t            n;
    ngx_http_im_reply_t  *reply;

    reply = &page->timeline->reply;
    n = more ? page->wanted : reply->nelts;

    if (ngx_http_im_messages_init(call, &page->messages, n + 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!cursor || ngx_http_im_page_cursor_found(page, reply)) {
        return NGX_OK;
    }

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
