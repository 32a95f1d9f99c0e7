
/* A text that is escaped is the same when it is read back. */

#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    off_t                  length;
    json_t                *json, *valid;
    int64_t                number;
    ngx_buf_t             *b;
    ngx_str_t              escaped;
    ngx_pool_t            *pool;
    ngx_chain_t           *cl;
    json_error_t           error;
    unsigned char         *text, *p;
    ngx_http_im_writer_t   w;

    pool = fuzz_pool();

    /* any number, the smallest included */

    number = size ? 0 : INT64_MIN;
    memcpy(&number, data, ngx_min(size, sizeof(number)));

    fuzz_assert(ngx_http_im_json_escape(pool, &escaped, data, size)
                == NGX_OK);

    /* in buffers of several sizes */

    ngx_http_im_writer_init(&w, pool, size ? data[0] : 0);
    ngx_http_im_write_lit(&w, "[\"");
    ngx_http_im_write_raw(&w, &escaped);
    ngx_http_im_write_lit(&w, "\",");
    ngx_http_im_write_int(&w, number);
    ngx_http_im_write_lit(&w, ",\"");
    ngx_http_im_write_bytes(&w, escaped.data, escaped.len);
    ngx_http_im_write_lit(&w, "\"]");

    length = ngx_http_im_writer_close(&w);
    fuzz_assert(length > 0 && !w.failed);

    p = text = malloc(length);

    for (cl = w.first; cl; cl = cl->next) {
        b = cl->buf;
        p = ngx_cpymem(p, b->pos, b->last - b->pos);
    }

    fuzz_assert(p == text + length);

    valid = json_stringn((char *) data, size);
    json = json_loadb((char *) text, length, JSON_ALLOW_NUL, &error);

    /* invalid UTF-8 never gets so far, but does no harm */

    fuzz_assert((valid != NULL) == (json != NULL));

    if (valid) {
        fuzz_assert(json_equal(valid, json_array_get(json, 0)));
        fuzz_assert(json_equal(valid, json_array_get(json, 2)));
        fuzz_assert(json_integer_value(json_array_get(json, 1)) == number);
    }

    json_decref(json);
    json_decref(valid);
    free(text);
    ngx_destroy_pool(pool);

    return 0;
}
