
#include "ngx_http_im_conv.h"
#include "ngx_http_im_group.h"


typedef struct {
    ngx_str_t    from_id;
    ngx_str_t    to_id;
} ngx_http_im_group_transfer_args_t;


static ngx_int_t ngx_http_im_group_transfer_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_transfer(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_transfer_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_transfer_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("to_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_transfer_args_t, to_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/* script group_transfer -> "ok" or the code of a refusal */

const ngx_http_im_op_t  ngx_http_im_op_group_transfer = {
    ngx_string("group_transfer"),
    ngx_http_im_group_transfer_fields,
    sizeof(ngx_http_im_group_transfer_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_group_transfer_check,
    ngx_http_im_group_transfer
};


static ngx_int_t
ngx_http_im_group_transfer_check(ngx_http_im_call_t *call)
{
    ngx_http_im_group_transfer_args_t  *args;

    args = call->args;

    return ngx_http_im_conv_user_check(call, &args->from_id);
}


static ngx_int_t
ngx_http_im_group_transfer(ngx_http_im_call_t *call)
{
    ngx_str_t                           argv[2];
    ngx_http_im_group_transfer_args_t  *args;

    args = call->args;

    argv[0] = args->from_id;
    argv[1] = args->to_id;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group transfer \"%V\" from:\"%V\" to:\"%V\" job:%p",
                   &call->conv_id, &args->from_id, &args->to_id, call->job);

    /* done twice, the second time is refused: from_id is the owner no more */

    return ngx_http_im_group_run(call, NGX_HTTP_IM_WRITE,
                                 NGX_HTTP_IM_SCRIPT_GROUP_TRANSFER, argv, 2);
}
