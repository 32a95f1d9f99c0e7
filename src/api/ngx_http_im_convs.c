
#include "ngx_http_im_convs.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_id.h"


/* how many groups of a user are fetched at most */
#define NGX_HTTP_IM_CONVS_GROUPS_MAX   "10000"

/* keys of one MGET: Redis runs other clients' commands between two of them */
#define NGX_HTTP_IM_CONVS_MGET_KEYS    128


static ngx_int_t ngx_http_im_convs_pairs_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_pt fetch);
static ngx_int_t ngx_http_im_convs_pair_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *reply, ngx_http_im_convs_row_t *row, ngx_str_t *key);
static ngx_int_t ngx_http_im_convs_groups_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_uint_t text,
    ngx_http_im_convs_row_pt fetch);


const ngx_http_im_field_t  ngx_http_im_convs_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_convs_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


ngx_int_t
ngx_http_im_convs_check(ngx_http_im_call_t *call)
{
    ngx_http_im_convs_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


void
ngx_http_im_convs_fetch(ngx_http_im_call_t *call, ngx_http_im_convs_t *convs,
    ngx_str_t *user, ngx_uint_t limit)
{
    u_char     stop[NGX_INT_T_LEN];
    ngx_str_t  argv[4];

    convs->user = user;
    convs->limit = ngx_min(limit, NGX_HTTP_IM_CONVS_INBOX_MAX);

    ngx_str_set(&argv[0], "ZREVRANGE");
    ngx_str_set(&argv[2], "0");
    argv[3].data = stop;
    argv[3].len = ngx_sprintf(stop, "%ui", convs->limit - 1) - stop;

    convs->inbox = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                        NGX_HTTP_IM_USER_INBOX, user, argv, 4);

    /* all of them, as long as there are not too many for one reply */

    ngx_str_set(&argv[0], "SRANDMEMBER");
    ngx_str_set(&argv[2], NGX_HTTP_IM_CONVS_GROUPS_MAX);

    convs->groups = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                         NGX_HTTP_IM_USER_GROUPS, user, argv,
                                         3);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im convs fetch user:\"%V\" limit:%ui job:%p",
                   user, convs->limit, call->job);
}


ngx_int_t
ngx_http_im_convs_rows_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_uint_t text,
    ngx_http_im_convs_row_pt fetch)
{
    ngx_int_t             rc;
    ngx_http_im_reply_t  *inbox, *groups;

    inbox = &convs->inbox->reply;
    groups = &convs->groups->reply;

    if (ngx_http_im_reply_array(inbox, 0) != NGX_OK
        || ngx_http_im_reply_array(groups, 0) != NGX_OK)
    {
        return ngx_http_im_call_store_error(call);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im convs rows inbox:%ui groups:%ui job:%p",
                   inbox->nelts, groups->nelts, call->job);

    convs->rows = ngx_pcalloc(call->pool, (inbox->nelts + groups->nelts + 1)
                                          * sizeof(ngx_http_im_convs_row_t));
    if (convs->rows == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_im_convs_pairs_fetch(call, convs, fetch);

    return (rc == NGX_OK)
           ? ngx_http_im_convs_groups_fetch(call, convs, text, fetch) : rc;
}


static ngx_int_t
ngx_http_im_convs_pairs_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_pt fetch)
{
    ngx_int_t                 rc;
    ngx_str_t                *argv;
    ngx_uint_t                i, k, n;
    ngx_http_im_cmd_t        *cmd;
    ngx_http_im_reply_t      *reply;
    ngx_http_im_convs_row_t  *row;

    reply = &convs->inbox->reply;

    argv = ngx_palloc(call->pool, (NGX_HTTP_IM_CONVS_MGET_KEYS + 1)
                                  * sizeof(ngx_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&argv[0], "MGET");

    for (i = 0; i < reply->nelts; i += n) {
        n = ngx_min(reply->nelts - i, NGX_HTTP_IM_CONVS_MGET_KEYS);

        for (k = 0; k < n; k++) {
            row = &convs->rows[i + k];
            row->n = k;

            rc = ngx_http_im_convs_pair_parse(call, &reply->elts[i + k], row,
                                              &argv[1 + k]);

            if (rc == NGX_OK && fetch) {
                rc = fetch(call, convs, row);
            }

            if (rc != NGX_OK) {
                return rc;
            }
        }

        cmd = ngx_http_im_cmd_add(call->pipeline, NGX_HTTP_IM_READ, 1,
                                       argv, 1 + n);

        for (k = 0; k < n; k++) {
            convs->rows[i + k].cmd = cmd;
        }
    }

    convs->nrows = reply->nelts;

    return NGX_OK;
}


/* an entry of the inbox, and the key of the head */

static ngx_int_t
ngx_http_im_convs_pair_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *reply, ngx_http_im_convs_row_t *row, ngx_str_t *key)
{
    if (reply->type != NGX_HTTP_IM_REPLY_STRING
        || ngx_http_im_inbox_parse(&reply->str, &row->conv_id, &row->peer)
           != NGX_OK)
    {
        return ngx_http_im_call_store_error(call);
    }

    return ngx_http_im_key(call->pool, key, &call->options->key_prefix,
                           NGX_HTTP_IM_CONV_HEAD, &row->conv_id);
}


static ngx_int_t
ngx_http_im_convs_groups_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_uint_t text,
    ngx_http_im_convs_row_pt fetch)
{
    ngx_uint_t                i;
    ngx_http_im_reply_t      *reply;
    ngx_http_im_convs_row_t  *row;

    reply = &convs->groups->reply;

    for (i = 0; i < reply->nelts; i++) {
        row = &convs->rows[convs->nrows++];

        if (reply->elts[i].type != NGX_HTTP_IM_REPLY_STRING
            || !ngx_http_im_id_conv_valid(&reply->elts[i].str))
        {
            return ngx_http_im_call_store_error(call);
        }

        row->conv_id = reply->elts[i].str;

        row->member = ngx_http_im_conv_member_fetch(call, &row->conv_id,
                                                    convs->user);
        row->cmd = ngx_http_im_conv_head_fetch(call, &row->conv_id, text);

        if (fetch && fetch(call, convs, row) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_im_convs_row_parse(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t *row)
{
    int64_t               position;
    ngx_int_t             rc;
    ngx_http_im_reply_t  *reply;

    reply = &row->cmd->reply;

    if (row->peer.len) {

        if (reply->type != NGX_HTTP_IM_REPLY_ARRAY || row->n >= reply->nelts) {
            return ngx_http_im_call_store_error(call);
        }

        reply = &reply->elts[row->n];
    }

    rc = ngx_http_im_conv_head_parse(call, reply, &row->head);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_im_conv_position(call, &row->head, row->member, convs->user,
                                   &position);

    if (rc == NGX_OK) {
        row->unread = ngx_max(row->head.seq - position, 0);
    }

    return rc;
}
