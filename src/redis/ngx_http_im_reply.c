
#include "ngx_http_im_reply.h"
#include <hiredis/hiredis.h>


/* what hiredis 1.0 changed */

#if (HIREDIS_MAJOR >= 1)

typedef size_t  ngx_http_im_nelts_t;
#define ngx_http_im_reader_task(reader)  (reader)->task[(reader)->ridx]

#else

typedef int  ngx_http_im_nelts_t;
#define ngx_http_im_reader_task(reader)  (&(reader)->rstack[(reader)->ridx])

#endif


static ngx_int_t ngx_http_im_decoder_await(ngx_http_im_decoder_t *d);
static ngx_int_t ngx_http_im_decoder_cut(ngx_http_im_decoder_t *d,
    u_char *end, size_t n);
static void ngx_http_im_decoder_over(ngx_http_im_decoder_t *d,
    const char *limit);
static void *ngx_http_im_reply_create_string(const redisReadTask *task,
    char *str, size_t len);
static void *ngx_http_im_reply_create_array(const redisReadTask *task,
    ngx_http_im_nelts_t nelts);
static void *ngx_http_im_reply_create_integer(const redisReadTask *task,
    long long value);
static void *ngx_http_im_reply_create_nil(const redisReadTask *task);

#if (HIREDIS_MAJOR >= 1)
static void *ngx_http_im_reply_create_double(const redisReadTask *task,
    double value, char *str, size_t len);
static void *ngx_http_im_reply_create_bool(const redisReadTask *task,
    int value);
#endif

static void ngx_http_im_reply_free(void *reply);
static ngx_http_im_reply_t *ngx_http_im_reply_slot(const redisReadTask *task,
    size_t size);


/* hiredis has no const here, yet it never writes to it */

static redisReplyObjectFunctions  ngx_http_im_reply_functions = {
    .createString = ngx_http_im_reply_create_string,
    .createArray = ngx_http_im_reply_create_array,
    .createInteger = ngx_http_im_reply_create_integer,
    .createNil = ngx_http_im_reply_create_nil,
#if (HIREDIS_MAJOR >= 1)
    /* for one that is not set hiredis makes the type number the object */
    .createDouble = ngx_http_im_reply_create_double,
    .createBool = ngx_http_im_reply_create_bool,
#endif
    .freeObject = ngx_http_im_reply_free
};


ngx_int_t
ngx_http_im_decoder_init(ngx_http_im_decoder_t *d)
{
    redisReader  *reader;

    ngx_memzero(d, sizeof(ngx_http_im_decoder_t));

    reader = redisReaderCreateWithFunctions(&ngx_http_im_reply_functions);
    if (reader == NULL) {
        return NGX_ERROR;
    }

    /* the buffer is kept: it is bounded, and grown anew it would be copied */

    reader->maxbuf = 0;
    reader->privdata = d;
    d->reader = reader;

    return NGX_OK;
}


void
ngx_http_im_decoder_free(ngx_http_im_decoder_t *d)
{
    if (d->reader) {
        redisReaderFree(d->reader);
        d->reader = NULL;
    }
}


