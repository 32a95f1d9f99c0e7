
#include "ngx_http_im_page.h"
#include "ngx_http_im_conv.h"


static ngx_int_t ngx_http_im_conv_page_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_conv_page(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_conv_page_fields[] = {

    { ngx_string("page_no"), NGX_HTTP_IM_FIELD_INT, 0,
      offsetof(ngx_http_im_page_args_t, page_no), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("page_size"), NGX_HTTP_IM_FIELD_INT, 0,
      offsetof(ngx_http_im_page_args_t, page_size), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("before"), NGX_HTTP_IM_FIELD_NAME, 0,
      offsetof(ngx_http_im_page_args_t, before), 1, NGX_HTTP_IM_MSG_ID_MAX,
      NULL, 0 },

    { ngx_string("after"), NGX_HTTP_IM_FIELD_NAME, 0,
      offsetof(ngx_http_im_page_args_t, after), 0, NGX_HTTP_IM_MSG_ID_MAX,
      NULL, 0 },

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID, 0,
      offsetof(ngx_http_im_page_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/* commands and replies: see ngx_http_im_page.h */

const ngx_http_im_op_t  ngx_http_im_op_conv_page = {
    ngx_string("conv_page"),
    ngx_http_im_conv_page_fields,
    sizeof(ngx_http_im_page_args_t),
    NGX_HTTP_IM_OP_READ,
    ngx_http_im_conv_page_check,
    ngx_http_im_conv_page
};


static ngx_int_t
ngx_http_im_conv_page_check(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    rc = ngx_http_im_conv_check(call);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im conv page no:%L size:%L rc:%i job:%p",
                   args->page_no, args->page_size, rc, call->job);

    if (rc == NGX_OK) {
        rc = ngx_http_im_page_check(call);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (args->from_id.len == 0) {
        args->from_id = call->user;
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_conv_page(ngx_http_im_call_t *call)
{
    if (ngx_http_im_page_create(call) == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_im_page_fetch(call);
}
