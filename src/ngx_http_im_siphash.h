
#ifndef _NGX_HTTP_IM_SIPHASH_H_INCLUDED_
#define _NGX_HTTP_IM_SIPHASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * SipHash-1-3 of Aumasson and Bernstein: a hash under a secret key, for
 * tables whose keys callers choose.  Whoever does not know the key cannot
 * find keys that collide.
 */

typedef struct {
    uint64_t    k0;
    uint64_t    k1;
} ngx_http_im_siphash_key_t;


uint64_t ngx_http_im_siphash(const ngx_http_im_siphash_key_t *key,
    const u_char *data, size_t len);

/* a random key; NGX_ERROR after an error was logged */
ngx_int_t ngx_http_im_siphash_key_init(ngx_http_im_siphash_key_t *key,
    ngx_log_t *log);


#endif /* _NGX_HTTP_IM_SIPHASH_H_INCLUDED_ */
