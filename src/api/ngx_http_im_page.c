
#include "ngx_http_im_page.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_read.h"


/* no timeline has so many pages, and their ranks do not overflow */
#define NGX_HTTP_IM_PAGE_NO_MAX     1000000000000

/* bytes; no row of a timeline is shorter */
#define NGX_HTTP_IM_PAGE_ROW_MIN    32


static void ngx_http_im_page_timeline_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_rows(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_page_head_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, int64_t *position);
static ngx_int_t ngx_http_im_page_recent_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_timeline_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static void ngx_http_im_page_read(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, int64_t position);
static ngx_int_t ngx_http_im_page_answer(ngx_http_im_call_t *call);


ngx_int_t
ngx_http_im_page_check(ngx_http_im_call_t *call)
{
    ngx_http_im_page_args_t  *args;

    args = call->args;

    if (args->page_no == 0) {
        args->page_no = 1;
    }

    if (args->page_size == 0) {
        args->page_size = ngx_min(10, call->options->page_size_max);
    }

    if (args->page_size > (int64_t) call->options->page_size_max) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "page_size must be between 1 and %ui",
                                     call->options->page_size_max);
    }

    args->page_no = ngx_min(args->page_no, NGX_HTTP_IM_PAGE_NO_MAX);

    return NGX_OK;
}


ngx_http_im_page_t *
ngx_http_im_page_create(ngx_http_im_call_t *call)
{
    ngx_http_im_page_t  *page;

    page = ngx_pcalloc(call->pool, sizeof(ngx_http_im_page_t));

    call->state = page;

    return page;
}


ngx_int_t
ngx_http_im_page_fetch(ngx_http_im_call_t *call)
{
    ngx_http_im_page_t       *page;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    page = call->state;

    page->head = ngx_http_im_conv_head_fetch(call, &call->conv_id, 0);

    if (args->page_no > 1
        || ngx_http_im_recent_get(call, args->page_size, &page->recent)
           != NGX_OK)
    {
        ngx_http_im_page_timeline_fetch(call, page);
    }

    if (args->from_id.len && !call->pair) {
        page->member = ngx_http_im_conv_member_fetch(call, &call->conv_id,
                                                     &args->from_id);
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page fetch conv:\"%V\" no:%L size:%L recent:%uz job:%p",
                   &call->conv_id, args->page_no, args->page_size,
                   page->recent.len, call->job);

    call->next = ngx_http_im_page_rows;

    return NGX_AGAIN;
}


/* by rank, so that a deep page costs what the first one does */

static void
ngx_http_im_page_timeline_fetch(ngx_http_im_call_t *call,
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


static ngx_int_t
ngx_http_im_page_rows(ngx_http_im_call_t *call)
{
    int64_t              position;
    ngx_int_t            rc;
    ngx_http_im_page_t  *page;

    page = call->state;

    rc = ngx_http_im_page_head_parse(call, page, &position);

    if (rc == NGX_DONE) {
        ngx_http_im_write_lit(&call->writer, "[]");
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rc = page->recent.len ? ngx_http_im_page_recent_parse(call, page)
                          : ngx_http_im_page_timeline_parse(call, page);

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page rows:%ui rc:%i seq:%L position:%L job:%p",
                   page->messages.nelts, rc, page->shown.seq, position,
                   call->job);

    if (rc == NGX_AGAIN) {
        ngx_http_im_page_timeline_fetch(call, page);
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_profiles_fetch(call, &page->messages.profiles) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_im_page_read(call, page, position);

    return ngx_http_im_call_continue(call, ngx_http_im_page_answer);
}


/*
 * The viewer's position; refused where there is no conversation or it is not
 * the viewer's, NGX_DONE where there need not be one.
 */

static ngx_int_t
ngx_http_im_page_head_parse(ngx_http_im_call_t *call, ngx_http_im_page_t *page,
    int64_t *position)
{
    ngx_int_t                 rc;
    ngx_http_im_page_args_t  *args;

    args = call->args;

    *position = 0;

    rc = ngx_http_im_conv_head_parse(call, &page->head->reply, &page->shown);

    if (rc == NGX_DONE && !page->optional) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_NOT_FOUND);
    }

    if (rc != NGX_OK || args->from_id.len == 0) {
        return rc;
    }

    rc = ngx_http_im_conv_position(call, &page->shown, page->member,
                                   &args->from_id, position);

    return (rc == NGX_DONE)
           ? ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_MEMBER) : rc;
}


/* NGX_AGAIN: there are newer messages */

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
    ngx_uint_t                i;
    ngx_http_im_reply_t      *reply;
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

    for (i = 0; i < reply->nelts; i++) {

        if (reply->elts[i].type != NGX_HTTP_IM_REPLY_STRING) {
            return ngx_http_im_call_store_error(call);
        }

        rc = ngx_http_im_message_add(call, messages, &reply->elts[i].str);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }
    }

    /* a message may have been stored between the two commands */

    if (args->page_no == 1 && messages->nelts
        && ngx_http_im_row_is_last(&messages->elts[0].row, &page->shown))
    {
        ngx_http_im_recent_put(call, reply, page->sent);
    }

    return NGX_OK;
}


/* the first page sets the viewer's position to its newest message */

static void
ngx_http_im_page_read(ngx_http_im_call_t *call, ngx_http_im_page_t *page,
    int64_t position)
{
    int64_t                   seq;
    ngx_http_im_page_args_t  *args;

    args = call->args;

    if (args->from_id.len == 0 || args->page_no != 1
        || page->messages.nelts == 0 || !call->options->read_on_fetch)
    {
        return;
    }

    seq = page->messages.elts[0].row.seq;

    if (position >= seq) {
        return;
    }

    page->read = ngx_http_im_read_position_set(call, &args->from_id, seq,
                                               NULL);

    /* a store that refuses writes can still be read */

    if (page->read) {
        page->read->optional = 1;
    }
}


static ngx_int_t
ngx_http_im_page_answer(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_str_t            result;
    ngx_http_im_page_t  *page;

    page = call->state;

    if (page->read && page->read->state == NGX_HTTP_IM_CMD_DONE
        && page->read->reply.type != NGX_HTTP_IM_REPLY_ERROR)
    {
        rc = ngx_http_im_call_result(call, page->read, &result);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_im_messages_write(call, &page->messages);
}
