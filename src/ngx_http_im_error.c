
#include "ngx_http_im_error.h"


#define NGX_HTTP_IM_ERROR_LEN   256


/* in the order of ngx_http_im_error_e */

static const ngx_http_im_code_t  ngx_http_im_codes[] = {

    { ngx_string("ok"), 200, ngx_null_string },

    { ngx_string("bad_json"), 400,
      ngx_string("the body is not a JSON object") },

    { ngx_string("bad_request"), 400,
      ngx_string("the request is not valid") },

    { ngx_string("conv_mismatch"), 400,
      ngx_string("conv_id and to_id name different conversations") },

    { ngx_string("forbidden"), 403,
      ngx_string("the caller may not act for another user") },

    { ngx_string("not_member"), 403,
      ngx_string("the user is not a member of the conversation conv_id") },

    { ngx_string("not_found"), 404,
      ngx_string("there is no such call") },

    { ngx_string("conv_not_found"), 404,
      ngx_string("there is no conversation with this conv_id") },

    { ngx_string("msg_not_found"), 404,
      ngx_string("the conversation has no message with this msg_id") },

    { ngx_string("method_not_allowed"), 405,
      ngx_string("the method must be POST") },

    { ngx_string("conv_exists"), 409,
      ngx_string("the conv_id is taken") },

    { ngx_string("not_group"), 409,
      ngx_string("the conversation conv_id is not a group") },

    { ngx_string("group_full"), 409,
      ngx_string("the group would have more than the allowed members; "
                 "member names too many") },

    { ngx_string("group_too_large"), 409,
      ngx_string("the group has too many members for this call") },

    { ngx_string("too_many_groups"), 409,
      ngx_string("a user that would become a member is in as many groups as "
                 "im_groups_max allows; nobody was added") },

    { ngx_string("is_owner"), 409,
      ngx_string("from_id owns the group, and can leave it only after it is "
                 "transferred or dismissed") },

    { ngx_string("dismissed"), 409,
      ngx_string("the group conv_id is dismissed and can only be read") },

    { ngx_string("recall_expired"), 409,
      ngx_string("the message is too old to be recalled") },

    { ngx_string("idempotency_conflict"), 409,
      ngx_string("client_msg_id was used for a message with other "
                 "content") },

    { ngx_string("import_conflict"), 409,
      ngx_string("the conversation conv_id has newer messages, or it is of "
                 "other users or another conv_type; nothing was stored") },

    { ngx_string("body_too_large"), 413,
      ngx_string("the request body is too large") },

    { ngx_string("msg_too_long"), 413,
      ngx_string("msg is too long") },

    { ngx_string("too_many_requests"), 429,
      ngx_string("too many requests are waiting; try again later") },

    { ngx_string("internal"), 500,
      ngx_string("the request could not be served") },

    { ngx_string("store_error"), 502,
      ngx_string("the store gave an answer that makes no sense") },

    { ngx_string("store_unavailable"), 503,
      ngx_string("the store is not available now; nothing was done") },

    { ngx_string("outcome_unknown"), 504,
      ngx_string("the store did not answer in time; it may have been done") },

    { ngx_string("store_timeout"), 504,
      ngx_string("the store did not answer in time") }
};


const ngx_http_im_code_t *
ngx_http_im_error_code(ngx_http_im_error_e id)
{
    return &ngx_http_im_codes[id];
}


ngx_http_im_error_e
ngx_http_im_error_find(ngx_str_t *code)
{
    ngx_uint_t  i;

    for (i = 1; i < sizeof(ngx_http_im_codes)
                    / sizeof(ngx_http_im_codes[0]); i++)
    {
        if (code->len == ngx_http_im_codes[i].code.len
            && ngx_memcmp(code->data, ngx_http_im_codes[i].code.data,
                          code->len)
               == 0)
        {
            return i;
        }
    }

    return NGX_HTTP_IM_OK;
}


ngx_int_t
ngx_http_im_error_set(ngx_pool_t *pool, ngx_http_im_error_t *error,
    ngx_http_im_error_e id, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    error->id = id;

    if (fmt == NULL) {
        error->text = ngx_http_im_error_code(id)->text;
        goto done;
    }

    p = ngx_pnalloc(pool, NGX_HTTP_IM_ERROR_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    error->text.data = p;
    error->text.len = ngx_vslprintf(p, p + NGX_HTTP_IM_ERROR_LEN, fmt,
                                    args)
                        - p;
    va_end(args);

done:

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                   "im error code:%V text:\"%V\"",
                   &ngx_http_im_error_code(id)->code, &error->text);

    return NGX_DECLINED;
}
