
#include "ngx_http_im_missed.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_missed_event.h"
#include "ngx_http_im_missed_rows.h"


/*
 * A message may be older than since by so much: clocks step back a little.
 * Of a clock that is behind since more is repeated.
 */
#define NGX_HTTP_IM_MISSED_OVERLAP   2000
#define NGX_HTTP_IM_MISSED_STEPPED   60000

#define NGX_HTTP_IM_MISSED_INBOX     200
#define NGX_HTTP_IM_MISSED_RECALLS   "1001"
#define NGX_HTTP_IM_MISSED_BYTES     "262144"

/* later than any time */
#define NGX_HTTP_IM_MISSED_NEVER     9999999999999


static ngx_int_t ngx_http_im_missed(ngx_http_im_call_t *call);
static ngx_http_im_cmd_t *ngx_http_im_missed_range(ngx_http_im_call_t *call,
    ngx_http_im_key_e key, ngx_str_t *id, int64_t score);
static ngx_int_t ngx_http_im_missed_convs(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_missed_time(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed);
static ngx_int_t ngx_http_im_missed_heads(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_missed_rows_fetch(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_http_im_convs_row_t *row);


/*
 * TIME; inbox since then, groups -> ids; of groups joined and recalls since
 * then -> ids, events; then the fronts of heads, and membership; then script
 * missed of each conversation with something new -> its rows; then profiles.
 */

const ngx_http_im_op_t  ngx_http_im_op_missed = {
    ngx_string("missed"),
    NULL,
    sizeof(ngx_http_im_missed_args_t),
    NGX_HTTP_IM_OP_READ,
    NULL,
    ngx_http_im_missed
};


static ngx_int_t
ngx_http_im_missed(ngx_http_im_call_t *call)
{
    ngx_str_t                   argv[2], none = ngx_null_string;
    ngx_http_im_missed_t       *missed;
    ngx_http_im_missed_args_t  *args;

    args = call->args;

    missed = ngx_pcalloc(call->pool, sizeof(ngx_http_im_missed_t));

    if (missed == NULL
        || ngx_array_init(&missed->events, call->pool, 8,
                          sizeof(ngx_http_im_missed_event_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&argv[0], "TIME");
    missed->time = ngx_http_im_cmd_add(call->pipeline, NGX_HTTP_IM_READ, 0,
                                       argv, 1);

    missed->convs.filter.set = 1;
    missed->convs.filter.until = -1;
    missed->since = NGX_HTTP_IM_MISSED_NEVER;

    /* which since this is, the reply to TIME tells: the earlier one, then */

    if (args->since >= 0) {
        missed->since = ngx_max(args->since - NGX_HTTP_IM_MISSED_STEPPED, 0);
    }

    missed->convs.filter.since = missed->since;

    ngx_http_im_convs_fetch(call, &missed->convs, &args->user,
                            NGX_HTTP_IM_MISSED_INBOX);

    if (args->since >= 0) {
        missed->joined = ngx_http_im_missed_range(call,
                             NGX_HTTP_IM_USER_GROUPS, &args->user,
                             (args->since - NGX_HTTP_IM_MISSED_OVERLAP)
                             * 1000);

        missed->recalls = ngx_http_im_missed_range(call,
                              NGX_HTTP_IM_STORE_RECALLS, &none,
                              args->since - NGX_HTTP_IM_MISSED_OVERLAP);
    }

    call->state = missed;
    call->next = ngx_http_im_missed_convs;

    return NGX_AGAIN;
}


static ngx_http_im_cmd_t *
ngx_http_im_missed_range(ngx_http_im_call_t *call, ngx_http_im_key_e key,
    ngx_str_t *id, int64_t score)
{
    u_char      min[NGX_INT64_LEN];
    ngx_str_t   argv[8];

    ngx_str_set(&argv[0], "ZRANGEBYSCORE");
    argv[2].data = min;
    argv[2].len = ngx_sprintf(min, "%L", score) - min;
    ngx_str_set(&argv[3], "+inf");
    ngx_str_set(&argv[4], "WITHSCORES");
    ngx_str_set(&argv[5], "LIMIT");
    ngx_str_set(&argv[6], "0");
    ngx_str_set(&argv[7], NGX_HTTP_IM_MISSED_RECALLS);

    return ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ, key, id, argv, 8);
}


static ngx_int_t
ngx_http_im_missed_convs(ngx_http_im_call_t *call)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_im_convs_t        *convs;
    ngx_http_im_missed_t       *missed;
    ngx_http_im_convs_row_t   **rows;
    ngx_http_im_missed_args_t  *args;

    args = call->args;
    missed = call->state;
    convs = &missed->convs;

    rc = ngx_http_im_missed_time(call, missed);

    if (rc == NGX_OK) {
        rc = ngx_http_im_convs_rows_create(call, convs);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rows = ngx_palloc(call->pool, (convs->nrows + 1)
                                  * sizeof(ngx_http_im_convs_row_t *));
    if (rows == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < convs->nrows; i++) {
        rows[i] = &convs->rows[i];

        if (i >= convs->npairs) {
            args->listed(args->data, &rows[i]->conv_id);
        }
    }

    missed->too_many = (convs->npairs >= NGX_HTTP_IM_MISSED_INBOX);

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im missed since:%L now:%L pairs:%ui rows:%ui job:%p",
                   missed->since, missed->now, convs->npairs, convs->nrows,
                   call->job);

    if (ngx_http_im_convs_rows_fetch(call, convs, rows, convs->nrows, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_call_continue(call, ngx_http_im_missed_heads);
}


static ngx_int_t
ngx_http_im_missed_time(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed)
{
    ngx_int_t                   sec, usec;
    ngx_str_t                   text[2];
    ngx_http_im_reply_t        *reply;
    ngx_http_im_missed_args_t  *args;

    args = call->args;
    reply = &missed->time->reply;

    if (ngx_http_im_reply_array(reply, 2) != NGX_OK
        || ngx_http_im_reply_string(&reply->elts[0], &text[0]) != NGX_OK
        || ngx_http_im_reply_string(&reply->elts[1], &text[1]) != NGX_OK)
    {
        return ngx_http_im_call_store_error(call);
    }

    sec = ngx_atoi(text[0].data, text[0].len);
    usec = ngx_atoi(text[1].data, text[1].len);

    if (sec == NGX_ERROR || usec == NGX_ERROR) {
        return ngx_http_im_call_store_error(call);
    }

    missed->now = (int64_t) sec * 1000 + usec / 1000;

    if (args->since >= 0) {
        missed->since = (args->since > missed->now)
                        ? missed->now - NGX_HTTP_IM_MISSED_STEPPED
                        : args->since - NGX_HTTP_IM_MISSED_OVERLAP;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_missed_heads(ngx_http_im_call_t *call)
{
    int64_t                     time;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_im_missed_t       *missed;
    ngx_http_im_convs_row_t    *row;
    ngx_http_im_missed_args_t  *args;

    args = call->args;
    missed = call->state;

    missed->rows = ngx_palloc(call->pool, NGX_HTTP_IM_MISSED_CONVS
                                          * sizeof(ngx_http_im_cmd_t *));
    missed->convs_of = ngx_palloc(call->pool, NGX_HTTP_IM_MISSED_CONVS
                                          * sizeof(ngx_http_im_convs_row_t *));

    if (missed->rows == NULL || missed->convs_of == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < missed->convs.nrows; i++) {
        row = &missed->convs.rows[i];

        rc = ngx_http_im_convs_row_parse(call, &missed->convs, row);

        if (rc == NGX_DONE) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        if (row->peer.len == 0) {
            args->member(args->data, &row->conv_id);
        }

        time = ngx_http_im_atoi(row->head.time.data, row->head.time.len);

        if (time < missed->since || row->head.seq == 0
            || row->head.seq <= args->known(args->data, &row->conv_id))
        {
            continue;
        }

        if (missed->n == NGX_HTTP_IM_MISSED_CONVS) {
            missed->too_many = 1;
            continue;
        }

        if (ngx_http_im_missed_rows_fetch(call, missed, row) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (missed->too_many) {
        ngx_http_im_pipeline_init(call->pipeline, call->pool);
        return NGX_OK;
    }

    return ngx_http_im_call_continue(call, ngx_http_im_missed_rows);
}


static ngx_int_t
ngx_http_im_missed_rows_fetch(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_http_im_convs_row_t *row)
{
    u_char     since[NGX_INT64_LEN], max[NGX_INT_T_LEN];
    ngx_str_t  argv[3];

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_HEAD
    };

    /* times are compared as strings of 13 digits */

    argv[0].data = since;
    argv[0].len = ngx_sprintf(since, "%013L", ngx_max(missed->since, 0))
                  - since;
    argv[1].data = max;
    argv[1].len = ngx_sprintf(max, "%d", NGX_HTTP_IM_MISSED_ROWS) - max;
    ngx_str_set(&argv[2], NGX_HTTP_IM_MISSED_BYTES);

    missed->convs_of[missed->n] = row;
    missed->rows[missed->n++] = ngx_http_im_call_script(call,
                                    NGX_HTTP_IM_READ,
                                    NGX_HTTP_IM_SCRIPT_MISSED,
                                    &row->conv_id, keys, 2, argv, 3);

    return call->pipeline->failed ? NGX_ERROR : NGX_OK;
}
