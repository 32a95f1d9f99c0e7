
#include "ngx_http_im_writer.h"


#define NGX_HTTP_IM_WRITER_BUFFER_MIN   512
#define NGX_HTTP_IM_WRITER_BUFFER_MAX   65536

/* how many bytes are escaped at a time: "\u0000" is the longest escape */
#define NGX_HTTP_IM_WRITER_ESCAPE       64
#define NGX_HTTP_IM_WRITER_ESCAPE_LEN   (sizeof("\\u0000") - 1)


static ngx_buf_t *ngx_http_im_writer_buf_add(ngx_http_im_writer_t *w,
    u_char *data, size_t len);
static void ngx_http_im_writer_fail(ngx_http_im_writer_t *w);
static u_char *ngx_http_im_writer_digits(u_char *last, uint64_t n);
static void ngx_http_im_writer_escape(ngx_http_im_writer_t *w,
    const ngx_str_t *s);
static void ngx_http_im_writer_open(ngx_http_im_writer_t *w,
    ngx_uint_t array);
static void ngx_http_im_writer_leave(ngx_http_im_writer_t *w,
    ngx_uint_t array);


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
    size_t      n, size;
    u_char     *p;
    ngx_buf_t  *b;

    if (w->failed) {
        return;
    }

    if (w->last) {

        /* fill what is left of the last buffer */

        n = w->end - w->pos;

        if (n) {
            w->pos = ngx_cpymem(w->pos, data, n);
            data = (const u_char *) data + n;
            len -= n;
        }

        w->last->buf->last = w->pos;
        w->length += w->last->buf->last - w->last->buf->pos;
    }

    p = w->spare.data;
    size = w->spare.len;
    w->spare.len = 0;

    if (size < len) {

        if (w->last) {
            w->size = ngx_min(w->size * 2, NGX_HTTP_IM_WRITER_BUFFER_MAX);
        }

        w->size = ngx_max(w->size, len);
        size = w->size;

        p = ngx_palloc(w->pool, size);
        if (p == NULL) {
            ngx_http_im_writer_fail(w);
            return;
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, w->pool->log, 0,
                   "im writer:%p buffer size:%uz after:%O",
                   w, size, w->length);

    b = ngx_http_im_writer_buf_add(w, p, size);
    if (b == NULL) {
        return;
    }

    b->temporary = 1;

    w->pos = ngx_cpymem(b->pos, data, len);
    w->end = b->end;
}


void
ngx_http_im_writer_share(ngx_http_im_writer_t *w, const ngx_str_t *s)
{
    ngx_buf_t  *b;

    if (w->last == NULL || w->failed) {
        ngx_http_im_write_raw(w, s);
        return;
    }

    if (w->end != w->pos) {
        w->spare.data = w->pos;
        w->spare.len = w->end - w->pos;
    }

    w->last->buf->last = w->pos;
    w->length += w->last->buf->last - w->last->buf->pos;
    w->shared += s->len;

    b = ngx_http_im_writer_buf_add(w, s->data, s->len);
    if (b == NULL) {
        return;
    }

    b->memory = 1;

    w->pos = b->end;
    w->end = b->end;
}


static ngx_buf_t *
ngx_http_im_writer_buf_add(ngx_http_im_writer_t *w, u_char *data, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(w->pool);
    b = ngx_calloc_buf(w->pool);

    if (cl == NULL || b == NULL) {
        ngx_http_im_writer_fail(w);
        return NULL;
    }

    b->start = data;
    b->pos = data;
    b->last = data;
    b->end = data + len;

    cl->buf = b;
    cl->next = NULL;

    if (w->last) {
        w->last->next = cl;

    } else {
        w->first = cl;
    }

    w->last = cl;

    return b;
}


/* pos == end sends every later append to _grow, which does nothing */

static void
ngx_http_im_writer_fail(ngx_http_im_writer_t *w)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, w->pool->log, 0,
                   "im writer:%p failed depth:%ui after:%O",
                   w, (ngx_uint_t) w->depth, w->length);

    w->failed = 1;
    w->pos = w->end;
}


void
ngx_http_im_write_int(ngx_http_im_writer_t *w, int64_t n)
{
    u_char  buf[NGX_INT64_LEN], *p, *last;

    /* lists have one per conversation, and ngx_sprintf() is much slower */

    last = buf + sizeof(buf);

    if (n < 0) {
        p = ngx_http_im_writer_digits(last, 0 - (uint64_t) n);
        *--p = '-';

    } else {
        p = ngx_http_im_writer_digits(last, n);
    }

    ngx_http_im_write_bytes(w, p, last - p);
}


