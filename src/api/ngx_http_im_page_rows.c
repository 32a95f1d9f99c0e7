
#include "ngx_http_im_page_rows.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


/* bytes; no row of a timeline is shorter */
#define NGX_HTTP_IM_PAGE_ROW_MIN    32


static ngx_uint_t ngx_http_im_page_cursor_found(ngx_http_im_page_args_t *args,
    ngx_str_t **rows, ngx_uint_t n);
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


static ngx_uint_t
ngx_http_im_page_cursor_found(ngx_http_im_page_args_t *args, ngx_str_t **rows,
    ngx_uint_t n)
{
    ngx_str_t          *cursor;
    ngx_http_im_row_t   row;

    cursor = args->before.len ? &args->before : &args->after;

    return n && ngx_http_im_row_parse(&row, rows[0]) == NGX_OK
           && ngx_http_im_str_eq(&row.id, cursor);
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
    ngx_str_t               **rows;
    ngx_uint_t                i, n, first;
    ngx_http_im_messages_t   *messages;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    messages = &page->messages;

    rc = ngx_http_im_page_timeline_join(call, page, &rows, &n);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_messages_init(call, messages, n + 1) != NGX_OK) {
        return NGX_ERROR;
    }

    first = (args->before.len || args->after.len);

    if (first && !ngx_http_im_page_cursor_found(args, rows, n)) {
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                       "im page cursor conv:\"%V\" not found rows:%ui job:%p",
                       &call->conv_id, n, call->job);

        return ngx_http_im_call_error(call, NGX_HTTP_IM_MSG_NOT_FOUND);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page timeline rows:%ui cursor:%ui cmd:%p job:%p",
                   n, first, page->timeline, call->job);

    for (i = first; i < n; i++) {
        rc = ngx_http_im_message_add(call, messages,
                            rows[args->after.data ? n - 1 + first - i : i]);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }
    }

    /* messages may have been stored or recalled between the two commands */

    if (args->page_no == 1 && messages->nelts
        && page->head->conn == page->timeline->conn
        && ngx_http_im_row_is_last(&messages->elts[0].row, &page->shown))
    {
        ngx_http_im_recent_put(call, &page->shown.rev, &page->timeline->reply,
                               page->sent);
    }

    return NGX_OK;
}
