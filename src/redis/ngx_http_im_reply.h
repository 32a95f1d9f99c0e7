
#ifndef _NGX_HTTP_IM_REPLY_H_INCLUDED_
#define _NGX_HTTP_IM_REPLY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_HTTP_IM_REPLY_NIL = 0,
    NGX_HTTP_IM_REPLY_STRING,
    NGX_HTTP_IM_REPLY_INTEGER,
    NGX_HTTP_IM_REPLY_STATUS,
    NGX_HTTP_IM_REPLY_ERROR,
    NGX_HTTP_IM_REPLY_ARRAY
} ngx_http_im_reply_e;


typedef struct ngx_http_im_reply_s  ngx_http_im_reply_t;

struct ngx_http_im_reply_s {
    ngx_http_im_reply_e     type;
    ngx_str_t               str;       /* STRING, STATUS, ERROR */
    int64_t                 integer;
    ngx_uint_t              nelts;     /* ARRAY */
    ngx_http_im_reply_t    *elts;
};


/*
 * The limits of one reply: what a store may make a worker hold.  A reply over
 * the first three is read and dropped, and an error is in its place; what is
 * over the last three cannot be a reply to a command of ours.
 */
#define NGX_HTTP_IM_REPLY_MAX_ELTS    65536
#define NGX_HTTP_IM_REPLY_MAX_BULK    (8 * 1024 * 1024)
#define NGX_HTTP_IM_REPLY_MAX_SIZE    (64 * 1024 * 1024)

#define NGX_HTTP_IM_REPLY_MAX_DEPTH   4
#define NGX_HTTP_IM_REPLY_SKIP_ELTS   (16 * 1024 * 1024)
#define NGX_HTTP_IM_REPLY_SKIP_BULK   (512 * 1024 * 1024)


/*
 * Bytes of a connection become replies.  The decoder belongs to the
 * connection; a reply is built in the pool named when it is asked for, which
 * must stay until the reply is whole, however many reads that takes.
 */

typedef struct {
    void                   *reader;    /* hiredis */
    ngx_pool_t             *pool;      /* of the reply being read, or NULL */
    size_t                  size;      /* of the reply being read */
    size_t                  whole;     /* of the last one that was read */
    size_t                  skip;      /* bytes to come that are dropped */
    const char             *over;      /* the limit that the reply is over */
    ngx_http_im_reply_t     root;
    const char             *error;     /* set with NGX_ERROR */
} ngx_http_im_decoder_t;


ngx_int_t ngx_http_im_decoder_init(ngx_http_im_decoder_t *d);
void ngx_http_im_decoder_free(ngx_http_im_decoder_t *d);
ngx_int_t ngx_http_im_decoder_feed(ngx_http_im_decoder_t *d, u_char *buf,
    size_t len);

/*
 * NGX_OK: d->root is a reply (of a nil where pool is NULL: it was skipped, of
 * an error where it is over a limit); NGX_AGAIN: more bytes are needed;
 * NGX_ERROR: no reply to a command of ours: the connection must be closed.
 */
ngx_int_t ngx_http_im_decoder_next(ngx_http_im_decoder_t *d,
    ngx_pool_t *pool);

/*
 * NGX_OK: the next reply is an error, of which the line is there; error is
 * valid until the next call.
 */
ngx_int_t ngx_http_im_decoder_error(ngx_http_im_decoder_t *d,
    ngx_str_t *error);

/* bytes are left that were not asked for */
ngx_uint_t ngx_http_im_decoder_pending(ngx_http_im_decoder_t *d);


/* typed getters: NGX_ERROR where the reply is of another type */

ngx_int_t ngx_http_im_reply_string(ngx_http_im_reply_t *reply,
    ngx_str_t *str);                           /* NGX_DECLINED: nil */
ngx_int_t ngx_http_im_reply_int(ngx_http_im_reply_t *reply, int64_t *n);
ngx_int_t ngx_http_im_reply_array(ngx_http_im_reply_t *reply,
    ngx_uint_t nelts);

#endif /* _NGX_HTTP_IM_REPLY_H_INCLUDED_ */
