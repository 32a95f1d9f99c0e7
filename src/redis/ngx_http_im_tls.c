
#include "ngx_http_im_tls.h"


/* of a chain of certificates; the limit of OpenSSL is 100 */
#define NGX_HTTP_IM_TLS_DEPTH   9


#if (NGX_SSL)

static ngx_int_t ngx_http_im_tls_init(ngx_conf_t *cf, ngx_http_im_tls_t *tls);
static ngx_int_t ngx_http_im_tls_trust(ngx_conf_t *cf, ngx_http_im_tls_t *tls);

#endif


void
ngx_http_im_tls_create(ngx_http_im_tls_t *tls)
{
    tls->enable = NGX_CONF_UNSET;
    tls->sentinel = NGX_CONF_UNSET;
    tls->verify = NGX_CONF_UNSET;
}


ngx_int_t
ngx_http_im_tls_complete(ngx_conf_t *cf, ngx_http_im_tls_t *tls,
    ngx_str_t *store)
{
    ngx_conf_init_value(tls->enable, 0);
    ngx_conf_init_value(tls->sentinel, tls->enable);
    ngx_conf_init_value(tls->verify, 1);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im tls of \"%V\" enable:%i sentinel:%i verify:%i",
                   store, tls->enable, tls->sentinel, tls->verify);

    if (!tls->enable && !tls->sentinel) {
        return NGX_OK;
    }

    if ((tls->certificate.len == 0) != (tls->certificate_key.len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "only one of \"ssl_certificate\" and "
                           "\"ssl_certificate_key\" in im_redis \"%V\"; add "
                           "the other one", store);
        return NGX_ERROR;
    }

#if (NGX_SSL)

    return ngx_http_im_tls_init(cf, tls);

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"ssl on\" in im_redis \"%V\" needs an nginx with "
                       "OpenSSL", store);
    return NGX_ERROR;

#endif
}


#if (NGX_SSL)

static ngx_int_t
ngx_http_im_tls_init(ngx_conf_t *cf, ngx_http_im_tls_t *tls)
{
    ngx_pool_cleanup_t  *cln;

    tls->ssl.log = cf->log;

    if (ngx_ssl_create(&tls->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(&tls->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = &tls->ssl;

    if (tls->certificate.len
        && ngx_ssl_certificate(cf, &tls->ssl, &tls->certificate,
                               &tls->certificate_key, NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return tls->verify ? ngx_http_im_tls_trust(cf, tls) : NGX_OK;
}


/* the handshake does not fail for it: the result is checked behind it */

static ngx_int_t
ngx_http_im_tls_trust(ngx_conf_t *cf, ngx_http_im_tls_t *tls)
{
    if (ngx_ssl_trusted_certificate(cf, &tls->ssl, &tls->trusted,
                                    NGX_HTTP_IM_TLS_DEPTH)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tls->trusted.len) {
        return NGX_OK;
    }

    if (SSL_CTX_set_default_verify_paths(tls->ssl.ctx) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    ERR_clear_error();

    return NGX_OK;
}

#endif
