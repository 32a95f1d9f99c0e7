
#ifndef _NGX_HTTP_IM_CONNS_H_INCLUDED_
#define _NGX_HTTP_IM_CONNS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_conn.h"


/* all connections of a node; see ngx_http_im_node.h */

/* in the pool of the endpoint; NULL when out of memory */
ngx_http_im_conn_t *ngx_http_im_conns_create(ngx_http_im_endpoint_t *endpoint,
    ngx_uint_t n);

ngx_uint_t ngx_http_im_conns_reachable(ngx_http_im_conn_t *conns,
    ngx_uint_t n, ngx_uint_t down);
ngx_uint_t ngx_http_im_conns_closed(ngx_http_im_conn_t *conns, ngx_uint_t n);

/* one that is READY and has no job of its own, or NULL */
ngx_http_im_conn_t *ngx_http_im_conns_idle(ngx_http_im_conn_t *conns,
    ngx_uint_t n);

void ngx_http_im_conns_drain(ngx_http_im_conn_t *conns, ngx_uint_t n);

/* to another address: those in use are drained first; now: others are not */
void ngx_http_im_conns_reopen(ngx_http_im_conn_t *conns, ngx_uint_t n,
    ngx_uint_t now);

/* for good: those in use are drained first */
void ngx_http_im_conns_leave(ngx_http_im_conn_t *conns, ngx_uint_t n);

ngx_msec_t ngx_http_im_conns_check(ngx_http_im_conn_t *conns, ngx_uint_t n,
    ngx_msec_t timeout);
void ngx_http_im_conns_read(ngx_http_im_conn_t *conns, ngx_uint_t n);


#endif /* _NGX_HTTP_IM_CONNS_H_INCLUDED_ */