ngx_int_t
ngx_http_im_decoder_feed(ngx_http_im_decoder_t *d, u_char *buf, size_t len)
{
    size_t        n;
    redisReader  *reader = d->reader;

    n = ngx_min(d->skip, len);

    d->skip -= n;
    buf += n;
    len -= n;

    if (len == 0) {
        return NGX_OK;
    }

    /* a bulk string is awaited whole; its length is the sender's word */

    if (reader->len - reader->pos + len
        > NGX_HTTP_IM_REPLY_MAX_BULK + 65536)
    {
        d->error = "a bulk string is too long";
        return NGX_ERROR;
    }

    if (redisReaderFeed(reader, (char *) buf, len) != REDIS_OK) {
        d->error = reader->errstr;
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_im_decoder_next(ngx_http_im_decoder_t *d, ngx_pool_t *pool)
{
    void         *root;
    ngx_int_t     rc;
    redisReader  *reader = d->reader;

    d->pool = d->over ? NULL : pool;
    root = NULL;

    if (reader->ridx < 0) {
        ngx_memzero(&d->root, sizeof(ngx_http_im_reply_t));
    }

    for ( ;; ) {

        if (redisReaderGetReply(reader, &root) != REDIS_OK) {

            if (d->error == NULL) {
                d->error = reader->errstr;
            }

            return NGX_ERROR;
        }

        if (root) {
            break;
        }

        rc = ngx_http_im_decoder_await(d);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    d->whole = d->size;
    d->size = 0;

    if (d->over) {
        d->root.type = NGX_HTTP_IM_REPLY_ERROR;
        d->root.str.data = (u_char *) d->over;
        d->root.str.len = ngx_strlen(d->over);
        d->over = NULL;
    }

    return NGX_OK;
}


/*
 * hiredis waits for a bulk string however long it says it is; that is judged
 * here, as soon as the length is there.  NGX_OK: the string was cut, there is
 * more to decode.
 */

static ngx_int_t
ngx_http_im_decoder_await(ngx_http_im_decoder_t *d)
{
    u_char       *p, *last;
    size_t        n;
    redisReader  *reader = d->reader;

    /* the "$" is read, the length is not before the string is whole */

    if (reader->ridx < 0
        || ngx_http_im_reader_task(reader)->type != REDIS_REPLY_STRING)
    {
        return NGX_AGAIN;
    }

    p = (u_char *) reader->buf + reader->pos;
    last = (u_char *) reader->buf + reader->len;

    for (n = 0; p < last && *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (*p - '0');

        if (n > NGX_HTTP_IM_REPLY_SKIP_BULK) {
            d->error = "a bulk string is too long";
            return NGX_ERROR;
        }
    }

    if (n > NGX_HTTP_IM_REPLY_MAX_BULK && last - p > 4
        && p[0] == CR && p[1] == LF)
    {
        return ngx_http_im_decoder_cut(d, p, n);
    }

    return NGX_AGAIN;
}


/*
 * Makes hiredis take what it has of a string of n bytes, whose length ends
 * before "end", for the whole of it; the rest will not come to it.
 */

static ngx_int_t
ngx_http_im_decoder_cut(ngx_http_im_decoder_t *d, u_char *end, size_t n)
{
    size_t        size;
    u_char        len[NGX_SIZE_T_LEN], *p;
    redisReader  *reader = d->reader;

    size = (u_char *) reader->buf + reader->len - (end + 2);

    /* not whole, so less than n + 2; and it has no more digits */

    d->skip = n + 2 - size;

    p = ngx_sprintf(len, "%uz", size - 2);
    reader->pos = end - (p - len) - (u_char *) reader->buf;
    ngx_memcpy(end - (p - len), len, p - len);

    ngx_http_im_decoder_over(d, "a bulk string is too long");

    return NGX_OK;
}


/* what is left of the reply is decoded, but not kept */

static void
ngx_http_im_decoder_over(ngx_http_im_decoder_t *d, const char *limit)
{
    d->over = limit;
    d->pool = NULL;
}


ngx_int_t
ngx_http_im_decoder_error(ngx_http_im_decoder_t *d, ngx_str_t *error)
{
    u_char       *p, *last;
    redisReader  *reader = d->reader;

    p = (u_char *) reader->buf + reader->pos;
    last = (u_char *) reader->buf + reader->len;

    if (reader->ridx >= 0 || p == last || *p != '-') {
        return NGX_DECLINED;
    }

    error->data = ++p;

    while (p < last && *p != CR) {
        p++;
    }

    error->len = p - error->data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_im_decoder_pending(ngx_http_im_decoder_t *d)
{
    redisReader  *reader = d->reader;

    return reader->len != reader->pos;
}


/*
 * The place a new object goes to: the root, or an element of the array that
 * was created before it.  NULL makes hiredis give up, "out of memory".
 */

static ngx_http_im_reply_t *
ngx_http_im_reply_slot(const redisReadTask *task, size_t size)
{
    ngx_http_im_reply_t    *reply, *parent;
    ngx_http_im_decoder_t  *d;

    d = task->privdata;

    switch (task->type) {

    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
    case REDIS_REPLY_INTEGER:
    case REDIS_REPLY_ARRAY:
        break;

    default:
        /* also "_" and "=": a nil and a string to hiredis */
        d->error = "a reply is of a type that RESP2 does not have";
        return NULL;
    }

    d->size += size;

    if (d->size > NGX_HTTP_IM_REPLY_MAX_SIZE) {
        ngx_http_im_decoder_over(d, "a reply is too large");
    }

    if (d->pool == NULL || task->parent == NULL) {
        reply = &d->root;

    } else {
        parent = task->parent->obj;
        reply = &parent->elts[task->idx];
    }

    reply->type = NGX_HTTP_IM_REPLY_NIL;
    reply->nelts = 0;

    return reply;
}


static void *
ngx_http_im_reply_create_string(const redisReadTask *task, char *str,
    size_t len)
{
    ngx_http_im_reply_t    *reply;
    ngx_http_im_decoder_t  *d;

    reply = ngx_http_im_reply_slot(task, len);

    d = task->privdata;

    if (reply == NULL || d->pool == NULL) {
        return reply;
    }

    reply->type = (task->type == REDIS_REPLY_ERROR) ? NGX_HTTP_IM_REPLY_ERROR
                : (task->type == REDIS_REPLY_STATUS)
                  ? NGX_HTTP_IM_REPLY_STATUS
                : NGX_HTTP_IM_REPLY_STRING;

    reply->str.len = len;
    reply->str.data = ngx_pnalloc(d->pool, len ? len : 1);

    if (reply->str.data == NULL) {
        return NULL;
    }

    ngx_memcpy(reply->str.data, str, len);

    return reply;
}


static void *
ngx_http_im_reply_create_array(const redisReadTask *task,
    ngx_http_im_nelts_t nelts)
{
    ngx_uint_t              depth;
    const redisReadTask    *t;
    ngx_http_im_reply_t    *reply;
    ngx_http_im_decoder_t  *d;

    d = task->privdata;

    if (nelts > NGX_HTTP_IM_REPLY_SKIP_ELTS) {
        d->error = "an array has too many elements";
        return NULL;
    }

    if (nelts > NGX_HTTP_IM_REPLY_MAX_ELTS) {
        ngx_http_im_decoder_over(d, "an array has too many elements");
    }

    for (depth = 1, t = task->parent; t; t = t->parent) {
        if (++depth > NGX_HTTP_IM_REPLY_MAX_DEPTH) {
            d->error = "arrays are nested too deeply";
            return NULL;
        }
    }

    reply = ngx_http_im_reply_slot(task, nelts * sizeof(ngx_http_im_reply_t));

    if (reply == NULL || d->pool == NULL) {
        return reply;
    }

    reply->type = NGX_HTTP_IM_REPLY_ARRAY;
    reply->nelts = nelts;
    reply->elts = NULL;

    if (nelts > 0) {
        reply->elts = ngx_pcalloc(d->pool,
                                  nelts * sizeof(ngx_http_im_reply_t));
        if (reply->elts == NULL) {
            return NULL;
        }
    }

    return reply;
}


static void *
ngx_http_im_reply_create_integer(const redisReadTask *task, long long value)
{
    ngx_http_im_reply_t  *reply;

    reply = ngx_http_im_reply_slot(task, 0);

    if (reply) {
        reply->type = NGX_HTTP_IM_REPLY_INTEGER;
        reply->integer = value;
    }

    return reply;
}


static void *
ngx_http_im_reply_create_nil(const redisReadTask *task)
{
    return ngx_http_im_reply_slot(task, 0);
}


#if (HIREDIS_MAJOR >= 1)

static void *
ngx_http_im_reply_create_double(const redisReadTask *task, double value,
    char *str, size_t len)
{
    return ngx_http_im_reply_slot(task, 0);
}


static void *
ngx_http_im_reply_create_bool(const redisReadTask *task, int value)
{
    return ngx_http_im_reply_slot(task, 0);
}

#endif


static void
ngx_http_im_reply_free(void *reply)
{
    /* replies go with their pool */
}


ngx_int_t
ngx_http_im_reply_string(ngx_http_im_reply_t *reply, ngx_str_t *str)
{
    if (reply->type == NGX_HTTP_IM_REPLY_NIL) {
        ngx_str_null(str);
        return NGX_DECLINED;
    }

    if (reply->type != NGX_HTTP_IM_REPLY_STRING) {
        return NGX_ERROR;
    }

    *str = reply->str;

    return NGX_OK;
}


ngx_int_t
ngx_http_im_reply_int(ngx_http_im_reply_t *reply, int64_t *n)
{
    if (reply->type != NGX_HTTP_IM_REPLY_INTEGER) {
        return NGX_ERROR;
    }

    *n = reply->integer;

    return NGX_OK;
}


ngx_int_t
ngx_http_im_reply_array(ngx_http_im_reply_t *reply, ngx_uint_t nelts)
{
    if (reply->type != NGX_HTTP_IM_REPLY_ARRAY
        || (nelts && reply->nelts != nelts))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
