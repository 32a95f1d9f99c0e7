
#ifndef _NGX_HTTP_IM_SERVER_H_INCLUDED_
#define _NGX_HTTP_IM_SERVER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * One server, as configured.  A name that could not be resolved has no
 * addresses and an error, which is fatal unless there is a resolver.
 */

typedef struct {
    ngx_str_t                     text;       /* for the log */
    ngx_str_t                     host;       /* a name; else empty */
    in_port_t                     port;
    ngx_addr_t                   *addrs;
    ngx_uint_t                    naddrs;
    u_char                       *file;       /* where it stands, for errors */
    ngx_uint_t                    line;
} ngx_http_im_server_t;


/* host:port or unix:path, to an array of ngx_http_im_server_t */
ngx_int_t ngx_http_im_server_add(ngx_conf_t *cf, ngx_array_t *servers,
    ngx_str_t *value);

/* without a resolver: has every one of them an address? */
ngx_int_t ngx_http_im_server_check(ngx_conf_t *cf, ngx_array_t *servers);


#endif /* _NGX_HTTP_IM_SERVER_H_INCLUDED_ */
