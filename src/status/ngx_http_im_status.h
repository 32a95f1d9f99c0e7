
#ifndef _NGX_HTTP_IM_STATUS_H_INCLUDED_
#define _NGX_HTTP_IM_STATUS_H_INCLUDED_


#include "ngx_http_im.h"


/* the im_status of a location */

typedef enum {
    NGX_HTTP_IM_STATUS_NONE = 0,
    NGX_HTTP_IM_STATUS_ANY,          /* chosen by the request */
    NGX_HTTP_IM_STATUS_JSON,
    NGX_HTTP_IM_STATUS_PROMETHEUS
} ngx_http_im_status_e;


/* the im_status directive */
char *ngx_http_im_status_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_int_t ngx_http_im_status_handler(ngx_http_request_t *r);

/*
 * After the configuration is read: adds the shared memory zone and creates
 * the blocks, if there is an im_pass or im_status; NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_im_status_zone_add(ngx_conf_t *cf,
    ngx_http_im_main_conf_t *imcf, void *tag);

/* a worker starts, a worker exits */
void ngx_http_im_status_attach(ngx_http_im_main_conf_t *imcf,
    ngx_log_t *log);
void ngx_http_im_status_detach(ngx_http_im_main_conf_t *imcf);


#endif /* _NGX_HTTP_IM_STATUS_H_INCLUDED_ */
