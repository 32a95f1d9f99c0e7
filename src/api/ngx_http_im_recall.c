
#include "ngx_http_im_conv.h"


typedef struct {
    ngx_str_t   conv_id;
    ngx_str_t   msg_id;
    ngx_str_t   from_id;
} ngx_http_im_recall_args_t;


static ngx_int_t ngx_http_im_recall_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_recall(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_recall_done(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_recall_fields[] = {

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_CONV_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_recall_args_t, conv_id), 0, 0, NULL, 0 },

    { ngx_string("msg_id"), NGX_HTTP_IM_FIELD_NAME,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_recall_args_t, msg_id), 1, NGX_HTTP_IM_MSG_ID_MAX,
      NULL, 0 },

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_recall_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/* script recall -> "ok" or the code of a refusal */

const ngx_http_im_op_t  ngx_http_im_op_recall = {
    ngx_string("recall"),
    ngx_http_im_recall_fields,
    sizeof(ngx_http_im_recall_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_recall_check,
    ngx_http_im_recall
};


static ngx_int_t
ngx_http_im_recall_check(ngx_http_im_call_t *call)
{
    ngx_http_im_recall_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;
    ngx_http_im_conv_set(call, &args->conv_id);

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_recall(ngx_http_im_call_t *call)
{
    u_char                      seq[NGX_INT64_LEN], window[NGX_INT64_LEN];
    uint64_t                    n;
    ngx_str_t                   argv[5];
    ngx_uint_t                  told;
    ngx_http_im_recall_args_t  *args;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_MEMBERS,
        NGX_HTTP_IM_CONV_SETTINGS,
        NGX_HTTP_IM_STORE_RECALLS
    };

    static const ngx_http_im_key_e  pair_keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_STORE_RECALLS
    };

    args = call->args;

    n = ngx_http_im_id_msg_seq(&args->msg_id);

    argv[0] = args->from_id;
    argv[1].data = seq;
    argv[1].len = ngx_sprintf(seq, "%uL", n) - seq;
    argv[2] = args->msg_id;

    if (n == 0 && ngx_http_im_msg_id_escape(call->pool, &argv[2]) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&argv[3], "off");

    if (call->options->recall_window != NGX_HTTP_IM_RECALL_OFF) {
        argv[3].data = window;
        argv[3].len = ngx_sprintf(window, "%M", call->options->recall_window)
                      - window;
    }

    /* with a channel, the recall is kept for streams that are not open */

    told = (call->options->channel.len != 0);

    call->state = ngx_http_im_conv_msg_script(call, NGX_HTTP_IM_UPSERT,
                                              NGX_HTTP_IM_SCRIPT_RECALL,
                                              call->pair ? pair_keys : keys,
                                              (call->pair ? 2 : 4) + told,
                                              argv, 4);
    call->next = ngx_http_im_recall_done;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im recall message:\"%V\" from:\"%V\" window:%V job:%p",
                   &args->msg_id, &args->from_id, &argv[3], call->job);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_recall_done(ngx_http_im_call_t *call)
{
    ngx_int_t  rc;
    ngx_str_t  result;

    rc = ngx_http_im_call_result(call, call->state, &result);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im recall done conv:\"%V\" rc:%i job:%p",
                   &call->conv_id, rc, call->job);

    return rc;
}
