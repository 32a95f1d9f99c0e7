
#ifndef _NGX_HTTP_IM_SUB_H_INCLUDED_
#define _NGX_HTTP_IM_SUB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_redis_conf.h"


/*
 * The connection that reads an event channel of a store: one of its own, as
 * Redis takes nothing there but SUBSCRIBE and PING.  It is set up, given up
 * and opened again as those for commands are.  Its handlers are called from
 * events of this connection only.
 */

typedef struct ngx_http_im_sub_s  ngx_http_im_sub_t;


typedef struct {

    /* the channel is read from now on; epoch: which run of the server it is */
    void (*up)(void *data, uint32_t epoch);

    /* it is not, until up() is called again: what is published is lost */
    void (*down)(void *data);

    /* one event; row is valid until the return */
    void (*row)(void *data, ngx_str_t *row);

} ngx_http_im_sub_handlers_t;


/* the name of the channel in the pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_sub_channel(ngx_pool_t *pool,
    const ngx_http_im_redis_conf_t *conf, const ngx_str_t *prefix,
    ngx_str_t *channel);

/* not open yet; NULL when out of memory */
ngx_http_im_sub_t *ngx_http_im_sub_create(
    const ngx_http_im_redis_conf_t *conf, ngx_str_t *channel,
    const ngx_http_im_sub_handlers_t *handlers, void *data);

void ngx_http_im_sub_open(ngx_http_im_sub_t *sub);

/* down() is not called */
void ngx_http_im_sub_close(ngx_http_im_sub_t *sub);

/* at the worker's exit */
void ngx_http_im_sub_exit(ngx_http_im_sub_t *sub);

/* it could not be established the last time */
ngx_uint_t ngx_http_im_sub_has_failed(ngx_http_im_sub_t *sub);


#endif /* _NGX_HTTP_IM_SUB_H_INCLUDED_ */
