
#ifndef _NGX_HTTP_IM_ADDRS_H_INCLUDED_
#define _NGX_HTTP_IM_ADDRS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_redis_conf.h"
#include "ngx_http_im_server.h"


/*
 * The addresses of one server.  A name may have several: one of them is in
 * use, by all connections, and the next is tried when it fails.  With a
 * resolver the name is resolved again when its TTL is over and when the
 * addresses fail; without one they are those of the configuration.
 */

#define NGX_HTTP_IM_ADDRS_MAX   16


typedef struct {
    ngx_str_t                        name;        /* its text below */
    socklen_t                        socklen;
    ngx_sockaddr_t                   sockaddr;
    u_char                           text[NGX_SOCKADDR_STRLEN];
} ngx_http_im_addr_t;


/* there is an address at last, or that in use is one of the server no more */
typedef void (*ngx_http_im_addrs_handler_pt)(void *data);


typedef struct {
    const ngx_http_im_redis_conf_t  *conf;
    const ngx_http_im_server_t      *server;
    ngx_http_im_addrs_handler_pt     handler;
    void                            *data;

    ngx_http_im_addr_t               addr[NGX_HTTP_IM_ADDRS_MAX];
    ngx_uint_t                       n;           /* 0: not resolved yet */
    ngx_uint_t                       current;

    ngx_resolver_ctx_t              *ctx;         /* NULL: none under way */
    ngx_event_t                      timer;       /* cancelable */
    ngx_msec_t                       asked;       /* when the last one began */
    ngx_uint_t                       failures;    /* to resolve, in a row */
    ngx_log_t                       *log;
} ngx_http_im_addrs_t;


void ngx_http_im_addrs_init(ngx_http_im_addrs_t *addrs,
    const ngx_http_im_redis_conf_t *conf, const ngx_http_im_server_t *server,
    ngx_http_im_addrs_handler_pt handler, void *data, ngx_log_t *log);

/*
 * The server is another one from now on, and stays where it is; it has the
 * given address, or a name and NULL.  The handler may be called from within.
 */
void ngx_http_im_addrs_set(ngx_http_im_addrs_t *addrs,
    const ngx_http_im_server_t *server, struct sockaddr *sockaddr,
    socklen_t socklen);

/* resolves the name, now and from time to time */
void ngx_http_im_addrs_start(ngx_http_im_addrs_t *addrs);
void ngx_http_im_addrs_exit(ngx_http_im_addrs_t *addrs);

/* a copy of the address in use; NGX_DECLINED: there is none yet */
ngx_int_t ngx_http_im_addrs_get(ngx_http_im_addrs_t *addrs,
    ngx_http_im_addr_t *addr);

/* is this the address in use? */
ngx_uint_t ngx_http_im_addrs_is_current(ngx_http_im_addrs_t *addrs,
    ngx_http_im_addr_t *addr);

/*
 * A server at this address is not reachable, or not to be used.  Tried counts
 * the addresses that one connection has tried in a row.  NGX_OK: another one
 * is to be tried at once; NGX_DECLINED: all were tried, after a while again.
 */
ngx_int_t ngx_http_im_addrs_failed(ngx_http_im_addrs_t *addrs,
    ngx_http_im_addr_t *addr, ngx_uint_t *tried);


/* is another address to be tried at once?  ready: the connection was */
ngx_uint_t ngx_http_im_addrs_next(ngx_http_im_addrs_t *addrs,
    ngx_http_im_addr_t *addr, ngx_uint_t *tried, ngx_uint_t ready);


#endif /* _NGX_HTTP_IM_ADDRS_H_INCLUDED_ */
