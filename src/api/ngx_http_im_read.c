
#include "ngx_http_im_read.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_id.h"


typedef struct {
    ngx_str_t                 from_id;
    ngx_str_t                 msg_id;
} ngx_http_im_read_args_t;


static ngx_int_t ngx_http_im_conv_read_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_conv_read(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_conv_read_done(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_conv_read_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_read_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("msg_id"), NGX_HTTP_IM_FIELD_NAME, 0,
      offsetof(ngx_http_im_read_args_t, msg_id), 1, NGX_HTTP_IM_MSG_ID_MAX,
      NULL, 0 },

    ngx_http_im_field_end
};


/* script read -> "ok" or the code of a refusal */

const ngx_http_im_op_t  ngx_http_im_op_conv_read = {
    ngx_string("conv_read"),
    ngx_http_im_conv_read_fields,
    sizeof(ngx_http_im_read_args_t),
    NGX_HTTP_IM_OP_WRITE_OWN,
    ngx_http_im_conv_read_check,
    ngx_http_im_conv_read
};


static ngx_int_t
ngx_http_im_conv_read_check(ngx_http_im_call_t *call)
{
    ngx_http_im_read_args_t  *args;

    args = call->args;

    return ngx_http_im_conv_user_check(call, &args->from_id);
}


static ngx_int_t
ngx_http_im_conv_read(ngx_http_im_call_t *call)
{
    int64_t                   seq;
    ngx_str_t                 msg_id;
    ngx_http_im_read_args_t  *args;

    args = call->args;
    msg_id = args->msg_id;

    seq = msg_id.len ? (int64_t) ngx_http_im_id_msg_seq(&msg_id) : -1;

    if (seq == 0 && ngx_http_im_msg_id_escape(call->pool, &msg_id) != NGX_OK) {
        return NGX_ERROR;
    }

    call->state = ngx_http_im_read_position_set(call, &args->from_id, seq,
                                                &msg_id);
    call->next = ngx_http_im_conv_read_done;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_conv_read_done(ngx_http_im_call_t *call)
{
    ngx_int_t  rc;
    ngx_str_t  result;

    rc = ngx_http_im_call_result(call, call->state, &result);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im read done rc:%i job:%p",
                   rc, call->job);

    return rc;
}


ngx_http_im_cmd_t *
ngx_http_im_read_position_set(ngx_http_im_call_t *call, ngx_str_t *user,
    int64_t seq, ngx_str_t *msg_id)
{
    u_char     buf[NGX_INT64_LEN];
    ngx_str_t  argv[4];

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_MEMBERS
    };

    argv[0] = *user;
    argv[1].data = buf;
    argv[1].len = (seq < 0) ? 0 : ngx_sprintf(buf, "%L", seq) - buf;

    ngx_str_null(&argv[2]);

    if (msg_id) {
        argv[2] = *msg_id;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im read position:%L user:\"%V\" conv:\"%V\" job:%p",
                   seq, user, &call->conv_id, call->job);

    /* a 1:1 has its positions in the head */

    if (argv[2].len) {
        return ngx_http_im_conv_msg_script(call, NGX_HTTP_IM_UPSERT,
                                           NGX_HTTP_IM_SCRIPT_READ, keys,
                                           call->pair ? 2 : 3, argv, 3);
    }

    return ngx_http_im_call_script(call, NGX_HTTP_IM_UPSERT,
                                   NGX_HTTP_IM_SCRIPT_READ, &call->conv_id,
                                   keys, call->pair ? 2 : 3, argv, 3);
}
