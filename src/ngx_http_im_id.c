
#include "ngx_http_im_id.h"
#include <ngx_sha1.h>
#include <sys/random.h>


/* eight bytes at once: what is asked of each is in its highest bit */

#define ngx_http_im_id_all(byte)                                             \
    ((uint64_t) 0x0101010101010101 * (byte))

/* a byte above 127 may spoil its neighbour, and is not in any range itself */
#define ngx_http_im_id_range(word, first, last)                              \
    (((word) + ngx_http_im_id_all(0x80 - (first)))                           \
     ^ ((word) + ngx_http_im_id_all(0x7f - (last))))


static ngx_inline uint64_t ngx_http_im_id_bytes(uint64_t word);


ngx_uint_t
ngx_http_im_id_valid(ngx_str_t *id)
{
    size_t    n;
    uint64_t  word, valid;

    if (id->len == 0 || id->len > NGX_HTTP_IM_ID_MAX) {
        return 0;
    }

    if (id->len < 8) {
        word = ngx_http_im_id_all('a');
        ngx_memcpy(&word, id->data, id->len);

        return ngx_http_im_id_bytes(word) == ngx_http_im_id_all(0x80);
    }

    /* the last eight may have been seen in part */

    ngx_memcpy(&word, id->data + id->len - 8, 8);

    valid = ngx_http_im_id_bytes(word);

    for (n = 0; n + 8 < id->len; n += 8) {
        ngx_memcpy(&word, id->data + n, 8);

        valid &= ngx_http_im_id_bytes(word);
    }

    return valid == ngx_http_im_id_all(0x80);
}


static ngx_inline uint64_t
ngx_http_im_id_bytes(uint64_t word)
{
    uint64_t  ranges;

    ranges = ngx_http_im_id_range(word, '-', '.')
             ^ ngx_http_im_id_range(word, '0', ':')
             ^ ngx_http_im_id_range(word, '@', 'Z')
             ^ ngx_http_im_id_range(word, '_', '_')
             ^ ngx_http_im_id_range(word, 'a', 'z');

    return ranges & ~word & ngx_http_im_id_all(0x80);
}


ngx_uint_t
ngx_http_im_id_is_pair(ngx_str_t *id)
{
    size_t    n;
    uint64_t  word, hex;

    if (id->len != NGX_HTTP_IM_PAIR_LEN) {
        return 0;
    }

    hex = ngx_http_im_id_all(0x80);

    for (n = 0; n < NGX_HTTP_IM_PAIR_LEN; n += 8) {
        ngx_memcpy(&word, id->data + n, 8);

        hex &= (ngx_http_im_id_range(word, '0', '9')
                ^ ngx_http_im_id_range(word, 'a', 'f')) & ~word;
    }

    return hex == ngx_http_im_id_all(0x80);
}


void
ngx_http_im_id_pair(ngx_str_t *a, ngx_str_t *b,
    u_char dst[NGX_HTTP_IM_PAIR_LEN])
{
    u_char       digest[20];
    ngx_str_t   *swap;
    ngx_sha1_t   sha1;

    if (ngx_http_im_id_order(a, b) > 0) {
        swap = a;
        a = b;
        b = swap;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, a->data, a->len);
    ngx_sha1_update(&sha1, " ", 1);
    ngx_sha1_update(&sha1, b->data, b->len);
    ngx_sha1_final(digest, &sha1);

    ngx_hex_dump(dst, digest, NGX_HTTP_IM_PAIR_LEN / 2);
}


ngx_uint_t
ngx_http_im_str_eq(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


ngx_int_t
ngx_http_im_id_order(ngx_str_t *a, ngx_str_t *b)
{
    return ngx_memn2cmp(a->data, b->data, a->len, b->len);
}


void
ngx_http_im_id_split(ngx_str_t *id, ngx_str_t *shown, ngx_str_t *type)
{
    u_char  *p, *first, *last;

    *shown = *id;
    ngx_str_null(type);

    first = id->data;
    last = id->data + id->len;

    p = memrchr(first, '_', id->len);

    if (p == NULL) {
        return;
    }

    /* p is where N begins; before it must stand "PREFIX_T_" */

    p++;

    if (p == last || p - first < 4
        || p[-3] != '_' || p[-2] < 'A' || p[-2] > 'Z')
    {
        return;
    }

    shown->data = p;
    shown->len = last - p;
    type->data = p - 2;
    type->len = 1;
}


uint64_t
ngx_http_im_id_msg_seq(ngx_str_t *msg_id)
{
    u_char    ch;
    size_t    i;
    uint64_t  seq;

    seq = 0;

    for (i = 0; i < msg_id->len && i < 16; i++) {
        ch = msg_id->data[i];

        if (ch == '-') {
            return (msg_id->len - i == NGX_HTTP_IM_RAND_LEN + 1) ? seq : 0;
        }

        if (ch < '0' || ch > '9' || (ch == '0' && i == 0)) {
            return 0;
        }

        seq = seq * 10 + (ch - '0');
    }

    return 0;
}


void
ngx_http_im_id_random(uint64_t *state, u_char dst[NGX_HTTP_IM_RAND_LEN])
{
    uint64_t  z;

    /* splitmix64: a bijection of a counter, so one state never repeats */

    *state += 0x9e3779b97f4a7c15ULL;

    z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z = z ^ (z >> 31);

    ngx_hex_dump(dst, (u_char *) &z, NGX_HTTP_IM_RAND_LEN / 2);
}


ngx_int_t
ngx_http_im_id_seed(uint64_t *state, ngx_log_t *log)
{
    if (getrandom(state, sizeof(uint64_t), 0) != sizeof(uint64_t)) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "getrandom() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}
