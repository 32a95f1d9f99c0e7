
#include "ngx_http_im_convs.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


/* no user is in more groups, see im_groups_max */
#define NGX_HTTP_IM_CONVS_GROUPS_STOP   "9999"

/* keys and arguments of one command */
#define NGX_HTTP_IM_CONVS_ARGS          132


/* several rows in one command, as others are served between two commands */

typedef struct {
    ngx_uint_t    group;
    ngx_uint_t    whole;
    ngx_uint_t    script;     /* NGX_HTTP_IM_SCRIPTS: MGET */
    ngx_uint_t    nkeys;      /* of each row */
    ngx_uint_t    max;        /* rows in one command, if they fit */
} ngx_http_im_convs_batch_t;


static const ngx_http_im_convs_batch_t  ngx_http_im_convs_batches[] = {
    { 0, 0, NGX_HTTP_IM_SCRIPT_FRONTS, 1, 128 },
    { 0, 1, NGX_HTTP_IM_SCRIPTS, 1, 128 },
    { 1, 0, NGX_HTTP_IM_SCRIPT_GROUPS, 2, 64 },
    { 1, 1, NGX_HTTP_IM_SCRIPT_GROUPS, 3, 16 }
};


static const ngx_http_im_key_e  ngx_http_im_convs_keys[] = {
    NGX_HTTP_IM_CONV_HEAD,
    NGX_HTTP_IM_CONV_MEMBERS,
    NGX_HTTP_IM_CONV_SETTINGS
};


static ngx_int_t ngx_http_im_convs_batch_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, const ngx_http_im_convs_batch_t *batch,
    ngx_http_im_convs_row_t **rows, ngx_uint_t n);
static ngx_http_im_cmd_t *ngx_http_im_convs_batch_cmd(
    ngx_http_im_call_t *call, ngx_http_im_convs_t *convs,
    const ngx_http_im_convs_batch_t *batch, ngx_str_t *argv, ngx_uint_t n);


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
    int64_t                      newest, oldest, end;
    ngx_str_t                    argv[4];
    ngx_http_im_convs_filter_t  *filter;

    filter = &convs->filter;
    newest = -1;
    oldest = -1;

    convs->user = user;
    convs->limit = ngx_min(limit, NGX_HTTP_IM_CONVS_INBOX_MAX);

    /* a score is not newer than the last message, and of the same step */

    if (filter->set) {
        newest = filter->until;
        ngx_http_im_inbox_step(filter->since, &oldest, &end);
    }

    convs->inbox = ngx_http_im_convs_inbox_fetch(call, user, newest, oldest,
                                                 convs->limit);

    ngx_str_set(&argv[0], "ZRANGE");
    ngx_str_set(&argv[2], "0");
    ngx_str_set(&argv[3], NGX_HTTP_IM_CONVS_GROUPS_STOP);

    convs->groups = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                         NGX_HTTP_IM_USER_GROUPS, user, argv,
                                         4);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im convs fetch user:\"%V\" limit:%ui filter:%ui job:%p",
                   user, convs->limit, filter->set, call->job);
}


ngx_http_im_cmd_t *
ngx_http_im_convs_inbox_fetch(ngx_http_im_call_t *call, ngx_str_t *user,
    int64_t newest, int64_t oldest, ngx_uint_t limit)
{
    u_char      n[NGX_INT_T_LEN], max[NGX_INT64_LEN], min[NGX_INT64_LEN];
    ngx_str_t   argv[7];
    ngx_uint_t  argc;

    argc = 4;
    ngx_str_set(&argv[0], "ZREVRANGE");
    ngx_str_set(&argv[2], "0");
    argv[3].data = n;
    argv[3].len = ngx_sprintf(n, "%ui", limit - 1) - n;

    if (newest != -1 || oldest != -1) {
        argc = 7;
        ngx_str_set(&argv[0], "ZREVRANGEBYSCORE");
        ngx_str_set(&argv[2], "+inf");
        ngx_str_set(&argv[3], "-inf");
        ngx_str_set(&argv[4], "LIMIT");
        ngx_str_set(&argv[5], "0");
        argv[6].data = n;
        argv[6].len = ngx_sprintf(n, "%ui", limit) - n;
    }

    if (newest != -1) {
        argv[2].data = max;
        argv[2].len = ngx_sprintf(max, "%L", newest) - max;
    }

    if (oldest != -1) {
        argv[3].data = min;
        argv[3].len = ngx_sprintf(min, "%L", oldest) - min;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im convs inbox from:%L to:%L limit:%ui job:%p",
                   newest, oldest, limit, call->job);

    return ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ, NGX_HTTP_IM_USER_INBOX,
                                user, argv, argc);
}


