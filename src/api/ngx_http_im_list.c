
#include "ngx_http_im_list_write.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


/* entries of an inbox whose order the scores do not tell */
#define NGX_HTTP_IM_LIST_STEP_MAX    "4096"


typedef struct {
    ngx_http_im_convs_t        convs;
    ngx_http_im_convs_row_t  **rows;      /* newest first, once parsed */
    ngx_uint_t                 nrows;
    ngx_http_im_cmd_t         *step;      /* entries of the last step */
    ngx_http_im_profiles_t     profiles;
    unsigned                   repeated:1;
    unsigned                   self:1;    /* the user's profile is added */
} ngx_http_im_list_t;


static ngx_int_t ngx_http_im_list(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_convs(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_fronts(ngx_http_im_call_t *call);
static ngx_uint_t ngx_http_im_list_is_final(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, ngx_str_t **time);
static ngx_int_t ngx_http_im_list_step_fetch(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, ngx_str_t *time);
static ngx_int_t ngx_http_im_list_step(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_whole_fetch(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list);
static ngx_int_t ngx_http_im_list_senders_add(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, ngx_http_im_convs_row_t *row);
static ngx_int_t ngx_http_im_list_whole(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_answer(ngx_http_im_call_t *call);


/*
 * Commands and replies: see ngx_http_im_convs.h.  Where all of a user's
 * conversations are shown they are fetched whole at once, together with HMGET
 * profile of all who may have written last.  Otherwise their fronts decide
 * which are shown, and these are fetched whole; where the order of an inbox is
 * not final, ZREVRANGEBYSCORE inbox of the step in doubt comes before that,
 * once.  Another round only for a group whose last sender was not expected.
 */

const ngx_http_im_op_t  ngx_http_im_op_conv_list = {
    ngx_string("conv_list"),
    ngx_http_im_convs_fields,
    sizeof(ngx_http_im_convs_args_t),
    0,
    ngx_http_im_convs_check,
    ngx_http_im_list
};


/* one more than is shown, to know whether there are more */

static ngx_int_t
ngx_http_im_list(ngx_http_im_call_t *call)
{
    ngx_http_im_list_t        *list;
    ngx_http_im_convs_args_t  *args;

    args = call->args;

    list = ngx_pcalloc(call->pool, sizeof(ngx_http_im_list_t));
    if (list == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_convs_fetch(call, &list->convs, &args->from_id,
                            call->options->list_max + 1);

    call->state = list;
    call->next = ngx_http_im_list_convs;

    return NGX_AGAIN;
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

    if (convs->nrows <= call->options->list_max) {
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
    ngx_int_t            rc;
    ngx_str_t           *time;
    ngx_http_im_list_t  *list;

    list = call->state;

    rc = ngx_http_im_convs_rows_sort(call, &list->convs, list->rows,
                                     &list->nrows, list->repeated);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_im_list_is_final(call, list, &time)) {
        return ngx_http_im_list_step_fetch(call, list, time);
    }

    list->nrows = ngx_min(list->nrows, call->options->list_max);

    return ngx_http_im_list_whole_fetch(call, list);
}


/*
 * What was not fetched of the inbox is not newer than the step of the last
 * entry that was, whose time is returned; so the list is right if its last
 * place is newer than that step.
 */

static ngx_uint_t
ngx_http_im_list_is_final(ngx_http_im_call_t *call, ngx_http_im_list_t *list,
    ngx_str_t **time)
{
    ngx_uint_t            i, max;
    ngx_http_im_convs_t  *convs;

    convs = &list->convs;
    max = call->options->list_max;

    if (list->repeated || convs->npairs < convs->limit) {
        return 1;
    }

    for (i = convs->npairs; i; i--) {
        *time = &convs->rows[i - 1].head.time;

        if ((*time)->len) {
            return list->nrows >= max
                   && ngx_http_im_inbox_order_is_final(
                                     &list->rows[max - 1]->head.time, *time);
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_im_list_step_fetch(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, ngx_str_t *time)
{
    u_char     first[NGX_INT64_LEN], last[NGX_INT64_LEN];
    int64_t    start, end;
    ngx_str_t  argv[7];

    ngx_http_im_inbox_step(time, &start, &end);

    ngx_str_set(&argv[0], "ZREVRANGEBYSCORE");
    argv[2].data = last;
    argv[2].len = ngx_sprintf(last, "%L", end) - last;
    argv[3].data = first;
    argv[3].len = ngx_sprintf(first, "%L", start) - first;
    ngx_str_set(&argv[4], "LIMIT");
    ngx_str_set(&argv[5], "0");
    ngx_str_set(&argv[6], NGX_HTTP_IM_LIST_STEP_MAX);

    list->repeated = 1;
    list->step = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                      NGX_HTTP_IM_USER_INBOX,
                                      list->convs.user, argv, 7);
    call->next = ngx_http_im_list_step;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im list step from:%L to:%L job:%p", start, end, call->job);

    return NGX_AGAIN;
}


/* all entries of that step join the rows; some are there twice then */

static ngx_int_t
ngx_http_im_list_step(ngx_http_im_call_t *call)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_im_list_t        *list;
    ngx_http_im_reply_t       *reply;
    ngx_http_im_convs_row_t   *row, **rows;

    list = call->state;
    reply = &list->step->reply;

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

    return ngx_http_im_call_continue(call, ngx_http_im_list_fronts);
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


/* whoever may have written last: both users of a 1:1, or who did before */

static ngx_int_t
ngx_http_im_list_senders_add(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, ngx_http_im_convs_row_t *row)
{
    ngx_str_t  *user;

    user = &row->peer;

    if (row->peer.len == 0) {
        user = &row->hint;

        if (row->head.from.len) {
            *user = row->head.from;

        } else if (ngx_http_im_sender_get(call, &row->conv_id, user)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (!list->self) {

        if (ngx_http_im_profile_add(call, &list->profiles, list->convs.user)
            == NULL)
        {
            return NGX_ERROR;
        }

        list->self = 1;
    }

    return (user->len == 0
            || ngx_http_im_profile_add(call, &list->profiles, user))
           ? NGX_OK : NGX_ERROR;
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
            continue;
        }

        row->sender = ngx_http_im_profile_add(call, &list->profiles,
                                              &row->head.from);
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

    return ngx_http_im_list_write(call, list->rows, list->nrows);
}
