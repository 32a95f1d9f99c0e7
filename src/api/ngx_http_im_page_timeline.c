
#include "ngx_http_im_page_timeline.h"
#include "ngx_http_im_id.h"


/* bytes that a part of a large page should have */
#define NGX_HTTP_IM_PAGE_PART       (4 * 1024 * 1024)

/*
 * Bytes at which the script stops, and that it may read at a time.  A
 * megabyte takes Lua one and a half milliseconds.
 */
#define NGX_HTTP_IM_PAGE_SCRIPT     (1024 * 1024)
#define NGX_HTTP_IM_PAGE_STEP       (2 * 1024 * 1024)


static void ngx_http_im_page_seq_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, uint64_t seq);
static void ngx_http_im_page_script_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t *argv, ngx_str_t *to);


/* by rank, so that a deep page costs what the first one does */

void
ngx_http_im_page_number_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page)
{
    u_char                    start[NGX_INT64_LEN], stop[NGX_INT64_LEN];
    int64_t                   n;
    ngx_str_t                 argv[4];
    ngx_http_im_page_args_t  *args;

    args = call->args;

    ngx_str_null(&page->recent);

    page->sent = ngx_current_msec;
    page->wanted = args->page_size;

    n = (args->page_no - 1) * args->page_size;

    ngx_str_set(&argv[0], "ZREVRANGE");
    argv[2].data = start;
    argv[2].len = ngx_sprintf(start, "%L", n) - start;

    if (page->wanted > ngx_http_im_call_rows_max(call->options)) {
        ngx_http_im_page_script_fetch(call, page, argv, NULL);
        return;
    }

    argv[3].data = stop;
    argv[3].len = ngx_sprintf(stop, "%L", n + args->page_size - 1) - stop;

    page->timeline = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_CONV_TIMELINE,
                                          &call->conv_id, argv, 4);

    ngx_http_im_call_most(call, page->timeline, page->wanted);
}


/* by sequence, which has no gaps, from the cursor's message on */

void
ngx_http_im_page_cursor_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page)
{
    uint64_t                  seq;
    ngx_str_t                *cursor;
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

    /* in an imported conversation any id may be any message's */

    if (cursor->len && call->imported) {
        page->looked_up = 1;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page cursor seq:%uL look up:%d size:%L job:%p",
                   seq, (int) page->looked_up, args->page_size, call->job);

    page->wanted = args->page_size + (cursor->len != 0);

    ngx_http_im_page_seq_fetch(call, page, seq);
}


ngx_uint_t
ngx_http_im_page_has_more(ngx_http_im_page_t *page)
{
    ngx_uint_t  n;

    if (!page->script && !page->partial) {
        return 0;
    }

    n = page->timeline->reply.nelts;

    if (page->script) {
        page->missing = page->wanted - ngx_min(n, page->wanted);

        return page->missing
               && page->timeline->size >= NGX_HTTP_IM_PAGE_SCRIPT;
    }

    return page->missing && n == page->wanted;
}


void
ngx_http_im_page_more_fetch(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    size_t                    row;
    uint64_t                  seq;
    ngx_uint_t                n, max;
    ngx_http_im_messages_t   *messages;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    messages = &page->messages;

    page->script = 0;
    page->partial = 1;
    page->size += page->timeline->size;

    /* without a message there is the cursor's row alone */

    seq = messages->nelts
          ? (uint64_t) messages->elts[messages->nelts - 1].row.seq
          : (uint64_t) page->cursor_seq;
    seq = args->after.data ? seq + 1 : seq - 1;

    row = page->size / ngx_max(messages->nelts, 1) + 1;
    max = ngx_http_im_call_rows_max(call->options);

    n = ngx_min(NGX_HTTP_IM_PAGE_PART / row, max);
    n = ngx_min(ngx_max(n, 1), page->missing);

    page->wanted = n;
    page->missing -= n;

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page part from seq:%uL rows:%ui missing:%ui row:%uz "
                   "job:%p", seq, n, page->missing, row, call->job);

    ngx_http_im_page_seq_fetch(call, page, seq);
}


/* page->wanted rows from a sequence on; 0 is that of no message */

static void
ngx_http_im_page_seq_fetch(ngx_http_im_call_t *call, ngx_http_im_page_t *page,
    uint64_t seq)
{
    u_char                    from[NGX_INT64_LEN], n[NGX_INT64_LEN];
    ngx_str_t                 argv[7];
    ngx_http_im_page_args_t  *args;

    args = call->args;

    ngx_str_set(&argv[0], "ZREVRANGEBYSCORE");
    ngx_str_set(&argv[3], "1");

    if (args->after.data) {
        ngx_str_set(&argv[0], "ZRANGEBYSCORE");
        ngx_str_set(&argv[3], "+inf");
    }

    if (seq == 0 && !page->looked_up) {
        /* what is no id is not found either */
        ngx_str_set(&argv[3], "0");
    }

    argv[2].data = from;
    argv[2].len = ngx_sprintf(from, "%uL", seq) - from;

    if (!page->partial
        && (page->looked_up
            || page->wanted > ngx_http_im_call_rows_max(call->options)))
    {
        if (page->looked_up) {
            argv[2] = page->cursor;
        }

        ngx_http_im_page_script_fetch(call, page, argv, &argv[3]);
        return;
    }

    ngx_str_set(&argv[4], "LIMIT");
    ngx_str_set(&argv[5], "0");
    argv[6].data = n;
    argv[6].len = ngx_sprintf(n, "%ui", page->wanted) - n;

    page->timeline = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_CONV_TIMELINE,
                                          &call->conv_id, argv, 7);

    ngx_http_im_call_most(call, page->timeline, page->wanted);
}


/*
 * argv[0] is the command, argv[2] where it begins, an id if it is to be looked
 * up; to: where it ends
 */

static void
ngx_http_im_page_script_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t *argv, ngx_str_t *to)
{
    u_char      n[NGX_INT_T_LEN], step[NGX_INT_T_LEN], size[NGX_INT_T_LEN];
    ngx_str_t   args[6];
    ngx_uint_t  rows;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_IMPORTED
    };

    page->script = 1;

    rows = NGX_HTTP_IM_PAGE_STEP / ngx_http_im_call_row_max(call->options);

    args[0] = argv[0];
    args[1] = argv[2];
    args[2].data = n;
    args[2].len = ngx_sprintf(n, "%ui", page->wanted) - n;
    args[3].data = step;
    args[3].len = ngx_sprintf(step, "%ui", ngx_max(rows, 1)) - step;
    args[4].data = size;
    args[4].len = ngx_sprintf(size, "%ui",
                              (ngx_uint_t) NGX_HTTP_IM_PAGE_SCRIPT)
                  - size;

    if (to) {
        args[5] = *to;
    }

    page->timeline = ngx_http_im_call_script(call, NGX_HTTP_IM_READ,
                                             NGX_HTTP_IM_SCRIPT_PAGE,
                                             &call->conv_id, keys,
                                             page->looked_up ? 2 : 1, args,
                                             to ? 6 : 5);

    ngx_http_im_call_most(call, page->timeline, 2 * ngx_max(rows, 1));
}