ngx_int_t
ngx_http_im_convs_rows_create(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_http_im_reply_t      *inbox, *groups;
    ngx_http_im_convs_row_t  *row;

    inbox = &convs->inbox->reply;
    groups = &convs->groups->reply;

    if (ngx_http_im_reply_array(inbox, 0) != NGX_OK
        || ngx_http_im_reply_array(groups, 0) != NGX_OK)
    {
        return ngx_http_im_call_store_error(call);
    }

    convs->npairs = inbox->nelts;
    convs->nrows = inbox->nelts + groups->nelts;

    convs->rows = ngx_pcalloc(call->pool, (convs->nrows + 1)
                                          * sizeof(ngx_http_im_convs_row_t));
    if (convs->rows == NULL) {
        return NGX_ERROR;
    }

    row = convs->rows;

    for (i = 0; i < inbox->nelts; i++) {
        rc = ngx_http_im_convs_pair_parse(call, &inbox->elts[i], row++);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    for (i = 0; i < groups->nelts; i++) {

        if (groups->elts[i].type != NGX_HTTP_IM_REPLY_STRING
            || !ngx_http_im_id_conv_valid(&groups->elts[i].str))
        {
            return ngx_http_im_call_store_error(call);
        }

        row++->conv_id = groups->elts[i].str;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im convs rows inbox:%ui groups:%ui job:%p",
                   inbox->nelts, groups->nelts, call->job);

    return NGX_OK;
}


ngx_int_t
ngx_http_im_convs_pair_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *reply, ngx_http_im_convs_row_t *row)
{
    if (reply->type != NGX_HTTP_IM_REPLY_STRING
        || ngx_http_im_inbox_parse(&reply->str, &row->conv_id, &row->peer)
           != NGX_OK)
    {
        return ngx_http_im_call_store_error(call);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_im_convs_rows_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t **rows, ngx_uint_t n,
    ngx_uint_t whole)
{
    ngx_uint_t                        i;
    const ngx_http_im_convs_batch_t  *batch;

    for (i = 0; i < sizeof(ngx_http_im_convs_batches)
                    / sizeof(ngx_http_im_convs_batches[0]); i++)
    {
        batch = &ngx_http_im_convs_batches[i];

        if (batch->whole == whole
            && ngx_http_im_convs_batch_fetch(call, convs, batch, rows, n)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im convs rows fetch n:%ui whole:%ui commands:%ui job:%p",
                   n, whole, call->pipeline->n, call->job);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_convs_batch_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, const ngx_http_im_convs_batch_t *batch,
    ngx_http_im_convs_row_t **rows, ngx_uint_t n)
{
    ngx_str_t                 argv[NGX_HTTP_IM_CONVS_ARGS];
    ngx_uint_t                i, k, m, max, first;
    ngx_http_im_cmd_t        *cmd;
    ngx_http_im_convs_row_t  *row;

    max = batch->whole ? ngx_http_im_call_heads_max(call->options)
                       : batch->max;
    max = call->job->one_tag ? 1 : ngx_min(max, batch->max);

    for (i = 0; i < n; /* void */ ) {
        first = i;

        for (m = 0; i < n && m < max; i++) {
            row = rows[i];

            if ((row->peer.len == 0) != batch->group) {
                continue;
            }

            for (k = 0; k < batch->nkeys; k++) {
                if (ngx_http_im_key(call->pool,
                                    &argv[1 + m * batch->nkeys + k],
                                    &call->options->key_prefix,
                                    ngx_http_im_convs_keys[k], &row->conv_id)
                    != NGX_OK)
                {
                    return NGX_ERROR;
                }
            }

            row->n = m++;
            row->whole = batch->whole;
        }

        if (m == 0) {
            break;
        }

        cmd = ngx_http_im_convs_batch_cmd(call, convs, batch, argv, m);

        if (batch->whole) {
            ngx_http_im_call_most(call, cmd, m);
        }

        for ( /* void */ ; first < i; first++) {
            if ((rows[first]->peer.len == 0) == batch->group) {
                rows[first]->cmd = cmd;
            }
        }
    }

    return NGX_OK;
}


/* n rows, whose keys begin at argv[1] */

static ngx_http_im_cmd_t *
ngx_http_im_convs_batch_cmd(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, const ngx_http_im_convs_batch_t *batch,
    ngx_str_t *argv, ngx_uint_t n)
{
    u_char      nkeys[NGX_INT_T_LEN];
    ngx_uint_t  argc;

    argc = 1 + n * batch->nkeys;

    if (batch->script == NGX_HTTP_IM_SCRIPTS) {
        ngx_str_set(&argv[0], "MGET");

        return ngx_http_im_cmd_add(call->pipeline, NGX_HTTP_IM_READ, 1, argv,
                                   argc);
    }

    argv[0].data = nkeys;
    argv[0].len = ngx_sprintf(nkeys, "%ui", argc - 1) - nkeys;

    if (batch->group) {
        argv[argc++] = *convs->user;
        ngx_str_set(&argv[argc], "");

        if (batch->whole) {
            ngx_str_set(&argv[argc], "1");
        }

        argc++;
    }

    return ngx_http_im_cmd_add_script(call->pipeline, NGX_HTTP_IM_READ,
                                      &call->scripts[batch->script], argv,
                                      argc);
}
