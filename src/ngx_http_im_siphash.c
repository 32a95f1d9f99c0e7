
#include "ngx_http_im_siphash.h"
#include <sys/random.h>


typedef struct {
    uint64_t    v[4];
} ngx_http_im_siphash_t;


static ngx_inline uint64_t ngx_http_im_siphash_rotate(uint64_t x,
    ngx_uint_t n);
static ngx_inline void ngx_http_im_siphash_round(ngx_http_im_siphash_t *s);
static ngx_inline uint64_t ngx_http_im_siphash_load(const u_char *p);


uint64_t
ngx_http_im_siphash(const ngx_http_im_siphash_key_t *key, const u_char *data,
    size_t len)
{
    size_t                  i;
    uint64_t                m;
    const u_char           *p, *last;
    ngx_http_im_siphash_t   s;

    s.v[0] = key->k0 ^ 0x736f6d6570736575ULL;
    s.v[1] = key->k1 ^ 0x646f72616e646f6dULL;
    s.v[2] = key->k0 ^ 0x6c7967656e657261ULL;
    s.v[3] = key->k1 ^ 0x7465646279746573ULL;

    last = data + len - len % 8;

    for (p = data; p < last; p += 8) {
        m = ngx_http_im_siphash_load(p);

        s.v[3] ^= m;
        ngx_http_im_siphash_round(&s);
        s.v[0] ^= m;
    }

    /* the rest of the bytes, and the length in the highest one */

    i = len % 8;

    if (i && len > 8) {
        m = ngx_http_im_siphash_load(last + i - 8) >> 8 * (8 - i);

    } else {
        for (m = 0; i; i--) {
            m = m << 8 | p[i - 1];
        }
    }

    m |= (uint64_t) len << 56;

    s.v[3] ^= m;
    ngx_http_im_siphash_round(&s);
    s.v[0] ^= m;

    s.v[2] ^= 0xff;

    ngx_http_im_siphash_round(&s);
    ngx_http_im_siphash_round(&s);
    ngx_http_im_siphash_round(&s);

    return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}


ngx_int_t
ngx_http_im_siphash_key_init(ngx_http_im_siphash_key_t *key, ngx_log_t *log)
{
    if (getrandom(key, sizeof(ngx_http_im_siphash_key_t), 0)
        != sizeof(ngx_http_im_siphash_key_t))
    {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "getrandom() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_inline uint64_t
ngx_http_im_siphash_rotate(uint64_t x, ngx_uint_t n)
{
    return (x << n) | (x >> (64 - n));
}


static ngx_inline void
ngx_http_im_siphash_round(ngx_http_im_siphash_t *s)
{
    uint64_t  *v;

    v = s->v;

    v[0] += v[1];
    v[1] = ngx_http_im_siphash_rotate(v[1], 13) ^ v[0];
    v[0] = ngx_http_im_siphash_rotate(v[0], 32);

    v[2] += v[3];
    v[3] = ngx_http_im_siphash_rotate(v[3], 16) ^ v[2];

    v[0] += v[3];
    v[3] = ngx_http_im_siphash_rotate(v[3], 21) ^ v[0];

    v[2] += v[1];
    v[1] = ngx_http_im_siphash_rotate(v[1], 17) ^ v[2];
    v[2] = ngx_http_im_siphash_rotate(v[2], 32);
}


/* little endian, whatever the machine is */

static ngx_inline uint64_t
ngx_http_im_siphash_load(const u_char *p)
{
#if (NGX_HAVE_LITTLE_ENDIAN)

    uint64_t  m;

    ngx_memcpy(&m, p, 8);

    return m;

#else

    return (uint64_t) p[0] | (uint64_t) p[1] << 8 | (uint64_t) p[2] << 16
           | (uint64_t) p[3] << 24 | (uint64_t) p[4] << 32
           | (uint64_t) p[5] << 40 | (uint64_t) p[6] << 48
           | (uint64_t) p[7] << 56;

#endif
}
