
#ifndef _NGX_HTTP_IM_WRITER_H_INCLUDED_
#define _NGX_HTTP_IM_WRITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Writes JSON into a chain of buffers.  An append never fails by itself: the
 * first failure sticks, later appends do nothing, the caller asks once at the
 * end.  The buffers live in the pool.
 */

typedef struct {
    ngx_pool_t    *pool;
    ngx_chain_t   *first;
    ngx_chain_t   *last;
    u_char        *pos;       /* where the next byte goes */
    u_char        *end;
    size_t         size;      /* of the next buffer */
    off_t          length;    /* of the buffers before the last */
    unsigned       failed:1;
} ngx_http_im_writer_t;


/* a hint of the size lets the answer go into one buffer */
void ngx_http_im_writer_init(ngx_http_im_writer_t *w, ngx_pool_t *pool,
    size_t size);

void ngx_http_im_writer_grow(ngx_http_im_writer_t *w, const void *data,
    size_t len);

void ngx_http_im_write_int(ngx_http_im_writer_t *w, int64_t n);

/* closes the last buffer; the length of all, or NGX_ERROR if any failed */
off_t ngx_http_im_writer_close(ngx_http_im_writer_t *w);

/*
 * Escapes what JSON asks to be escaped and nothing else; the result is ready
 * to stand between quotes.
 */
ngx_int_t ngx_http_im_json_escape(ngx_pool_t *pool, ngx_str_t *dst,
    const u_char *src, size_t len);


static ngx_inline void
ngx_http_im_write_bytes(ngx_http_im_writer_t *w, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }

    if ((size_t) (w->end - w->pos) >= len) {
        w->pos = ngx_cpymem(w->pos, data, len);
        return;
    }

    ngx_http_im_writer_grow(w, data, len);
}


static ngx_inline void
ngx_http_im_write_raw(ngx_http_im_writer_t *w, const ngx_str_t *s)
{
    ngx_http_im_write_bytes(w, s->data, s->len);
}


/* a string that needs no escape, or is escaped, between quotes */

static ngx_inline void
ngx_http_im_write_quoted(ngx_http_im_writer_t *w, const ngx_str_t *s)
{
    ngx_http_im_write_bytes(w, "\"", 1);
    ngx_http_im_write_bytes(w, s->data, s->len);
    ngx_http_im_write_bytes(w, "\"", 1);
}


#define ngx_http_im_write_lit(w, s)                                           \
    ngx_http_im_write_bytes(w, s, sizeof(s) - 1)


#endif /* _NGX_HTTP_IM_WRITER_H_INCLUDED_ */
