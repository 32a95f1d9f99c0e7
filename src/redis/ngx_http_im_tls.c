
#include "ngx_http_im_tls.h"


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

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im tls of \"%V\" enable:%i verify:%i",
                   store, tls->enable, tls->verify);

    if (tls->enable || tls->sentinel) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ssl on\" in im_redis \"%V\" is not supported",
                           store);
        return NGX_ERROR;
    }

    return NGX_OK;
}
