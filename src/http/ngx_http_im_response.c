
#include "ngx_http_im.h"
#include "ngx_http_im_response.h"


static ngx_int_t ngx_http_im_response_replies_keep(ngx_http_request_t *r,
    ngx_http_im_call_t *call);
static void ngx_http_im_response_replies_cleanup(void *data);


static const ngx_str_t  ngx_http_im_response_json =
    ngx_string("application/json");


off_t
ngx_http_im_response_close(ngx_http_im_call_t *call)
{
    if (call->writer.first == NULL) {
        ngx_http_im_write_lit(&call->writer, "{}");
    }

    return ngx_http_im_writer_close(&call->writer);
}


size_t
ngx_http_im_response_size(ngx_http_im_call_t *call, off_t length)
{
    size_t  shared;

    shared = call->writer.shared;

    if (shared == 0) {
        return length;
    }

    return length - shared + ngx_max(call->job->held, shared);
}


void
ngx_http_im_response_free(ngx_http_im_call_t *call)
{
    ngx_chain_t  *cl;

    for (cl = call->writer.first; cl; cl = cl->next) {
        (void) ngx_pfree(call->writer.pool, cl->buf->start);
    }

    call->writer.first = NULL;
}


ngx_int_t
ngx_http_im_response(ngx_http_request_t *r, ngx_http_im_call_t *call,
    off_t length)
{
    if (ngx_http_im_response_set(r, "X-IM-Conv-Id", &call->made_conv) != NGX_OK
        || ngx_http_im_response_set(r, "X-IM-Msg-Id", &call->made_msg)
           != NGX_OK
        || ngx_http_im_response_set(r, "X-IM-Msg-Time", &call->made_time)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (call->writer.shared
        && ngx_http_im_response_replies_keep(r, call) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_response_send(r, NGX_HTTP_OK,
                                     &ngx_http_im_response_json,
                                     call->writer.first, length);
}


/* the answer has buffers in them: they live as long as the request */

static ngx_int_t
ngx_http_im_response_replies_keep(ngx_http_request_t *r,
    ngx_http_im_call_t *call)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->data = ngx_http_im_job_pool_take(call->job);
    if (cln->data == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_im_response_replies_cleanup;

    return NGX_OK;
}


static void
ngx_http_im_response_replies_cleanup(void *data)
{
    ngx_pool_t  *pool = data;

    ngx_destroy_pool(pool);
}


ngx_int_t
ngx_http_im_response_error(ngx_http_request_t *r, ngx_http_im_error_e id,
    ngx_str_t *text)
{
    off_t                      length;
    u_char                     seconds[NGX_INT_T_LEN];
    ngx_str_t                  escaped, value;
    ngx_http_im_ctx_t         *ctx;
    ngx_http_im_writer_t       w;
    ngx_http_im_loc_conf_t    *lcf;
    const ngx_http_im_code_t  *error;

    error = ngx_http_im_error_code(id);

    if (text == NULL) {
        text = (ngx_str_t *) &error->text;
    }

    if (ngx_http_im_json_escape(r->pool, &escaped, text->data, text->len)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_im_writer_init(&w, r->pool, 64 + error->code.len + escaped.len);

    ngx_http_im_write_lit(&w, "{\"code\":\"");
    ngx_http_im_write_raw(&w, &error->code);
    ngx_http_im_write_lit(&w, "\",\"error\":\"");
    ngx_http_im_write_raw(&w, &escaped);
    ngx_http_im_write_lit(&w, "\"}");

    length = ngx_http_im_writer_close(&w);

    if (length == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (id == NGX_HTTP_IM_METHOD_NOT_ALLOWED) {
        lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

        if (lcf->pass) {
            ngx_str_set(&value, "POST");

        } else {
            ngx_str_set(&value, "GET, HEAD");
        }

        if (ngx_http_im_response_set(r, "Allow", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (id == NGX_HTTP_IM_STORE_UNAVAILABLE
        || id == NGX_HTTP_IM_TOO_MANY_REQUESTS)
    {
        ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

        value.data = seconds;
        value.len = ngx_sprintf(seconds, "%ui",
                                (ctx && ctx->retry_after) ? ctx->retry_after
                                                          : 1)
                    - seconds;

        if (ngx_http_im_response_set(r, "Retry-After", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_im_response_send(r, error->status,
                                     &ngx_http_im_response_json, w.first,
                                     length);
}


ngx_int_t
ngx_http_im_response_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, ngx_chain_t *out, off_t length)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    for (cl = out; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main);
    cl->buf->last_in_chain = 1;

    /*
     * An answer is made for one request and has no validators: conditions
     * and ranges in the request do not apply to it, nor do validators that
     * other modules add.
     */

    r->disable_not_modified = 1;
    r->allow_ranges = 0;

    r->headers_out.status = status;
    r->headers_out.content_length_n = length;

    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im response status:%ui length:%O header rc:%i",
                   status, length, rc);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


ngx_int_t
ngx_http_im_response_header(ngx_http_request_t *r, const char *key,
    size_t len, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    if (value->len == 0) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = len;
    h->value.len = value->len;
    h->value.data = ngx_pstrdup(r->pool, value);

    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
}
