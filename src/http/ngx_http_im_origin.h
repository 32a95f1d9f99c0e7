
#ifndef _NGX_HTTP_IM_ORIGIN_H_INCLUDED_
#define _NGX_HTTP_IM_ORIGIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Where a browser says that a request comes from.  A page of another site can
 * send a POST with the user's cookies or certificate; the header Origin tells
 * it from the site's own pages.  Origins are compared as RFC 6454 has it.
 */

typedef struct ngx_http_im_origins_s  ngx_http_im_origins_t;


/*
 * The im_origin directive; cmd->offset is that of a pointer to the origins.
 * NULL there means the default: this host only.
 */
char *ngx_http_im_origin_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Whether the request has no Origin, or one that is this host or is listed.
 * This host is what the client has in its URL: the scheme of the connection or
 * of a proxy before it (X-Forwarded-Proto), and the header Host.
 */
ngx_uint_t ngx_http_im_origin_is_allowed(ngx_http_request_t *r,
    ngx_http_im_origins_t *origins);


#endif /* _NGX_HTTP_IM_ORIGIN_H_INCLUDED_ */
