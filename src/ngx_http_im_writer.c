
#include "ngx_http_im_writer.h"


#define NGX_HTTP_IM_WRITER_BUFFER_MIN   512
#define NGX_HTTP_IM_WRITER_BUFFER_MAX   65536


void
ngx_http_im_writer_init(ngx_http_im_writer_t *w, ngx_pool_t *pool, size_t size)
{
    ngx_memzero(w, sizeof(ngx_http_im_writer_t));

    w->pool = pool;
    w->size = ngx_max(size, NGX_HTTP_IM_WRITER_BUFFER_MIN);
}


void
ngx_http_im_writer_grow(ngx_http_im_writer_t *w, const void *data, size_t len)
{
    size_t        n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (w->failed) {
        return;
    }

    if (w->last) {

        /* what is left of the last buffer is filled before it is closed */

        n = w->end - w->pos;
        w->pos = ngx_cpymem(w->pos, data, n);
        data = (const u_char *) data + n;
        len -= n;

        w->last->buf->last = w->pos;
        w->length += w->last->buf->last - w->last->buf->pos;
        w->size = ngx_min(w->size * 2, NGX_HTTP_IM_WRITER_BUFFER_MAX);
    }

    w->size = ngx_max(w->size, len);

    cl = ngx_alloc_chain_link(w->pool);
    b = ngx_create_temp_buf(w->pool, w->size);

    if (cl == NULL || b == NULL) {
        w->failed = 1;
        w->pos = w->end;
        return;
    }

    cl->buf = b;
    cl->next = NULL;

    if (w->last) {
        w->last->next = cl;

    } else {
        w->first = cl;
    }

    w->last = cl;
    w->pos = ngx_cpymem(b->pos, data, len);
    w->end = b->end;
}


void
ngx_http_im_write_int(ngx_http_im_writer_t *w, int64_t n)
{
    u_char    buf[NGX_INT64_LEN], *p, *last;
    uint64_t  rest;

    /* a list has one for each conversation, and ngx_sprintf() costs 170 */

    last = buf + sizeof(buf);
    p = last;
    rest = (n < 0) ? 0 - (uint64_t) n : (uint64_t) n;

    do {
        *--p = (u_char) ('0' + rest % 10);
        rest /= 10;
    } while (rest);

    if (n < 0) {
        *--p = '-';
    }

    ngx_http_im_write_bytes(w, p, last - p);
}


off_t
ngx_http_im_writer_close(ngx_http_im_writer_t *w)
{
    if (w->failed) {
        return NGX_ERROR;
    }

    if (w->last == NULL) {
        return 0;
    }

    w->last->buf->last = w->pos;

    return w->length + (w->pos - w->last->buf->pos);
}


ngx_int_t
ngx_http_im_json_escape(ngx_pool_t *pool, ngx_str_t *dst, const u_char *src,
    size_t len)
{
    size_t  escape;

    escape = (len == 0) ? 0 : ngx_escape_json(NULL, (u_char *) src, len);

    dst->len = len + escape;
    dst->data = ngx_pnalloc(pool, dst->len ? dst->len : 1);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    if (escape) {
        ngx_escape_json(dst->data, (u_char *) src, len);

    } else {
        ngx_memcpy(dst->data, src, len);
    }

    return NGX_OK;
}
