
#include "ngx_http_im_atoi.h"


#if (NGX_HAVE_LITTLE_ENDIAN)
static int64_t ngx_http_im_atoi_long(u_char *p, size_t len);
static int64_t ngx_http_im_atoi_eight(uint64_t word);
#endif


int64_t
ngx_http_im_atoi(u_char *p, size_t len)
{
    u_char    *last;
    uint64_t   n;
    unsigned   digit, other;

    if (len == 0 || len > 18) {
        return NGX_ERROR;
    }

#if (NGX_HAVE_LITTLE_ENDIAN)

    if (len >= 8) {
        return ngx_http_im_atoi_long(p, len);
    }

#endif

    /* what is no digit shows once, at the end */

    for (last = p + len, n = 0, other = 0; p < last; p++) {
        digit = (unsigned) *p - '0';
        other |= (digit > 9);
        n = n * 10 + digit;
    }

    return other ? NGX_ERROR : (int64_t) n;
}


#if (NGX_HAVE_LITTLE_ENDIAN)

/* columns of a head have 13 or 15 digits; a list reads a hundred of them */

static int64_t
ngx_http_im_atoi_long(u_char *p, size_t len)
{
    int64_t   n, m;
    uint64_t  word;

    static const int64_t  powers[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000
    };

    n = 0;

    for ( /* void */ ; len >= 8; p += 8, len -= 8) {
        ngx_memcpy(&word, p, 8);

        m = ngx_http_im_atoi_eight(word);
        if (m == NGX_ERROR) {
            return NGX_ERROR;
        }

        n = n * 100000000 + m;
    }

    if (len == 0) {
        return n;
    }

    /* the last eight, of which those that were had become zeros */

    ngx_memcpy(&word, p + len - 8, 8);

    word &= ~(uint64_t) 0 << 8 * (8 - len);
    word |= 0x3030303030303030 >> 8 * len;

    m = ngx_http_im_atoi_eight(word);

    return (m == NGX_ERROR) ? NGX_ERROR : n * powers[len] + m;
}


/* eight digits at once, the first one in the lowest byte */

static int64_t
ngx_http_im_atoi_eight(uint64_t word)
{
    /* each byte must be 0x30 to 0x39, so 0x36 to 0x3f with 6 added */

    if (((word & 0xf0f0f0f0f0f0f0f0)
         | ((word + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4)
        != 0x3333333333333333)
    {
        return NGX_ERROR;
    }

    /* neighbours are joined: by twos, by fours, by eights */

    word = (word & 0x0f0f0f0f0f0f0f0f) * (10 * 0x100 + 1) >> 8;
    word = (word & 0x00ff00ff00ff00ff) * (100 * 0x10000 + 1) >> 16;

    return (word & 0x0000ffff0000ffff) * (10000 * 0x100000000 + 1) >> 32;
}

#endif
