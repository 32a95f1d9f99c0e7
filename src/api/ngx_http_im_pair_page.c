
#include "ngx_http_im_page.h"
#include "ngx_http_im_conv.h"


static ngx_int_t ngx_http_im_pair_page_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_pair_page(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_pair_page_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_page_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("to_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_page_args_t, to_id), 0, 0, NULL, 0 },

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

    ngx_http_im_field_end
};


/*
 * Commands and replies: see ngx_http_im_page.h, but the profiles of both users
 * are fetched in the first round.
 */

const ngx_http_im_op_t  ngx_http_im_op_pair_page = {
    ngx_string("pair_page"),
    ngx_http_im_pair_page_fields,
    sizeof(ngx_http_im_page_args_t),
    NGX_HTTP_IM_OP_READ,
    ngx_http_im_pair_page_check,
    ngx_http_im_pair_page
};


static ngx_int_t
ngx_http_im_pair_page_check(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    rc = ngx_http_im_page_check(call);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_im_conv_pair_check(call, &args->from_id, &args->to_id);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_pair_page(ngx_http_im_call_t *call)
{
    ngx_http_im_page_t       *page;
    ngx_http_im_profiles_t   *profiles;
    ngx_http_im_page_args_t  *args;

    args = call->args;

    page = ngx_http_im_page_create(call);

    if (page == NULL
        || ngx_http_im_conv_pair_set(call, &args->from_id, &args->to_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    page->optional = 1;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im pair page from:\"%V\" to:\"%V\" conv:\"%V\" job:%p",
                   &args->from_id, &args->to_id, &call->conv_id, call->job);

    profiles = &page->messages.profiles;

    if (ngx_http_im_profile_add(call, profiles, &args->from_id) == NULL
        || ngx_http_im_profile_add(call, profiles, &args->to_id) == NULL
        || ngx_http_im_profiles_fetch(call, profiles) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_page_fetch(call);
}
