
#include "ngx_http_im_page_timeline.h"
#include "ngx_http_im_id.h"


/* rows of one command: Redis serves others between two commands */
#define NGX_HTTP_IM_PAGE_PIECE      50


static void ngx_http_im_page_seq_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, uint64_t seq, uint64_t n, ngx_uint_t down);
static void ngx_http_im_page_timeline_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t *argv, ngx_uint_t argc);
static ngx_uint_t ngx_http_im_page_row_follows(ngx_str_t *newer,
    ngx_str_t *older);
static ngx_int_t ngx_http_im_page_again(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t *newest);


/* by rank, so that a deep page costs what the first one does */

void
ngx_http_im_page_number_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page)
{
    u_char                    start[NGX_INT64_LEN], stop[NGX_INT64_LEN];
    int64_t                   i, n, first;
    ngx_str_t                 argv[4];
    ngx_http_im_page_args_t  *args;

    args = call->args;

    ngx_str_null(&page->recent);

    page->sent = ngx_current_msec;
    page->ncmds = 0;

    first = (args->page_no - 1) * args->page_size;

    for (i = 0; i < args->page_size; i += NGX_HTTP_IM_PAGE_PIECE) {
        n = ngx_min(args->page_size - i, NGX_HTTP_IM_PAGE_PIECE);

        ngx_str_set(&argv[0], "ZREVRANGE");
        argv[2].data = start;
        argv[2].len = ngx_sprintf(start, "%L", first + i) - start;
        argv[3].data = stop;
        argv[3].len = ngx_sprintf(stop, "%L", first + i + n - 1) - stop;

        ngx_http_im_page_timeline_fetch(call, page, argv, 4);
    }
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

    ngx_http_im_page_seq_fetch(call, page, seq,
                               args->page_size + (cursor->len != 0),
                               args->before.len != 0);
}


/* n rows from a sequence on; 0, which is that of no message, finds none */

static void
ngx_http_im_page_seq_fetch(ngx_http_im_call_t *call, ngx_http_im_page_t *page,
    uint64_t seq, uint64_t n, ngx_uint_t down)
{
    u_char     from[NGX_INT64_LEN], size[NGX_INT64_LEN];
    uint64_t   i;
    ngx_str_t  argv[7];

    page->ncmds = 0;

    if (seq == 0 || (down && n > seq)) {
        n = ngx_max(seq, 1);
    }

    for (i = 0; i < n; i += NGX_HTTP_IM_PAGE_PIECE) {
        ngx_str_set(&argv[0], "ZRANGEBYSCORE");
        ngx_str_set(&argv[3], "+inf");

        if (down) {
            ngx_str_set(&argv[0], "ZREVRANGEBYSCORE");
            ngx_str_set(&argv[3], "1");
        }

        if (seq == 0) {
            ngx_str_set(&argv[3], "0");
        }

        argv[2].data = from;
        argv[2].len = ngx_sprintf(from, "%uL", down ? seq - i : seq + i)
                      - from;
        ngx_str_set(&argv[4], "LIMIT");
        ngx_str_set(&argv[5], "0");
        argv[6].data = size;
        argv[6].len = ngx_sprintf(size, "%uL",
                                  ngx_min(n - i, NGX_HTTP_IM_PAGE_PIECE))
                      - size;

        ngx_http_im_page_timeline_fetch(call, page, argv, 7);
    }
}


static void
ngx_http_im_page_timeline_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t *argv, ngx_uint_t argc)
{
    ngx_http_im_cmd_t  *cmd;

    cmd = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                               NGX_HTTP_IM_CONV_TIMELINE, &call->conv_id, argv,
                               argc);

    if (page->ncmds++ == 0) {
        page->timeline = cmd;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page timeline \"%V\" from:%V cmd:%p job:%p",
                   &argv[0], &argv[2], cmd, call->job);
}


ngx_int_t
ngx_http_im_page_timeline_join(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t ***rows, ngx_uint_t *n)
{
    ngx_str_t                *row;
    ngx_uint_t                i, k;
    ngx_http_im_cmd_t        *cmd;
    ngx_http_im_reply_t      *reply;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    *n = 0;

    *rows = ngx_palloc(call->pool,
                       (args->page_size + 1) * sizeof(ngx_str_t *));
    if (*rows == NULL) {
        return NGX_ERROR;
    }

    for (k = 0, cmd = page->timeline; k < page->ncmds; k++, cmd = cmd->next) {
        reply = &cmd->reply;

        if (ngx_http_im_reply_array(reply, 0) != NGX_OK
            || *n + reply->nelts > (ngx_uint_t) args->page_size + 1)
        {
            return ngx_http_im_call_store_error(call);
        }

        for (i = 0; i < reply->nelts; i++) {
            row = &reply->elts[i].str;

            if (reply->elts[i].type != NGX_HTTP_IM_REPLY_STRING) {
                return ngx_http_im_call_store_error(call);
            }

            if (i == 0 && k && args->page_no && !page->by_seq
                && !ngx_http_im_page_row_follows((*rows)[*n - 1], row))
            {
                return ngx_http_im_page_again(call, page, (*rows)[0]);
            }

            (*rows)[(*n)++] = row;
        }

        /* the end, as it was then */

        if (reply->nelts < NGX_HTTP_IM_PAGE_PIECE) {
            break;
        }
    }

    return NGX_OK;
}


/* rows that cannot be parsed are left to the caller */

static ngx_uint_t
ngx_http_im_page_row_follows(ngx_str_t *newer, ngx_str_t *older)
{
    ngx_http_im_row_t  row[2];

    return ngx_http_im_row_parse(&row[0], newer) != NGX_OK
           || ngx_http_im_row_parse(&row[1], older) != NGX_OK
           || row[1].seq < row[0].seq;
}


static ngx_int_t
ngx_http_im_page_again(ngx_http_im_call_t *call, ngx_http_im_page_t *page,
    ngx_str_t *newest)
{
    ngx_http_im_row_t         row;
    ngx_http_im_page_args_t  *args;

    args = call->args;

    if (ngx_http_im_row_parse(&row, newest) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im page again from seq:%L job:%p", row.seq, call->job);

    page->by_seq = 1;

    ngx_http_im_page_seq_fetch(call, page, row.seq, args->page_size, 1);

    return NGX_AGAIN;
}
