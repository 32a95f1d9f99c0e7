
#ifndef _NGX_HTTP_IM_WRITER_H_INCLUDED_
#define _NGX_HTTP_IM_WRITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Appends text to a chain of buffers that are allocated from a pool.  No
 * append returns an error: the first failure (out of memory, or JSON that is
 * nested wrongly) sets failed, later appends do nothing, and
 * ngx_http_im_writer_close() reports it.
 *
 * Text of any format: _bytes, _raw, _lit, _int, _uint64, _seconds.
 *
 * JSON can be written in two ways, which may be mixed.  With literals the
 * caller writes all punctuation himself.  With _object_open, _array_open,
 * _name and _item the commas come by themselves:
 *
 *     ngx_http_im_write_object_open(w);
 *     ngx_http_im_write_name_lit(w, "total");
 *     ngx_http_im_write_int(w, total);
 *     ngx_http_im_write_name_lit(w, "ids");
 *     ngx_http_im_write_array_open(w);
 *
 *     for (i = 0; i < n; i++) {
 *         ngx_http_im_write_item(w);
 *         ngx_http_im_write_quoted(w, &id[i]);
 *     }
 *
 *     ngx_http_im_write_array_close(w);
 *     ngx_http_im_write_object_close(w);
 */

#define NGX_HTTP_IM_WRITER_DEPTH   16     /* of nested objects and arrays */

/* bytes; shorter texts are always copied */
#define NGX_HTTP_IM_WRITER_SHARED  8192


typedef struct {
    ngx_pool_t    *pool;
    ngx_chain_t   *first;
    ngx_chain_t   *last;
    u_char        *pos;       /* where the next byte goes */
    u_char        *end;
    size_t         size;      /* of the next buffer */
    off_t          length;    /* of the buffers before the last */
    size_t         shared;    /* bytes of all that are not copied */
    ngx_str_t      spare;     /* left of a buffer before such a one */
    uint32_t       filled;    /* a bit for each level: not empty, */
    uint32_t       arrays;    /* is an array */
    unsigned       depth:8;
    unsigned       failed:1;
} ngx_http_im_writer_t;


/* the answer fits into one buffer if size is not less than its length */
void ngx_http_im_writer_init(ngx_http_im_writer_t *w, ngx_pool_t *pool,
    size_t size);

/* _bytes, where the current buffer is too small */
void ngx_http_im_writer_grow(ngx_http_im_writer_t *w, const void *data,
    size_t len);

/* _shared, where the text is long */
void ngx_http_im_writer_share(ngx_http_im_writer_t *w, const ngx_str_t *s);

/* ends the last buffer; the length of all of them, or NGX_ERROR */
off_t ngx_http_im_writer_close(ngx_http_im_writer_t *w);

void ngx_http_im_write_int(ngx_http_im_writer_t *w, int64_t n);
void ngx_http_im_write_uint64(ngx_http_im_writer_t *w, uint64_t n);

/* milliseconds as seconds with three decimals */
void ngx_http_im_write_seconds(ngx_http_im_writer_t *w, uint64_t ms);

/* a JSON string: escapes what JSON requires, adds the quotes */
void ngx_http_im_write_escaped(ngx_http_im_writer_t *w, const ngx_str_t *s);

/* an object or array: a member's value, an array's element, or all there is */
void ngx_http_im_write_object_open(ngx_http_im_writer_t *w);
void ngx_http_im_write_object_close(ngx_http_im_writer_t *w);
void ngx_http_im_write_array_open(ngx_http_im_writer_t *w);
void ngx_http_im_write_array_close(ngx_http_im_writer_t *w);

/*
 * A member's name, its value must follow: from a string, which is escaped,
 * or with quotes and colon given as they are to be written.
 */
void ngx_http_im_write_name(ngx_http_im_writer_t *w, const ngx_str_t *name);
void ngx_http_im_write_name_bytes(ngx_http_im_writer_t *w, const void *data,
    size_t len);

/* before an element that is no object or array: the comma, where needed */
void ngx_http_im_write_item(ngx_http_im_writer_t *w);

/*
 * Escapes a string for JSON into memory of the pool, without quotes around
 * it; NGX_OK or NGX_ERROR.
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


/*
 * A text that lives as long as the chain does.  A long one becomes a buffer of
 * its own, so that a large answer is not in memory twice.
 */

static ngx_inline void
ngx_http_im_write_shared(ngx_http_im_writer_t *w, const ngx_str_t *s)
{
    if (s->len < NGX_HTTP_IM_WRITER_SHARED) {
        ngx_http_im_write_bytes(w, s->data, s->len);
        return;
    }

    ngx_http_im_writer_share(w, s);
}


/* a JSON string that is escaped already, or needs no escape */

static ngx_inline void
ngx_http_im_write_quoted(ngx_http_im_writer_t *w, const ngx_str_t *s)
{
    ngx_http_im_write_bytes(w, "\"", 1);
    ngx_http_im_write_bytes(w, s->data, s->len);
    ngx_http_im_write_bytes(w, "\"", 1);
}


#define ngx_http_im_write_lit(w, s)                                           \
    ngx_http_im_write_bytes(w, s, sizeof(s) - 1)

/* a member's name that is a string literal and needs no escape */
#define ngx_http_im_write_name_lit(w, s)                                      \
    ngx_http_im_write_name_bytes(w, "\"" s "\":", sizeof("\"" s "\":") - 1)


#endif /* _NGX_HTTP_IM_WRITER_H_INCLUDED_ */
