
#ifndef _NGX_HTTP_IM_HEALTH_H_INCLUDED_
#define _NGX_HTTP_IM_HEALTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * im_health: whether all stores can be written to.  A worker asks them with a
 * command that needs the right to write and changes nothing; requests share
 * the probe that is in flight, and its result for a second.
 */

typedef struct {
    ngx_queue_t    waiting;    /* requests */
    ngx_uint_t     pending;    /* stores that have not answered the probe */
    ngx_msec_t     checked;    /* when the last probe ended */
    ngx_str_t     *failed;     /* by it: the name of a store, or NULL */
    unsigned       known:1;    /* there was one */
} ngx_http_im_health_t;


/* the im_health directive */
char *ngx_http_im_health_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* of the main configuration, when that is created */
void ngx_http_im_health_init(ngx_http_im_health_t *health);

ngx_int_t ngx_http_im_health_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IM_HEALTH_H_INCLUDED_ */
