
/*
 * Bytes of a connection to Redis.  They are read whole, and again in pieces of
 * sizes that the input says: the replies are the same, and of types that RESP2
 * has.
 */

#include "fuzz.h"
#include <hiredis/hiredis.h>


static uint32_t
fuzz_hash(uint32_t h, const void *data, size_t len)
{
    const u_char  *p = data;

    while (len--) {
        h = (h ^ *p++) * 16777619;
    }

    return h;
}


static uint32_t
fuzz_hash_reply(uint32_t h, ngx_http_im_reply_t *reply, ngx_uint_t depth)
{
    ngx_uint_t  i;

    fuzz_assert(depth <= NGX_HTTP_IM_REPLY_MAX_DEPTH);
    fuzz_assert(reply->nelts <= NGX_HTTP_IM_REPLY_MAX_ELTS);

    h = fuzz_hash(h, &reply->type, sizeof(reply->type));

    switch (reply->type) {

    case NGX_HTTP_IM_REPLY_INTEGER:
        return fuzz_hash(h, &reply->integer, sizeof(reply->integer));

    case NGX_HTTP_IM_REPLY_ARRAY:

        for (i = 0; i < reply->nelts; i++) {
            h = fuzz_hash_reply(h, &reply->elts[i], depth + 1);
        }

        return fuzz_hash(h, &reply->nelts, sizeof(reply->nelts));

    case NGX_HTTP_IM_REPLY_NIL:
        return h;

    default:
        return fuzz_hash(h, reply->str.data, reply->str.len);
    }
}


/* a number for all that was read; skip: as if nobody waited for it */

static uint32_t
fuzz_replies(const uint8_t *p, const uint8_t *last, const uint8_t *cuts,
    ngx_uint_t skip)
{
    size_t                  n, cut;
    u_char                  type;
    uint32_t                h;
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_pool_t             *pool;
    redisReader            *reader;
    ngx_http_im_decoder_t   d;

    h = 2166136261u;
    type = 0;
    pool = fuzz_pool();

    fuzz_assert(ngx_http_im_decoder_init(&d) == NGX_OK);
    reader = d.reader;

    for (i = 0; p < last; p += n) {

        n = last - p;

        if (cuts) {
            cut = 1 + cuts[i++ % 4];
            n = ngx_min(n, cut);
        }

        if (ngx_http_im_decoder_feed(&d, (u_char *) p, n) != NGX_OK) {
            fuzz_assert(d.error);
            h = 1;
            break;
        }

        do {
            if (reader->ridx < 0 && reader->pos < reader->len) {
                type = reader->buf[reader->pos];
            }

            rc = ngx_http_im_decoder_next(&d, skip ? NULL : pool);

            if (rc == NGX_OK) {
                fuzz_assert(type && strchr("+-:$*", type));
                h = skip ? h + 1 : fuzz_hash_reply(h, &d.root, 0);
            }
        } while (rc == NGX_OK);

        if (rc == NGX_ERROR) {
            fuzz_assert(d.error);
            h = 1;
            break;
        }

        fuzz_assert(rc == NGX_AGAIN);
    }

    (void) ngx_http_im_decoder_pending(&d);

    ngx_http_im_decoder_free(&d);
    ngx_destroy_pool(pool);

    return h;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t        h;
    const uint8_t  *p, *last;

    if (size < 5) {
        return 0;
    }

    p = data + 4;
    last = data + size;

    h = fuzz_replies(p, last, NULL, 0);

    fuzz_assert(fuzz_replies(p, last, data, 0) == h);

    /* what is not waited for is counted all the same */

    fuzz_assert(fuzz_replies(p, last, data, 1)
                == fuzz_replies(p, last, NULL, 1));

    return 0;
}
