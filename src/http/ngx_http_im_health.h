
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

typedef struct ngx_http_im_health_s  ngx_http_im_health_t;


/* the im_health directive */
char *ngx_http_im_health_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* with the main configuration; NULL: no memory */
ngx_http_im_health_t *ngx_http_im_health_create(ngx_pool_t *pool);

ngx_int_t ngx_http_im_health_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_IM_HEALTH_H_INCLUDED_ */