void
ngx_http_im_write_uint64(ngx_http_im_writer_t *w, uint64_t n)
{
    u_char  buf[NGX_INT64_LEN], *p, *last;

    last = buf + sizeof(buf);
    p = ngx_http_im_writer_digits(last, n);

    ngx_http_im_write_bytes(w, p, last - p);
}


/* writes backwards from last; the first digit */

static u_char *
ngx_http_im_writer_digits(u_char *last, uint64_t n)
{
    do {
        *--last = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return last;
}


void
ngx_http_im_write_seconds(ngx_http_im_writer_t *w, uint64_t ms)
{
    u_char      buf[4];
    ngx_uint_t  rest;

    ngx_http_im_write_uint64(w, ms / 1000);

    rest = ms % 1000;

    buf[0] = '.';
    buf[1] = (u_char) ('0' + rest / 100);
    buf[2] = (u_char) ('0' + rest / 10 % 10);
    buf[3] = (u_char) ('0' + rest % 10);

    ngx_http_im_write_bytes(w, buf, 4);
}


void
ngx_http_im_write_escaped(ngx_http_im_writer_t *w, const ngx_str_t *s)
{
    ngx_http_im_write_lit(w, "\"");
    ngx_http_im_writer_escape(w, s);
    ngx_http_im_write_lit(w, "\"");
}


/* in pieces, as each of them fits into a buffer on the stack */

static void
ngx_http_im_writer_escape(ngx_http_im_writer_t *w, const ngx_str_t *s)
{
    size_t   n, size;
    u_char  *end;
    u_char   buf[NGX_HTTP_IM_WRITER_ESCAPE * NGX_HTTP_IM_WRITER_ESCAPE_LEN];

    for (n = 0; n < s->len; n += size) {
        size = ngx_min(s->len - n, NGX_HTTP_IM_WRITER_ESCAPE);
        end = (u_char *) ngx_escape_json(buf, s->data + n, size);

        ngx_http_im_write_bytes(w, buf, end - buf);
    }
}


void
ngx_http_im_write_object_open(ngx_http_im_writer_t *w)
{
    ngx_http_im_writer_open(w, 0);
    ngx_http_im_write_lit(w, "{");
}


void
ngx_http_im_write_object_close(ngx_http_im_writer_t *w)
{
    ngx_http_im_writer_leave(w, 0);
    ngx_http_im_write_lit(w, "}");
}


void
ngx_http_im_write_array_open(ngx_http_im_writer_t *w)
{
    ngx_http_im_writer_open(w, 1);
    ngx_http_im_write_lit(w, "[");
}


void
ngx_http_im_write_array_close(ngx_http_im_writer_t *w)
{
    ngx_http_im_writer_leave(w, 1);
    ngx_http_im_write_lit(w, "]");
}


static void
ngx_http_im_writer_open(ngx_http_im_writer_t *w, ngx_uint_t array)
{
    if (w->depth == NGX_HTTP_IM_WRITER_DEPTH) {
        ngx_http_im_writer_fail(w);
        return;
    }

    /* a member has its comma before its name */

    if (w->arrays & (1u << w->depth)) {
        ngx_http_im_write_item(w);
    }

    w->depth++;

    w->filled &= ~(1u << w->depth);
    w->arrays &= ~(1u << w->depth);
    w->arrays |= array << w->depth;
}


static void
ngx_http_im_writer_leave(ngx_http_im_writer_t *w, ngx_uint_t array)
{
    if (w->depth == 0 || ((w->arrays >> w->depth) & 1) != array) {
        ngx_http_im_writer_fail(w);
        return;
    }

    w->depth--;
}


void
ngx_http_im_write_item(ngx_http_im_writer_t *w)
{
    uint32_t  level;

    level = 1u << w->depth;

    if (w->filled & level) {
        ngx_http_im_write_lit(w, ",");
    }

    w->filled |= level;
}


void
ngx_http_im_write_name(ngx_http_im_writer_t *w, const ngx_str_t *name)
{
    ngx_http_im_write_item(w);
    ngx_http_im_write_escaped(w, name);
    ngx_http_im_write_lit(w, ":");
}


void
ngx_http_im_write_name_bytes(ngx_http_im_writer_t *w, const void *data,
    size_t len)
{
    ngx_http_im_write_item(w);
    ngx_http_im_write_bytes(w, data, len);
}


off_t
ngx_http_im_writer_close(ngx_http_im_writer_t *w)
{
    if (w->failed || w->depth) {
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
