
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

    rc = ngx_http_im_convs_rows_fetch(call, call->state, 0, NULL);

    return (rc == NGX_OK)
           ? ngx_http_im_call_continue(call, ngx_http_im_unread_answer) : rc;
}


static ngx_int_t
ngx_http_im_unread_answer(ngx_http_im_call_t *call)
{
    int64_t               total;
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_http_im_convs_t  *convs;

    convs = call->state;
    total = 0;

    for (i = 0; i < convs->nrows; i++) {
        rc = ngx_http_im_convs_row_parse(call, convs, &convs->rows[i]);

        if (rc == NGX_DONE) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        total += convs->rows[i].unread;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im unread convs:%ui total:%L job:%p",
                   convs->nrows, total, call->job);

    ngx_http_im_write_lit(&call->writer, "{\"total\":");
    ngx_http_im_write_int(&call->writer, total);
    ngx_http_im_write_lit(&call->writer, "}");

    return NGX_OK;
}
