
#include "ngx_http_im_conv.h"


/* members of a group of which it is told up to where they have read */
#define NGX_HTTP_IM_READERS_MAX   "200"


typedef struct {
    ngx_str_t   from_id;
} ngx_http_im_readers_args_t;


static ngx_int_t ngx_http_im_readers_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_readers(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_readers_answer(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_readers_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *elts, ngx_str_t *user, ngx_str_t *msg_id);


static const ngx_http_im_field_t  ngx_http_im_readers_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID, 0,
      offsetof(ngx_http_im_readers_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * script readers -> user, first word of a row or "" of each; or the code of a
 * refusal
 */

const ngx_http_im_op_t  ngx_http_im_op_conv_readers = {
    ngx_string("conv_readers"),
    ngx_http_im_readers_fields,
    sizeof(ngx_http_im_readers_args_t),
    NGX_HTTP_IM_OP_READ,
    ngx_http_im_readers_check,
    ngx_http_im_readers
};


static ngx_int_t
ngx_http_im_readers_check(ngx_http_im_call_t *call)
{
    ngx_int_t                    rc;
    ngx_http_im_readers_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    rc = ngx_http_im_conv_check(call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (args->from_id.len == 0) {
        args->from_id = call->user;
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_readers(ngx_http_im_call_t *call)
{
    ngx_str_t                    argv[2];
    ngx_http_im_readers_args_t  *args;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_MEMBERS,
        NGX_HTTP_IM_CONV_SETTINGS
    };

    args = call->args;

    argv[0] = args->from_id;
    ngx_str_set(&argv[1], NGX_HTTP_IM_READERS_MAX);

    call->state = ngx_http_im_call_script(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_SCRIPT_READERS,
                                          &call->conv_id, keys,
                                          call->pair ? 2 : 4, argv, 2);
    call->next = ngx_http_im_readers_answer;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im readers conv:\"%V\" viewer:\"%V\" job:%p",
                   &call->conv_id, &args->from_id, call->job);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_readers_answer(ngx_http_im_call_t *call)
{
    ngx_int_t              rc;
    ngx_str_t              result, user, msg_id;
    ngx_uint_t             i;
    ngx_http_im_cmd_t     *cmd;
    ngx_http_im_reply_t   *reply;
    ngx_http_im_writer_t  *w;

    w = &call->writer;
    cmd = call->state;
    reply = &cmd->reply;

    if (reply->type != NGX_HTTP_IM_REPLY_ARRAY) {
        rc = ngx_http_im_call_result(call, cmd, &result);

        return (rc == NGX_OK) ? ngx_http_im_call_store_error(call) : rc;
    }

    if (reply->nelts % 2) {
        return ngx_http_im_call_store_error(call);
    }

    w->size = 2 + reply->nelts / 2
                  * (sizeof("{\"id\":\"\",\"msg_id\":\"\"},") - 1
                     + NGX_HTTP_IM_ID_MAX + 32);

    ngx_http_im_write_lit(w, "[");

    for (i = 0; i < reply->nelts; i += 2) {

        rc = ngx_http_im_readers_parse(call, &reply->elts[i], &user, &msg_id);
        if (rc != NGX_OK) {
            return rc;
        }

        if (i) {
            ngx_http_im_write_lit(w, ",");
        }

        ngx_http_im_write_lit(w, "{\"id\":\"");
        ngx_http_im_write_raw(w, &user);
        ngx_http_im_write_lit(w, "\",\"msg_id\":\"");
        ngx_http_im_write_raw(w, &msg_id);
        ngx_http_im_write_lit(w, "\"}");
    }

    ngx_http_im_write_lit(w, "]");

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im readers conv:\"%V\" members:%ui job:%p",
                   &call->conv_id, reply->nelts / 2, call->job);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_readers_parse(ngx_http_im_call_t *call, ngx_http_im_reply_t *elts,
    ngx_str_t *user, ngx_str_t *msg_id)
{
    if (ngx_http_im_reply_string(&elts[0], user) != NGX_OK
        || ngx_http_im_reply_string(&elts[1], msg_id) != NGX_OK
        || !ngx_http_im_id_user_valid(user)
        || (msg_id->len && ngx_http_im_row_id_parse(msg_id) == 0))
    {
        return ngx_http_im_call_store_error(call);
    }

    ngx_http_im_msg_id_unescape(msg_id);

    return NGX_OK;
}
