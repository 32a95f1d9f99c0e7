
#include "ngx_http_im_id.h"
#include <ngx_sha1.h>


/* what a byte may stand in */

#define NGX_HTTP_IM_ID_CONV   1       /* A-Z a-z 0-9 _ - . : @ */
#define NGX_HTTP_IM_ID_USER   2       /* the same and + = | ~ / ! * */
#define NGX_HTTP_IM_ID_HEX    4       /* 0-9 a-f */


static ngx_uint_t ngx_http_im_id_valid(ngx_str_t *id, u_char class);
static ngx_uint_t ngx_http_im_id_match(ngx_str_t *s, u_char class);
static ngx_inline u_char ngx_http_im_id_four(u_char *p);


static const u_char  ngx_http_im_id_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 3, 3, 2,    /*  !"#$%&'()*+,-./ */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 3, 0, 0, 2, 0, 0,    /* 0123456789:;<=>? */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,    /* @ABCDEFGHIJKLMNO */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 3,    /* PQRSTUVWXYZ[\]^_ */
    0, 7, 7, 7, 7, 7, 7, 3, 3, 3, 3, 3, 3, 3, 3, 3,    /* `abcdefghijklmno */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 2, 0, 2, 0,    /* pqrstuvwxyz{|}~  */

    /* none of the rest */
};


ngx_uint_t
ngx_http_im_id_conv_valid(ngx_str_t *id)
{
    return ngx_http_im_id_valid(id, NGX_HTTP_IM_ID_CONV);
}


ngx_uint_t
ngx_http_im_id_user_valid(ngx_str_t *id)
{
    return ngx_http_im_id_valid(id, NGX_HTTP_IM_ID_USER);
}


/* a path cannot end in "." or "..": nginx takes them for directories */

static ngx_uint_t
ngx_http_im_id_valid(ngx_str_t *id, u_char class)
{
    if (id->len == 0 || id->len > NGX_HTTP_IM_ID_MAX) {
        return 0;
    }

    if (id->data[0] == '.'
        && (id->len == 1 || (id->len == 2 && id->data[1] == '.')))
    {
        return 0;
    }

    return ngx_http_im_id_match(id, class);
}


ngx_uint_t
ngx_http_im_id_is_pair(ngx_str_t *id)
{
    return id->len == NGX_HTTP_IM_PAIR_LEN
           && ngx_http_im_id_match(id, NGX_HTTP_IM_ID_HEX);
}


/* are all bytes of the class? */

static ngx_uint_t
ngx_http_im_id_match(ngx_str_t *s, u_char class)
{
    u_char  *p, *last, all;

    p = s->data;
    last = p + s->len;
    all = class;

    /* a list checks hundreds: one branch for eight bytes */

    for ( /* void */ ; last - p >= 8; p += 8) {
        all &= ngx_http_im_id_four(p) & ngx_http_im_id_four(p + 4);
    }

    if (last - p >= 4) {
        all &= ngx_http_im_id_four(p);
        p += 4;
    }

    while (p < last) {
        all &= ngx_http_im_id_classes[*p++];
    }

    return all != 0;
}


/* the classes that four bytes share */

static ngx_inline u_char
ngx_http_im_id_four(u_char *p)
{
    return ngx_http_im_id_classes[p[0]] & ngx_http_im_id_classes[p[1]]
           & ngx_http_im_id_classes[p[2]] & ngx_http_im_id_classes[p[3]];
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
