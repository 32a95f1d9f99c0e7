
#include "ngx_http_im.h"


static void ngx_http_im_body_start_handler(ngx_http_request_t *r);
static void ngx_http_im_body_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_im_body_next(ngx_http_request_t *r,
    ngx_http_im_body_t *body);
static ngx_int_t ngx_http_im_body_take(ngx_http_request_t *r,
    ngx_http_im_body_t *body);
static ngx_int_t ngx_http_im_body_append(ngx_http_request_t *r,
    ngx_http_im_body_t *body, ngx_buf_t *b);
static ngx_int_t ngx_http_im_body_read_file(ngx_http_request_t *r,
    ngx_buf_t *b, u_char *dst, size_t size);


ngx_int_t
ngx_http_im_body_read(ngx_http_request_t *r, ngx_http_im_body_t *body,
    size_t limit, ngx_http_im_body_handler_pt handler)
{
    ngx_int_t  rc;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im body read len:%O limit:%uz",
                   r->headers_in.content_length_n, limit);

    body->limit = limit;
    body->handler = handler;

    /* so that the size of a chunked body is known while it is received */

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_im_body_start_handler);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_http_im_body_start_handler(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_im_body_read_handler;

    ngx_http_im_body_read_handler(r);
}


static void
ngx_http_im_body_read_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_http_im_ctx_t   *ctx;
    ngx_http_im_body_t  *body;

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);
    body = &ctx->body;

    rc = ngx_http_im_body_next(r, body);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im body rc:%i len:%uz limit:%uz",
                   rc, body->len, body->limit);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_OK) {
        r->read_event_handler = ngx_http_block_reading;
    }

    body->handler(r, body, rc);
}


static ngx_int_t
ngx_http_im_body_next(ngx_http_request_t *r, ngx_http_im_body_t *body)
{
    ngx_int_t  rc;

    for ( ;; ) {

        rc = ngx_http_im_body_take(r, body);

        if (rc != NGX_OK || !r->reading_body) {
            return rc;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return NGX_AGAIN;
        }
    }
}


/*
 * Moves what was received to the body; NGX_DECLINED when it is too much.  Most
 * bodies are one buffer and are not copied.
 */

static ngx_int_t
ngx_http_im_body_take(ngx_http_request_t *r, ngx_http_im_body_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;

    if (!r->reading_body && body->data == NULL && cl->next == NULL
        && !cl->buf->in_file)
    {
        body->data = cl->buf->pos;
        body->len = cl->buf->last - cl->buf->pos;

        return (body->len > body->limit) ? NGX_DECLINED : NGX_OK;
    }

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (body->len + ngx_buf_size(b) > body->limit) {
            return NGX_DECLINED;
        }

        rc = ngx_http_im_body_append(r, body, b);
        if (rc != NGX_OK) {
            return rc;
        }

        if (r->request_body->temp_file == NULL && r->reading_body) {
            b->pos = b->last;
        }
    }

    if (r->reading_body) {
        r->request_body->bufs = NULL;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_body_append(ngx_http_request_t *r, ngx_http_im_body_t *body,
    ngx_buf_t *b)
{
    u_char  *data;
    size_t   size;

    size = ngx_buf_size(b);

    if (size == 0) {
        return NGX_OK;
    }

    if (body->len + size > body->capacity) {
        body->capacity = ngx_max(2 * (body->len + size), 1024);

        data = ngx_pnalloc(r->pool, body->capacity);
        if (data == NULL) {
            return NGX_ERROR;
        }

        if (body->len) {
            ngx_memcpy(data, body->data, body->len);
        }

        body->data = data;
    }

    data = body->data + body->len;

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(data, b->pos, size);

    } else if (ngx_http_im_body_read_file(r, b, data, size) != NGX_OK) {
        return NGX_ERROR;
    }

    body->len += size;

    return NGX_OK;
}


/* a file that another module has read the body to, in the page cache yet */

static ngx_int_t
ngx_http_im_body_read_file(ngx_http_request_t *r, ngx_buf_t *b, u_char *dst,
    size_t size)
{
    ssize_t  n;

    n = ngx_read_file(b->file, dst, size, b->file_pos);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (n != (ssize_t) size) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      ngx_read_file_n " \"%V\" returned only %z bytes instead "
                      "of %uz", &b->file->name, n, size);
        return NGX_ERROR;
    }

    return NGX_OK;
}
