
#include "ngx_http_im_id.h"
#include <ngx_sha1.h>


static ngx_uint_t ngx_http_im_id_valid(ngx_str_t *id,
    const uint32_t alphabet[8]);
static ngx_uint_t ngx_http_im_id_match(ngx_str_t *s,
    const uint32_t alphabet[8]);


/* A-Z a-z 0-9 _ - . : @ */

static const uint32_t  ngx_http_im_id_conv[8] = {
    0x00000000, /* 0000 0000 0000 0000  0000 0000 0000 0000 */

                /* ?>=< ;:98 7654 3210  /.-, +*)( '&%$ #"!  */
    0x07ff6000, /* 0000 0111 1111 1111  0110 0000 0000 0000 */

                /* _^]\ [ZYX WVUT SRQP  ONML KJIH GFED CBA@ */
    0x87ffffff, /* 1000 0111 1111 1111  1111 1111 1111 1111 */

                /*  ~}| {zyx wvut srqp  onml kjih gfed cba` */
    0x07fffffe, /* 0000 0111 1111 1111  1111 1111 1111 1110 */

    0x00000000, 0x00000000, 0x00000000, 0x00000000
};


/* A-Z a-z 0-9 _ - . : @ + = | ~ / ! * */

static const uint32_t  ngx_http_im_id_user[8] = {
    0x00000000, /* 0000 0000 0000 0000  0000 0000 0000 0000 */

                /* ?>=< ;:98 7654 3210  /.-, +*)( '&%$ #"!  */
    0x27ffec02, /* 0010 0111 1111 1111  1110 1100 0000 0010 */

                /* _^]\ [ZYX WVUT SRQP  ONML KJIH GFED CBA@ */
    0x87ffffff, /* 1000 0111 1111 1111  1111 1111 1111 1111 */

                /*  ~}| {zyx wvut srqp  onml kjih gfed cba` */
    0x57fffffe, /* 0101 0111 1111 1111  1111 1111 1111 1110 */

    0x00000000, 0x00000000, 0x00000000, 0x00000000
};


/* 0-9 a-f */

static const uint32_t  ngx_http_im_id_hex[8] = {
    0x00000000, /* 0000 0000 0000 0000  0000 0000 0000 0000 */

                /* ?>=< ;:98 7654 3210  /.-, +*)( '&%$ #"!  */
    0x03ff0000, /* 0000 0011 1111 1111  0000 0000 0000 0000 */

                /* _^]\ [ZYX WVUT SRQP  ONML KJIH GFED CBA@ */
    0x00000000, /* 0000 0000 0000 0000  0000 0000 0000 0000 */

                /*  ~}| {zyx wvut srqp  onml kjih gfed cba` */
    0x0000007e, /* 0000 0000 0000 0000  0000 0000 0111 1110 */

    0x00000000, 0x00000000, 0x00000000, 0x00000000
};


ngx_uint_t
ngx_http_im_id_conv_valid(ngx_str_t *id)
{
    return ngx_http_im_id_valid(id, ngx_http_im_id_conv);
}


ngx_uint_t
ngx_http_im_id_user_valid(ngx_str_t *id)
{
    return ngx_http_im_id_valid(id, ngx_http_im_id_user);
}


/* a path cannot end in "." or "..": nginx takes them for directories */

static ngx_uint_t
ngx_http_im_id_valid(ngx_str_t *id, const uint32_t alphabet[8])
{
    if (id->len == 0 || id->len > NGX_HTTP_IM_ID_MAX) {
        return 0;
    }

    if (id->data[0] == '.'
        && (id->len == 1 || (id->len == 2 && id->data[1] == '.')))
    {
        return 0;
    }

    return ngx_http_im_id_match(id, alphabet);
}


ngx_uint_t
ngx_http_im_id_is_pair(ngx_str_t *id)
{
    return id->len == NGX_HTTP_IM_PAIR_LEN
           && ngx_http_im_id_match(id, ngx_http_im_id_hex);
}


/* whether all bytes are in the alphabet, a bitmap of 256 */

static ngx_uint_t
ngx_http_im_id_match(ngx_str_t *s, const uint32_t alphabet[8])
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if (!(alphabet[ch >> 5] & (1U << (ch & 0x1f)))) {
            return 0;
        }
    }

    return 1;
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

    /* p is the start of N, "PREFIX_T_" must be before it */

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
