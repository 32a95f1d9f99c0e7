
#include "ngx_http_im_list_more.h"
#include "ngx_http_im_list_sender.h"
#include "ngx_http_im_list_write.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


/* ms; all times have as many digits */
#define NGX_HTTP_IM_LIST_TIME_MAX   9999999999999


typedef struct {
    ngx_str_t             from_id;
    int64_t               limit;
    ngx_http_im_time_t    since;
    ngx_http_im_time_t    until;
    ngx_uint_t            only_unread;
} ngx_http_im_list_args_t;


static ngx_int_t ngx_http_im_list_check(ngx_http_im_call_t *call);
static void ngx_http_im_list_filter_init(ngx_http_im_list_args_t *args,
    ngx_http_im_convs_filter_t *filter);
static ngx_int_t ngx_http_im_list(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_convs(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_fronts(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_whole_fetch(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list);
static ngx_int_t ngx_http_im_list_whole(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_answer(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_list_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_list_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("limit"), NGX_HTTP_IM_FIELD_INT, 0,
      offsetof(ngx_http_im_list_args_t, limit), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("since"), NGX_HTTP_IM_FIELD_TIME, 0,
      offsetof(ngx_http_im_list_args_t, since), 0, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("until"), NGX_HTTP_IM_FIELD_TIME, 0,
      offsetof(ngx_http_im_list_args_t, until), 0, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("only_unread"), NGX_HTTP_IM_FIELD_BOOL, 0,
      offsetof(ngx_http_im_list_args_t, only_unread), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * Commands and replies: see ngx_http_im_convs.h.  Where all of a user's
 * conversations are shown they are fetched whole at once, together with HMGET
 * profile of all who may have written last.  Otherwise their fronts decide
 * which are shown, and these are fetched whole; where more entries of the
 * inbox may have to be shown, ZREVRANGEBYSCORE inbox comes before that, once.
 * Another round only for a group whose last sender was not expected.
 */

const ngx_http_im_op_t  ngx_http_im_op_conv_list = {
    ngx_string("conv_list"),
    ngx_http_im_list_fields,
    sizeof(ngx_http_im_list_args_t),
    NGX_HTTP_IM_OP_READ,
    ngx_http_im_list_check,
    ngx_http_im_list
};


static ngx_int_t
ngx_http_im_list_check(ngx_http_im_call_t *call)
{
    ngx_http_im_list_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    if (args->limit > (int64_t) call->options->list_max) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "limit must be between 1 and %ui",
                                     call->options->list_max);
    }

    if (args->limit == 0) {
        args->limit = call->options->list_max;
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


/* one more than is shown, to know whether there are more */

static ngx_int_t
ngx_http_im_list(ngx_http_im_call_t *call)
{
    ngx_http_im_list_t       *list;
    ngx_http_im_list_args_t  *args;

    args = call->args;

    list = ngx_pcalloc(call->pool, sizeof(ngx_http_im_list_t));
    if (list == NULL) {
        return NGX_ERROR;
    }

    list->limit = (ngx_uint_t) args->limit;
    list->fronts = ngx_http_im_list_fronts;

    ngx_http_im_list_filter_init(args, &list->convs.filter);

    ngx_http_im_convs_fetch(call, &list->convs, &args->from_id,
                            list->limit + 1);

    call->state = list;
    call->next = ngx_http_im_list_convs;

    return NGX_AGAIN;
}


static void
ngx_http_im_list_filter_init(ngx_http_im_list_args_t *args,
    ngx_http_im_convs_filter_t *filter)
{
    filter->set = (args->since.set || args->until.set || args->only_unread);
    filter->unread = args->only_unread;
    filter->since = ngx_min(args->since.ms, NGX_HTTP_IM_LIST_TIME_MAX);
    filter->until = NGX_HTTP_IM_LIST_TIME_MAX;

    if (args->until.set) {
        filter->until = ngx_min(args->until.ms, filter->until);
    }
}


static ngx_int_t
ngx_http_im_list_convs(ngx_http_im_call_t *call)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_http_im_list_t   *list;
    ngx_http_im_convs_t  *convs;

    list = call->state;
    convs = &list->convs;

    rc = ngx_http_im_convs_rows_create(call, convs);
    if (rc != NGX_OK) {
        return rc;
    }

    list->nrows = convs->nrows;
    list->rows = ngx_palloc(call->pool, (convs->nrows + 1) * sizeof(void *));
    if (list->rows == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < convs->nrows; i++) {
        list->rows[i] = &convs->rows[i];
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im list rows:%ui limit:%ui filter:%ui job:%p",
                   convs->nrows, list->limit,
                   (ngx_uint_t) convs->filter.set, call->job);

    if (convs->nrows <= list->limit && !convs->filter.set) {
        return ngx_http_im_list_whole_fetch(call, list);
    }

    if (ngx_http_im_convs_rows_fetch(call, convs, list->rows, list->nrows, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_call_continue(call, ngx_http_im_list_fronts);
}


/* what is shown is decided */

static ngx_int_t
ngx_http_im_list_fronts(ngx_http_im_call_t *call)
{
    int64_t              time;
    ngx_int_t            rc;
    ngx_http_im_list_t  *list;

    list = call->state;

    rc = ngx_http_im_convs_rows_sort(call, &list->convs, list->rows,
                                     &list->nrows, list->repeated);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_im_list_is_final(list, &time)) {
        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                       "im list more before:%L rows:%ui job:%p",
                       time, list->nrows, call->job);
        ngx_http_im_list_more_fetch(call, list, time);
        return NGX_AGAIN;
    }

    list->nrows = ngx_min(list->nrows, list->limit);

    return ngx_http_im_list_whole_fetch(call, list);
}


static ngx_int_t
ngx_http_im_list_whole_fetch(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list)
{
    ngx_uint_t  i;

    if (ngx_http_im_convs_rows_fetch(call, &list->convs, list->rows,
                                     list->nrows, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < list->nrows; i++) {
        if (ngx_http_im_list_senders_add(call, list, list->rows[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_im_profiles_fetch(call, &list->profiles) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_im_call_continue(call, ngx_http_im_list_whole);
}


static ngx_int_t
ngx_http_im_list_whole(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_http_im_list_t       *list;
    ngx_http_im_convs_row_t  *row;

    list = call->state;

    rc = ngx_http_im_convs_rows_sort(call, &list->convs, list->rows,
                                     &list->nrows, list->repeated);
    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0; i < list->nrows; i++) {
        row = list->rows[i];

        if (row->head.from.len == 0) {
            row->sender = NULL;
            continue;
        }

        row->sender = ngx_http_im_list_sender_get(call, list, row);
        if (row->sender == NULL) {
            return NGX_ERROR;
        }

        if (row->head.group
            && !ngx_http_im_str_eq(&row->hint, &row->head.from))
        {
            ngx_http_im_sender_put(call, &row->conv_id, &row->head.from);
        }
    }

    if (ngx_http_im_profiles_fetch(call, &list->profiles) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_im_call_continue(call, ngx_http_im_list_answer);
}


static ngx_int_t
ngx_http_im_list_answer(ngx_http_im_call_t *call)
{
    ngx_http_im_list_t  *list;

    list = call->state;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im list shown:%ui job:%p", list->nrows, call->job);

    return ngx_http_im_list_write(call, list->rows, list->nrows);
}
