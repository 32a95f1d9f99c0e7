
#include "ngx_http_im_conv.h"


typedef struct {
    ngx_str_t   from_id;
} ngx_http_im_typing_args_t;


static ngx_int_t ngx_http_im_typing_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_typing(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_typing_done(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_typing_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_typing_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/* script typing -> "ok" or the code of a refusal */

const ngx_http_im_op_t  ngx_http_im_op_conv_typing = {
    ngx_string("conv_typing"),
    ngx_http_im_typing_fields,
    sizeof(ngx_http_im_typing_args_t),
    NGX_HTTP_IM_OP_WRITE_OWN,
    ngx_http_im_typing_check,
    ngx_http_im_typing
};


static ngx_int_t
ngx_http_im_typing_check(ngx_http_im_call_t *call)
{
    ngx_http_im_typing_args_t  *args;

    args = call->args;

    return ngx_http_im_conv_user_check(call, &args->from_id);
}


/* nothing is stored, so it may be told twice */

static ngx_int_t
ngx_http_im_typing(ngx_http_im_call_t *call)
{
    ngx_http_im_typing_args_t  *args;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_MEMBERS
    };

    args = call->args;

    call->state = ngx_http_im_call_script(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_SCRIPT_TYPING,
                                          &call->conv_id, keys,
                                          call->pair ? 1 : 2,
                                          &args->from_id, 1);
    call->next = ngx_http_im_typing_done;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im typing conv:\"%V\" from:\"%V\" job:%p",
                   &call->conv_id, &args->from_id, call->job);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_typing_done(ngx_http_im_call_t *call)
{
    ngx_int_t  rc;
    ngx_str_t  result;

    rc = ngx_http_im_call_result(call, call->state, &result);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im typing done rc:%i job:%p", rc, call->job);

    return rc;
}
