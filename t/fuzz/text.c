
/*
 * A text that is escaped is the same when it is read back; whatever is nested
 * is valid JSON or an error.
 */

#include "fuzz.h"


static unsigned char *
fuzz_text(ngx_http_im_writer_t *w, off_t length)
{
    ngx_buf_t      *b;
    ngx_chain_t    *cl;
    unsigned char  *text, *p;

    p = text = malloc(length ? length : 1);

    for (cl = w->first; cl; cl = cl->next) {
        b = cl->buf;
        p = ngx_cpymem(p, b->pos, b->last - b->pos);
    }

    fuzz_assert(p == text + length);

    return text;
}


/*
 * Every byte is a value in an array or object: what it opens, a string, a
 * number, or the end of what is open.  Names in an object are not unique.
 */

static void
fuzz_nested(ngx_pool_t *pool, const uint8_t *data, size_t size)
{
    off_t                  length;
    size_t                 i;
    json_t                *json;
    ngx_str_t              s;
    ngx_uint_t             depth, array[NGX_HTTP_IM_WRITER_DEPTH + 1], wrong;
    json_error_t           error;
    unsigned char         *text;
    ngx_http_im_writer_t   w;

    ngx_http_im_writer_init(&w, pool, 0);
    ngx_http_im_write_array_open(&w);

    depth = 1;
    array[1] = 1;
    wrong = 0;

    for (i = 0; i < size && depth && !wrong; i++) {

        s.data = (u_char *) "\"\\\n\x01x" + data[i] % 5;
        s.len = 5 - data[i] % 5;

        if (data[i] % 8 < 2) {
            wrong = ((data[i] % 8 == 0) != array[depth]);
            depth--;

            if (data[i] % 8 == 0) {
                ngx_http_im_write_array_close(&w);

            } else {
                ngx_http_im_write_object_close(&w);
            }

            continue;
        }

        if (!array[depth]) {
            ngx_http_im_write_name(&w, &s);
        }

        if (data[i] % 8 < 4) {

            if (depth == NGX_HTTP_IM_WRITER_DEPTH) {
                wrong = 1;

            } else {
                array[++depth] = (data[i] % 8 == 2);
            }

            if (data[i] % 8 == 2) {
                ngx_http_im_write_array_open(&w);

            } else {
                ngx_http_im_write_object_open(&w);
            }

            continue;
        }

        if (array[depth]) {
            ngx_http_im_write_item(&w);
        }

        switch (data[i] % 8) {

        case 4:
            ngx_http_im_write_escaped(&w, &s);
            break;

        case 5:
            ngx_http_im_write_int(&w, -(int64_t) data[i]);
            break;

        case 6:
            ngx_http_im_write_uint64(&w, data[i] * (uint64_t) data[i]);
            break;

        default:
            ngx_http_im_write_seconds(&w, data[i] * 61);
        }
    }

    length = ngx_http_im_writer_close(&w);

    fuzz_assert((length == NGX_ERROR) == (wrong || depth));

    if (length == NGX_ERROR) {
        return;
    }

    text = fuzz_text(&w, length);
    json = json_loadb((char *) text, length, 0, &error);
    fuzz_assert(json);

    json_decref(json);
    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    off_t                  length;
    json_t                *json, *valid;
    int64_t                number;
    ngx_str_t              escaped;
    ngx_pool_t            *pool;
    json_error_t           error;
    unsigned char         *text;
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

    text = fuzz_text(&w, length);

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

    fuzz_nested(pool, data, size);

    ngx_destroy_pool(pool);

    return 0;
}
