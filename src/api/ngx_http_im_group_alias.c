
#include "ngx_http_im_group.h"
#include "ngx_http_im_conv.h"


typedef struct {
    ngx_str_t             id;
    ngx_http_im_text_t    alias;
} ngx_http_im_group_alias_args_t;


static ngx_int_t ngx_http_im_group_alias_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_alias(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_alias_fields[] = {

    { ngx_string("id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_alias_args_t, id), 0, 0, NULL, 0 },

    { ngx_string("alias"), NGX_HTTP_IM_FIELD_TEXT, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_alias_args_t, alias), 0, 128, NULL, 0 },

    ngx_http_im_field_end
};


/* script group_alias -> "ok" or the code of a refusal */

const ngx_http_im_op_t  ngx_http_im_op_group_alias = {
    ngx_string("group_alias"),
    ngx_http_im_group_alias_fields,
    sizeof(ngx_http_im_group_alias_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_group_alias_check,
    ngx_http_im_group_alias
};


static ngx_int_t
ngx_http_im_group_alias_check(ngx_http_im_call_t *call)
{
    ngx_http_im_group_alias_args_t  *args;

    args = call->args;
    call->from_id = call->user.len ? call->user : args->id;

    return ngx_http_im_conv_check(call);
}


static ngx_int_t
ngx_http_im_group_alias(ngx_http_im_call_t *call)
{
    ngx_str_t                        argv[3];
    ngx_http_im_group_alias_args_t  *args;

    args = call->args;

    argv[0] = call->user;
    argv[1] = args->id;
    argv[2] = args->alias.escaped;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group alias conv:\"%V\" member:\"%V\" by:\"%V\" job:%p",
                   &call->conv_id, &args->id, &call->user, call->job);

    return ngx_http_im_group_run(call, NGX_HTTP_IM_UPSERT,
                                 NGX_HTTP_IM_SCRIPT_GROUP_ALIAS, argv, 3);
}
