
#include "ngx_http_im_list_more.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_hint.h"


/* entries of an inbox in a repetition */
#define NGX_HTTP_IM_LIST_MORE_MAX   4096


static ngx_int_t ngx_http_im_list_more(ngx_http_im_call_t *call);


/*
 * What was not fetched of the inbox is not newer than the step of the last
 * entry that was; so the list is right if its last place is newer than that
 * step.
 */

ngx_uint_t
ngx_http_im_list_is_final(ngx_http_im_list_t *list, int64_t *time)
{
    ngx_str_t            *last;
    ngx_uint_t            i;
    ngx_http_im_convs_t  *convs;

    convs = &list->convs;

    if (list->repeated || convs->npairs < convs->limit) {
        return 1;
    }

    for (i = convs->npairs; i; i--) {
        last = &convs->rows[i - 1].head.time;

        if (last->len) {
            *time = ngx_http_im_atoi(last->data, last->len);

            return list->nrows >= list->limit
                   && ngx_http_im_inbox_order_is_final(
                               &list->rows[list->limit - 1]->head.time, last);
        }
    }

    return 1;
}


/*
 * Down to the step of the last place if the list is full: usually one step.
 * The rest of the inbox if too many entries are hidden or do not match the
 * filter.
 */

void
ngx_http_im_list_more_fetch(ngx_http_im_call_t *call, ngx_http_im_list_t *list,
    int64_t time)
{
    int64_t                      newest, oldest, end;
    ngx_str_t                   *last;
    ngx_http_im_convs_filter_t  *filter;

    filter = &list->convs.filter;

    ngx_http_im_inbox_step(time, &oldest, &newest);

    time = filter->since;

    if (list->nrows >= list->limit) {
        last = &list->rows[list->limit - 1]->head.time;
        time = ngx_http_im_atoi(last->data, last->len);
    }

    ngx_http_im_inbox_step(time, &oldest, &end);

    if (filter->set) {
        newest = ngx_min(newest, filter->until);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im list more rows:%ui from:%L to:%L job:%p",
                   list->nrows, newest, oldest, call->job);

    list->repeated = 1;
    list->more = ngx_http_im_convs_inbox_fetch(call, list->convs.user, newest,
                                               oldest,
                                               NGX_HTTP_IM_LIST_MORE_MAX);
    call->next = ngx_http_im_list_more;
}


/* they join the rows; some are there twice then */

static ngx_int_t
ngx_http_im_list_more(ngx_http_im_call_t *call)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_im_list_t        *list;
    ngx_http_im_reply_t       *reply;
    ngx_http_im_convs_row_t   *row, **rows;

    list = call->state;
    reply = &list->more->reply;

    if (ngx_http_im_reply_array(reply, 0) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    row = ngx_pcalloc(call->pool, (reply->nelts + 1)
                                  * sizeof(ngx_http_im_convs_row_t));
    rows = ngx_palloc(call->pool, (list->nrows + reply->nelts + 1)
                                  * sizeof(void *));
    if (row == NULL || rows == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->nelts; i++) {
        rc = ngx_http_im_convs_pair_parse(call, &reply->elts[i], &row[i]);
        if (rc != NGX_OK) {
            return rc;
        }

        rows[i] = &row[i];
    }

    ngx_memcpy(&rows[i], list->rows, list->nrows * sizeof(void *));

    list->rows = rows;
    list->nrows += i;

    if (ngx_http_im_convs_rows_fetch(call, &list->convs, rows, i, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_call_continue(call, list->fronts);
}
