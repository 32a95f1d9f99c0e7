
#include "ngx_http_im_convs.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_key.h"


/* conversations of one command: others are served between two commands */
#define NGX_HTTP_IM_UNREAD_PAIRS    128
#define NGX_HTTP_IM_UNREAD_GROUPS   64


typedef struct {
    ngx_http_im_convs_t    convs;
    ngx_http_im_cmd_t     *sums;      /* the first of the commands */
} ngx_http_im_unread_t;


static ngx_int_t ngx_http_im_unread(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_unread_convs(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_unread_pairs_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_reply_t *elts, ngx_uint_t n);
static ngx_int_t ngx_http_im_unread_groups_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_reply_t *elts, ngx_uint_t n);
static ngx_int_t ngx_http_im_unread_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_str_t *argv, ngx_uint_t nkeys,
    ngx_str_t *mine);
static ngx_int_t ngx_http_im_unread_answer(ngx_http_im_call_t *call);


/*
 * ZREVRANGE inbox, ZRANGE groups -> ids; script unread, of up to 128 1:1s
 * or 64 groups -> the sum of these.
 */

const ngx_http_im_op_t  ngx_http_im_op_unread = {
    ngx_string("unread"),
    ngx_http_im_convs_fields,
    sizeof(ngx_http_im_convs_args_t),
    NGX_HTTP_IM_OP_READ,
    ngx_http_im_convs_check,
    ngx_http_im_unread
};


static ngx_int_t
ngx_http_im_unread(ngx_http_im_call_t *call)
{
    ngx_http_im_unread_t      *unread;
    ngx_http_im_convs_args_t  *args;

    args = call->args;

    unread = ngx_pcalloc(call->pool, sizeof(ngx_http_im_unread_t));
    if (unread == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_convs_fetch(call, &unread->convs, &args->from_id,
                            NGX_HTTP_IM_CONVS_INBOX_MAX);

    call->state = unread;
    call->next = ngx_http_im_unread_convs;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_unread_convs(ngx_http_im_call_t *call)
{
    ngx_int_t              rc;
    ngx_uint_t             i, n, max;
    ngx_http_im_convs_t   *convs;
    ngx_http_im_reply_t   *inbox, *groups;
    ngx_http_im_unread_t  *unread;

    unread = call->state;
    convs = &unread->convs;
    inbox = &convs->inbox->reply;
    groups = &convs->groups->reply;
    if (ngx_http_im_reply_array(inbox, 0) != NGX_OK
        || ngx_http_im_reply_array(groups, 0) != NGX_OK)
    {
        return ngx_http_im_call_store_error(call);
    }

    max = call->job->one_tag ? 1 : NGX_HTTP_IM_UNREAD_PAIRS;

    for (i = 0; i < inbox->nelts; i += n) {
        n = ngx_min(inbox->nelts - i, max);

        rc = ngx_http_im_unread_pairs_fetch(call, convs, &inbox->elts[i], n);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    max = call->job->one_tag ? 1 : NGX_HTTP_IM_UNREAD_GROUPS;

    for (i = 0; i < groups->nelts; i += n) {
        n = ngx_min(groups->nelts - i, max);

        rc = ngx_http_im_unread_groups_fetch(call, convs, &groups->elts[i],
                                             n);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im unread inbox:%ui groups:%ui commands:%ui job:%p",
                   inbox->nelts, groups->nelts, call->pipeline->n, call->job);

    unread->sums = call->pipeline->first;

    return ngx_http_im_call_continue(call, ngx_http_im_unread_answer);
}


static ngx_int_t
ngx_http_im_unread_pairs_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_reply_t *elts, ngx_uint_t n)
{
    u_char                    mine[NGX_HTTP_IM_UNREAD_PAIRS];
    ngx_int_t                 rc;
    ngx_str_t                 argv[NGX_HTTP_IM_UNREAD_PAIRS + 3], flags;
    ngx_uint_t                i;
    ngx_http_im_convs_row_t   row;

    for (i = 0; i < n; i++) {
        rc = ngx_http_im_convs_pair_parse(call, &elts[i], &row);
        if (rc != NGX_OK) {
            return rc;
        }

        mine[i] = (ngx_http_im_id_order(convs->user, &row.peer) > 0) ? '1'
                                                                     : '0';

        if (ngx_http_im_key(call->pool, &argv[1 + i],
                            &call->options->key_prefix, NGX_HTTP_IM_CONV_HEAD,
                            &row.conv_id)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    flags.data = mine;
    flags.len = n;

    return ngx_http_im_unread_fetch(call, convs, argv, n, &flags);
}


static ngx_int_t
ngx_http_im_unread_groups_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_reply_t *elts, ngx_uint_t n)
{
    ngx_str_t   argv[2 * NGX_HTTP_IM_UNREAD_GROUPS + 3], none, *conv_id;
    ngx_str_t  *prefix;
    ngx_uint_t  i;

    prefix = (ngx_str_t *) &call->options->key_prefix;

    for (i = 0; i < n; i++) {
        conv_id = &elts[i].str;

        if (elts[i].type != NGX_HTTP_IM_REPLY_STRING
            || !ngx_http_im_id_conv_valid(conv_id))
        {
            return ngx_http_im_call_store_error(call);
        }

        if (ngx_http_im_key(call->pool, &argv[1 + 2 * i], prefix,
                            NGX_HTTP_IM_CONV_HEAD, conv_id)
            != NGX_OK
            || ngx_http_im_key(call->pool, &argv[2 + 2 * i], prefix,
                               NGX_HTTP_IM_CONV_MEMBERS, conv_id)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&none, "");

    return ngx_http_im_unread_fetch(call, convs, argv, 2 * n, &none);
}


/* keys begin at argv[1] */

static ngx_int_t
ngx_http_im_unread_fetch(ngx_http_im_call_t *call, ngx_http_im_convs_t *convs,
    ngx_str_t *argv, ngx_uint_t nkeys, ngx_str_t *mine)
{
    u_char              count[NGX_INT_T_LEN];
    ngx_http_im_cmd_t  *cmd;

    argv[0].data = count;
    argv[0].len = ngx_sprintf(count, "%ui", nkeys) - count;
    argv[1 + nkeys] = *convs->user;
    argv[2 + nkeys] = *mine;

    cmd = ngx_http_im_cmd_add_script(call->pipeline, NGX_HTTP_IM_READ,
                                     &call->scripts[NGX_HTTP_IM_SCRIPT_UNREAD],
                                     argv, 3 + nkeys);

    return cmd ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_im_unread_answer(ngx_http_im_call_t *call)
{
    int64_t                n, total;
    ngx_http_im_cmd_t     *cmd;
    ngx_http_im_unread_t  *unread;

    unread = call->state;
    total = 0;

    for (cmd = unread->sums; cmd; cmd = cmd->next) {

        if (ngx_http_im_reply_int(&cmd->reply, &n) != NGX_OK || n < 0) {
            return ngx_http_im_call_store_error(call);
        }

        total += n;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im unread total:%L job:%p", total, call->job);

    ngx_http_im_write_lit(&call->writer, "{\"total\":");
    ngx_http_im_write_int(&call->writer, total);
    ngx_http_im_write_lit(&call->writer, "}");

    return NGX_OK;
}
