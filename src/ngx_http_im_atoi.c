
#include "ngx_http_im_atoi.h"


#define NGX_HTTP_IM_ATOI_MAX   18      /* digits: an int64_t holds them */


#if (NGX_HAVE_LITTLE_ENDIAN)
static int64_t ngx_http_im_atoi_long(u_char *p, size_t len);
static ngx_inline ngx_uint_t ngx_http_im_atoi_check(uint64_t a, uint64_t b);
static ngx_inline int64_t ngx_http_im_atoi_eight(uint64_t word);
#endif


int64_t
ngx_http_im_atoi(u_char *p, size_t len)
{
    u_char    *last;
    uint64_t   n;
    unsigned   digit, other;

#if (NGX_HAVE_LITTLE_ENDIAN)

    if (len >= 8 && len <= 16) {
        return ngx_http_im_atoi_long(p, len);
    }

#endif

    if (len == 0 || len > NGX_HTTP_IM_ATOI_MAX) {
        return NGX_ERROR;
    }

    /* what is no digit shows once, at the end */

    for (last = p + len, n = 0, other = 0; p < last; p++) {
        digit = (unsigned) *p - '0';
        other |= (digit > 9);
        n = n * 10 + digit;
    }

    return other ? NGX_ERROR : (int64_t) n;
}


ngx_uint_t
ngx_http_im_digits(u_char *p, size_t len)
{
    u_char  *last;

#if (NGX_HAVE_LITTLE_ENDIAN)

    uint64_t  first, end;

    if (len >= 8 && len <= 16) {
        ngx_memcpy(&first, p, 8);
        ngx_memcpy(&end, p + len - 8, 8);

        return ngx_http_im_atoi_check(first, end);
    }

#endif

    for (last = p + len; p < last; p++) {
        if (*p < '0' || *p > '9') {
            return 0;
        }
    }

    return len != 0;
}


#if (NGX_HAVE_LITTLE_ENDIAN)

/*
 * Columns of a head have 13 or 15 digits, and a list reads a hundred of them:
 * 8 to 16 digits are two words.
 */

static int64_t
ngx_http_im_atoi_long(u_char *p, size_t len)
{
    uint64_t  first, end;

    static const int64_t  powers[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000
    };

    ngx_memcpy(&first, p, 8);
    ngx_memcpy(&end, p + len - 8, 8);

    if (!ngx_http_im_atoi_check(first, end)) {
        return NGX_ERROR;
    }

    if (len == 8) {
        return ngx_http_im_atoi_eight(first);
    }

    /* digits of the second word that the first has, too, become zeros */

    if (len < 16) {
        end &= ~(uint64_t) 0 << 8 * (16 - len);
        end |= (uint64_t) 0x3030303030303030 >> 8 * (len - 8);
    }

    return ngx_http_im_atoi_eight(first) * powers[len - 8]
           + ngx_http_im_atoi_eight(end);
}


/* are all bytes 0x30 to 0x39, so 0x36 to 0x3f with 6 added? */

static ngx_inline ngx_uint_t
ngx_http_im_atoi_check(uint64_t a, uint64_t b)
{
    const uint64_t  high = 0xf0f0f0f0f0f0f0f0, six = 0x0606060606060606;

    return ((((a ^ 0x3030303030303030) | (b ^ 0x3030303030303030)
              | ((a + six) ^ 0x3030303030303030)
              | ((b + six) ^ 0x3030303030303030)) & high) == 0);
}


/* eight digits at once, the first one in the lowest byte */

static ngx_inline int64_t
ngx_http_im_atoi_eight(uint64_t word)
{
    /* neighbours are joined: by twos, by fours, by eights */

    word = (word & 0x0f0f0f0f0f0f0f0f) * (10 * 0x100 + 1) >> 8;
    word = (word & 0x00ff00ff00ff00ff) * (100 * 0x10000 + 1) >> 16;

    return (word & 0x0000ffff0000ffff) * (10000 * 0x100000000 + 1) >> 32;
}

#endif
