
#ifndef _NGX_HTTP_IM_TLS_H_INCLUDED_
#define _NGX_HTTP_IM_TLS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The ssl directives of an im_redis block, and what nginx makes of them.  All
 * servers of the block have the same, those that are discovered later as well.
 */

typedef struct {
    ngx_flag_t    enable;
    ngx_flag_t    sentinel;         /* to the Sentinels; default: enable */
    ngx_flag_t    verify;
    ngx_str_t     trusted;          /* a file; empty: those of the system */
    ngx_str_t     certificate;
    ngx_str_t     certificate_key;
    ngx_str_t     name;             /* in certificates of the servers */

#if (NGX_SSL)
    ngx_ssl_t     ssl;              /* ssl.ctx is NULL: TLS is not used */
#endif
} ngx_http_im_tls_t;


void ngx_http_im_tls_create(ngx_http_im_tls_t *tls);

/* all directives are read; NGX_ERROR after an error was logged */
ngx_int_t ngx_http_im_tls_complete(ngx_conf_t *cf, ngx_http_im_tls_t *tls,
    ngx_str_t *store);


#endif /* _NGX_HTTP_IM_TLS_H_INCLUDED_ */
