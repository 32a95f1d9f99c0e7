
#include "ngx_http_im_conv.h"
#include "ngx_http_im_group.h"


typedef struct {
    ngx_str_t    from_id;
} ngx_http_im_group_dismiss_args_t;


static ngx_int_t ngx_http_im_group_dismiss_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_dismiss(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_dismiss_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_dismiss_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/* script group_dismiss -> "ok" or the code of a refusal */

const ngx_http_im_op_t  ngx_http_im_op_group_dismiss = {
    ngx_string("group_dismiss"),
    ngx_http_im_group_dismiss_fields,
    sizeof(ngx_http_im_group_dismiss_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_group_dismiss_check,
    ngx_http_im_group_dismiss
};


static ngx_int_t
ngx_http_im_group_dismiss_check(ngx_http_im_call_t *call)
{
    ngx_http_im_group_dismiss_args_t  *args;

    args = call->args;

    return ngx_http_im_conv_user_check(call, &args->from_id);
}


static ngx_int_t
ngx_http_im_group_dismiss(ngx_http_im_call_t *call)
{
    ngx_http_im_group_dismiss_args_t  *args;

    args = call->args;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group dismiss conv:\"%V\" from:\"%V\" job:%p",
                   &call->conv_id, &args->from_id, call->job);

    return ngx_http_im_group_run(call, NGX_HTTP_IM_UPSERT,
                                 NGX_HTTP_IM_SCRIPT_GROUP_DISMISS,
                                 &args->from_id, 1);
}
