
#include "ngx_http_im_conv.h"
#include "ngx_http_im_group.h"


typedef struct {
    ngx_str_t             from_id;
    ngx_http_im_text_t    name;
    ngx_http_im_text_t    img;
    ngx_http_im_text_t    description;
} ngx_http_im_group_set_args_t;


static ngx_int_t ngx_http_im_group_set_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_set(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_set_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_set_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("name"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_group_set_args_t, name), 1, 128, NULL, 0 },

    { ngx_string("img"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_group_set_args_t, img), 0, 4096, NULL, 0 },

    { ngx_string("description"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_group_set_args_t, description), 0, 8192, NULL, 0 },

    ngx_http_im_field_end
};


/* script group_set -> "ok" or the code of a refusal */

const ngx_http_im_op_t  ngx_http_im_op_group_set = {
    ngx_string("group_set"),
    ngx_http_im_group_set_fields,
    sizeof(ngx_http_im_group_set_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_group_set_check,
    ngx_http_im_group_set
};


static ngx_int_t
ngx_http_im_group_set_check(ngx_http_im_call_t *call)
{
    ngx_http_im_group_set_args_t  *args;

    args = call->args;

    if (!args->name.set && !args->img.set && !args->description.set) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "name, img or description is missing");
    }

    return ngx_http_im_conv_user_check(call, &args->from_id);
}


static ngx_int_t
ngx_http_im_group_set(ngx_http_im_call_t *call)
{
    u_char                         set[3];
    ngx_str_t                      argv[5];
    ngx_http_im_group_set_args_t  *args;

    args = call->args;

    set[0] = args->name.set ? '1' : '0';
    set[1] = args->img.set ? '1' : '0';
    set[2] = args->description.set ? '1' : '0';

    argv[0] = args->from_id;
    argv[1].data = set;
    argv[1].len = sizeof(set);
    argv[2] = args->name.escaped;
    argv[3] = args->img.escaped;
    argv[4] = args->description.escaped;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group set conv:\"%V\" set:\"%V\" job:%p",
                   &call->conv_id, &argv[1], call->job);

    return ngx_http_im_group_run(call, NGX_HTTP_IM_UPSERT,
                                 NGX_HTTP_IM_SCRIPT_GROUP_SET, argv, 5);
}
