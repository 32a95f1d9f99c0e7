
#include "ngx_http_im_convs.h"


static ngx_int_t ngx_http_im_unread(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_unread_rows(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_unread_answer(ngx_http_im_call_t *call);


/* commands and replies: see ngx_http_im_convs.h */

const ngx_http_im_op_t  ngx_http_im_op_unread = {
    ngx_string("unread"),
    ngx_http_im_convs_fields,
    sizeof(ngx_http_im_convs_args_t),
    0,
    ngx_http_im_convs_check,
    ngx_http_im_unread
};


static ngx_int_t
ngx_http_im_unread(ngx_http_im_call_t *call)
{
    ngx_http_im_convs_t       *convs;
    ngx_http_im_convs_args_t  *args;

    args = call->args;

    convs = ngx_pcalloc(call->pool, sizeof(ngx_http_im_convs_t));
    if (convs == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_convs_fetch(call, convs, &args->from_id,
                            NGX_HTTP_IM_CONVS_INBOX_MAX);

    call->state = convs;
    call->next = ngx_http_im_unread_rows;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_unread_rows(ngx_http_im_call_t *call)
{
    ngx_int_t  rc;

    rc = ngx_http_im_convs_rows_fetch(call, call->state, NULL, NULL);

    return (rc == NGX_OK)
           ? ngx_http_im_call_continue(call, ngx_http_im_unread_answer) : rc;
}


static ngx_int_t
ngx_http_im_unread_answer(ngx_http_im_call_t *call)
{
    ngx_int_t             rc;
    ngx_http_im_convs_t  *convs;

    convs = call->state;

    rc = ngx_http_im_convs_rows_parse(call, convs);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_im_write_lit(&call->writer, "{\"total\":");
    ngx_http_im_write_int(&call->writer, convs->unread);
    ngx_http_im_write_lit(&call->writer, "}");

    return NGX_OK;
}
