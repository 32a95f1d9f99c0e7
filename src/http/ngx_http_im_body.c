
#include "ngx_http_im_body.h"


static void ngx_http_im_body_start_handler(ngx_http_request_t *r);
static void ngx_http_im_body_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_im_body_next(ngx_http_request_t *r,
    ngx_http_im_body_t *body);
static void ngx_http_im_body_done(ngx_http_request_t *r,
    ngx_http_im_body_t *body, ngx_int_t rc);
static void ngx_http_im_body_drop_start(ngx_http_request_t *r,
    ngx_http_im_body_t *body);
static void ngx_http_im_body_timer_handler(ngx_event_t *ev);
static void ngx_http_im_body_linger_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_im_body_discard(ngx_http_request_t *r,
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


ngx_int_t
ngx_http_im_body_drop(ngx_http_request_t *r, ngx_http_im_body_t *body,
    ngx_http_im_body_handler_pt handler)
{
    ngx_http_im_body_drop_start(r, body);

    return ngx_http_im_body_read(r, body, 0, handler);
}


void
ngx_http_im_body_end(ngx_http_im_body_t *body)
{
    if (body->timer.timer_set) {
        ngx_del_timer(&body->timer);
    }
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

    if (rc != NGX_AGAIN) {
        ngx_http_im_body_done(r, body, rc);
    }
}


static void
ngx_http_im_body_done(ngx_http_request_t *r, ngx_http_im_body_t *body,
    ngx_int_t rc)
{
    ngx_http_im_body_end(body);

    if (body->drop && rc == NGX_HTTP_REQUEST_TIME_OUT) {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        r->read_event_handler = ngx_http_block_reading;
    }

    body->handler(r, body, rc);
}


static void
ngx_http_im_body_drop_start(ngx_http_request_t *r, ngx_http_im_body_t *body)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im body drop after:%uz len:%O",
                   body->len, r->headers_in.content_length_n);

    body->drop = 1;
    body->dropped = body->len;

    body->timer.handler = ngx_http_im_body_timer_handler;
    body->timer.data = r;
    body->timer.log = r->connection->log;

    ngx_add_timer(&body->timer, NGX_HTTP_IM_BODY_DROP_TIME);
}


static void
ngx_http_im_body_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_im_ctx_t   *ctx;
    ngx_http_request_t  *r;

    r = ev->data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "im body drop ends after:%uz", ctx->body.dropped);

    ngx_http_im_body_done(r, &ctx->body, NGX_DECLINED);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_im_body_linger(ngx_http_request_t *r, ngx_http_im_body_t *body,
    ngx_int_t rc)
{
    if (rc != NGX_OK || !r->reading_body
        || r->http_version < NGX_HTTP_VERSION_20)
    {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im body linger");

    body->timer.handler = ngx_http_im_body_linger_handler;
    body->timer.data = r;
    body->timer.log = r->connection->log;

    ngx_add_timer(&body->timer, NGX_HTTP_IM_BODY_LINGER);
}


static void
ngx_http_im_body_linger_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ev->data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, NGX_OK);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_im_body_next(ngx_http_request_t *r, ngx_http_im_body_t *body)
{
    ngx_int_t  rc;

    for ( ;; ) {

        rc = ngx_http_im_body_take(r, body);

        if (rc == NGX_OK && !r->reading_body && body->drop) {
            return NGX_DECLINED;
        }

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

    if (body->drop) {
        return ngx_http_im_body_discard(r, body);
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

            if (!r->reading_body || r->http_version < NGX_HTTP_VERSION_20) {
                return NGX_DECLINED;
            }

            ngx_http_im_body_drop_start(r, body);

            return ngx_http_im_body_discard(r, body);
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
ngx_http_im_body_discard(ngx_http_request_t *r, ngx_http_im_body_t *body)
{
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        body->dropped += ngx_buf_size(cl->buf);

        if (r->reading_body) {
            cl->buf->pos = cl->buf->last;
        }
    }

    if (r->reading_body) {
        r->request_body->bufs = NULL;
    }

    return (body->dropped > NGX_HTTP_IM_BODY_DROP_MAX) ? NGX_DECLINED : NGX_OK;
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


size_t
ngx_http_im_body_limit(ngx_http_core_loc_conf_t *clcf, size_t max)
{
    if (clcf->client_max_body_size
        && clcf->client_max_body_size < (off_t) max)
    {
        max = clcf->client_max_body_size;
    }

    clcf->client_max_body_size = 0;

    return max;
}


size_t
ngx_http_im_body_max(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    return (ctx && ctx->op && ctx->op->write == NGX_HTTP_IM_OP_IMPORT)
           ? lcf->import_max : lcf->body_max;
}


ngx_int_t
ngx_http_im_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    off_t                     len;
    ngx_http_im_ctx_t        *ctx;
    ngx_http_im_loc_conf_t   *lcf;
    ngx_http_im_main_conf_t  *imcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);
    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    if (lcf->pass == NULL) {
        return imcf->next_body_filter(r, in);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

    if (ctx == NULL || ctx->body.handler == NULL) {

        /* of a body without a length, the bytes until now */

        len = ngx_max(r->headers_in.content_length_n,
                      r->request_body->received);

        if (len > (off_t) ngx_http_im_body_max(r, ctx)) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "client intended to send too large body: %O bytes",
                          len);

            r->lingering_close = 1;

            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }
    }

    return imcf->next_body_filter(r, in);
}
