
#include "ngx_http_im_list_write.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


typedef struct {
    ngx_http_im_convs_t        convs;
    ngx_http_im_convs_row_t  **shown;     /* newest first */
    ngx_uint_t                 nshown;
    ngx_http_im_profiles_t     profiles;
} ngx_http_im_list_t;


static ngx_int_t ngx_http_im_list(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_fetch(ngx_http_im_call_t *call,
    ngx_uint_t limit);
static ngx_int_t ngx_http_im_list_rows(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_row_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t *row);
static ngx_int_t ngx_http_im_list_heads(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_heads_parse(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list);
static ngx_uint_t ngx_http_im_list_is_final(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list);
static int ngx_libc_cdecl ngx_http_im_list_compare(const void *one,
    const void *two);
static ngx_int_t ngx_http_im_list_senders_fetch(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list);
static ngx_int_t ngx_http_im_list_answer(ngx_http_im_call_t *call);


/*
 * Commands and replies: see ngx_http_im_convs.h, and in the second round HMGET
 * settings of every group and HMGET profile of all who may have written last;
 * a third round only for a group whose last sender is not among them.  All of
 * it again with more of the inbox where the last place is in doubt.
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
    return ngx_http_im_list_fetch(call, call->options->list_max + 1);
}


static ngx_int_t
ngx_http_im_list_fetch(ngx_http_im_call_t *call, ngx_uint_t limit)
{
    ngx_http_im_list_t        *list;
    ngx_http_im_convs_args_t  *args;

    args = call->args;

    list = ngx_pcalloc(call->pool, sizeof(ngx_http_im_list_t));
    if (list == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_convs_fetch(call, &list->convs, &args->from_id, limit);

    call->state = list;
    call->next = ngx_http_im_list_rows;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_list_rows(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_http_im_list_t  *list;

    list = call->state;

    rc = ngx_http_im_convs_rows_fetch(call, &list->convs, 1,
                                      ngx_http_im_list_row_fetch);

    if (rc == NGX_OK) {
        rc = ngx_http_im_profiles_fetch(call, &list->profiles);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im list rows:%ui rc:%i job:%p",
                   list->convs.nrows, rc, call->job);

    return (rc == NGX_OK)
           ? ngx_http_im_call_continue(call, ngx_http_im_list_heads) : rc;
}


/* profiles of who may have written last, and a group's settings */

static ngx_int_t
ngx_http_im_list_row_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t *row)
{
    ngx_str_t                argv[4], *user;
    ngx_http_im_profiles_t  *profiles;

    profiles = &((ngx_http_im_list_t *) call->state)->profiles;
    user = &row->peer;

    if (row->member == NULL) {

        /* the user is one of the two in all of them, so the first will do */

        if (row == convs->rows
            && ngx_http_im_profile_add(call, profiles, convs->user) == NULL)
        {
            return NGX_ERROR;
        }

    } else {
        user = &row->hint;

        if (ngx_http_im_sender_get(call, &row->conv_id, user) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_str_set(&argv[0], "HMGET");
        ngx_str_set(&argv[2], "users");
        ngx_str_set(&argv[3], "info");

        row->settings = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                             NGX_HTTP_IM_CONV_SETTINGS,
                                             &row->conv_id, argv, 4);
    }

    return (user->len == 0
            || ngx_http_im_profile_add(call, profiles, user))
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_im_list_heads(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_uint_t           final;
    ngx_http_im_list_t  *list;

    list = call->state;

    rc = ngx_http_im_list_heads_parse(call, list);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_qsort(list->shown, list->nshown, sizeof(void *),
              ngx_http_im_list_compare);

    final = ngx_http_im_list_is_final(call, list);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im list convs:%ui found:%ui final:%ui job:%p",
                   list->convs.nrows, list->nshown, final, call->job);

    if (!final) {
        return ngx_http_im_list_fetch(call, 4 * list->convs.limit);
    }

    list->nshown = ngx_min(list->nshown, call->options->list_max);

    if (ngx_http_im_list_senders_fetch(call, list) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_im_call_continue(call, ngx_http_im_list_answer);
}


static ngx_int_t
ngx_http_im_list_heads_parse(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_http_im_convs_t  *convs;

    convs = &list->convs;

    list->shown = ngx_palloc(call->pool, (convs->nrows + 1) * sizeof(void *));
    if (list->shown == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < convs->nrows; i++) {
        rc = ngx_http_im_convs_row_parse(call, convs, &convs->rows[i]);

        if (rc == NGX_DONE) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        list->shown[list->nshown++] = &convs->rows[i];
    }

    return NGX_OK;
}


/*
 * What was not fetched of the inbox is not newer than the step of the last
 * entry that was, so the list is right if its last place is.
 */

static ngx_uint_t
ngx_http_im_list_is_final(ngx_http_im_call_t *call, ngx_http_im_list_t *list)
{
    ngx_str_t            *time;
    ngx_uint_t            i, max;
    ngx_http_im_convs_t  *convs;

    convs = &list->convs;
    max = call->options->list_max;

    i = convs->inbox->reply.nelts;

    if (i < convs->limit || convs->limit == NGX_HTTP_IM_CONVS_INBOX_MAX) {
        return 1;
    }

    while (i--) {
        time = &convs->rows[i].head.time;

        if (time->len == 0) {
            continue;
        }

        return list->nshown >= max
               && ngx_http_im_inbox_order_is_final(
                                     &list->shown[max - 1]->head.time, time);
    }

    return 0;
}


static int ngx_libc_cdecl
ngx_http_im_list_compare(const void *one, const void *two)
{
    int                       rc;
    ngx_http_im_convs_row_t  *a, *b;

    a = *(ngx_http_im_convs_row_t **) one;
    b = *(ngx_http_im_convs_row_t **) two;

    /* digits of one length compare as numbers do */

    rc = ngx_memcmp(b->head.time.data, a->head.time.data, a->head.time.len);

    return rc ? rc : (int) ngx_memn2cmp(a->conv_id.data, b->conv_id.data,
                                        a->conv_id.len, b->conv_id.len);
}


static ngx_int_t
ngx_http_im_list_senders_fetch(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list)
{
    ngx_uint_t                i;
    ngx_http_im_convs_row_t  *row;

    for (i = 0; i < list->nshown; i++) {
        row = list->shown[i];

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

    return ngx_http_im_profiles_fetch(call, &list->profiles);
}


static ngx_int_t
ngx_http_im_list_answer(ngx_http_im_call_t *call)
{
    ngx_http_im_list_t  *list;

    list = call->state;

    return ngx_http_im_list_write(call, list->shown, list->nshown);
}
