
#include "ngx_http_im_page.h"
#include "ngx_http_im_page_rows.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_read.h"


/* no timeline has so many pages, and their ranks do not overflow */
#define NGX_HTTP_IM_PAGE_NO_MAX     1000000000000


static ngx_int_t ngx_http_im_page_rows(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_page_head_again(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_page_finish(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_head_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static void ngx_http_im_page_read(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_answer(ngx_http_im_call_t *call);


ngx_int_t
ngx_http_im_page_check(ngx_http_im_call_t *call)
{
    ngx_http_im_page_args_t  *args;

    args = call->args;

    if ((args->before.data != NULL) + (args->after.data != NULL)
        + (args->page_no != 0) > 1)
    {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "only one of page_no, before and after "
                                     "may be given");
    }

    if (args->before.data == NULL && args->after.data == NULL) {
        args->page_no = args->page_no ? args->page_no : 1;
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

    ngx_http_im_page_rows_fetch(call, page);

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


static ngx_int_t
ngx_http_im_page_rows(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_http_im_page_t  *page;

    page = call->state;

    rc = ngx_http_im_page_head_parse(call, page);

    if (rc == NGX_DONE) {
        ngx_http_im_write_lit(&call->writer, "[]");
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_im_page_rows_parse(call, page);

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page rows:%ui rc:%i seq:%L position:%L job:%p",
                   page->messages.nelts, rc, page->shown.seq,
                   page->position, call->job);

    if (rc != NGX_OK) {
        return rc;
    }

    /* stored between the two commands, or lost from the head */

    if (page->messages.nelts
        && page->messages.elts[0].row.seq > page->shown.seq)
    {
        page->head = ngx_http_im_conv_head_fetch(call, &call->conv_id, 0);
        call->next = ngx_http_im_page_head_again;

        return NGX_AGAIN;
    }

    return ngx_http_im_page_finish(call, page);
}


/* no message is newer than a head that was fetched after it */

static ngx_int_t
ngx_http_im_page_head_again(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_http_im_page_t  *page;

    page = call->state;

    rc = ngx_http_im_conv_head_parse(call, &page->head->reply, &page->shown);

    if (rc != NGX_OK && rc != NGX_DONE) {
        return rc;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page head again rc:%i seq:%L job:%p",
                   rc, page->shown.seq, call->job);

    if (rc == NGX_DONE
        || page->messages.elts[0].row.seq > page->shown.seq)
    {
        return ngx_http_im_call_contradiction(call, NGX_HTTP_IM_HEAD_BEHIND);
    }

    return ngx_http_im_page_finish(call, page);
}


static ngx_int_t
ngx_http_im_page_finish(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    if (ngx_http_im_profiles_fetch(call, &page->messages.profiles) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_im_page_read(call, page);

    return ngx_http_im_call_continue(call, ngx_http_im_page_answer);
}


/*
 * The viewer's position; refused where there is no conversation or it is not
 * the viewer's, NGX_DONE where there need not be one; or the call was started
 * again.
 */

static ngx_int_t
ngx_http_im_page_head_parse(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    ngx_int_t                 rc;
    ngx_http_im_page_args_t  *args;

    args = call->args;

    page->position = 0;

    rc = ngx_http_im_conv_head_parse(call, &page->head->reply, &page->shown);

    if (rc == NGX_DONE) {

        if (!page->optional) {
            return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_NOT_FOUND);
        }

        if (args->before.len || args->after.len) {
            return ngx_http_im_call_error(call, NGX_HTTP_IM_MSG_NOT_FOUND);
        }
    }

    if (rc == NGX_OK && page->shown.group == call->pair) {
        return ngx_http_im_call_restart(call, &page->head->reply.str);
    }

    if (rc != NGX_OK || args->from_id.len == 0) {
        return rc;
    }

    rc = ngx_http_im_conv_position(call, &page->shown, page->member,
                                   &args->from_id, &page->position);

    return (rc == NGX_DONE)
           ? ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_MEMBER) : rc;
}


/*
 * The first page, and one after a cursor, sets the viewer's position to its
 * newest message
 */

static void
ngx_http_im_page_read(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    int64_t                   seq;
    ngx_http_im_page_args_t  *args;

    args = call->args;

    if (args->from_id.len == 0 || args->page_no > 1 || args->before.len
        || page->messages.nelts == 0 || !call->options->read_on_fetch)
    {
        return;
    }

    seq = page->messages.elts[0].row.seq;

    if (page->position >= seq) {
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

    return ngx_http_im_messages_write(call, &page->messages,
                                      page->shown.id.len ? &page->shown.id
                                                         : &call->conv_id);
}
