
#ifndef _NGX_HTTP_IM_CHECK_H_INCLUDED_
#define _NGX_HTTP_IM_CHECK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Values of directives, as ngx_conf_post_t calls them. */

char *ngx_http_im_check_prefix(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_im_check_positive(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_im_check_import_size(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_im_check_size(ngx_conf_t *cf, void *post, void *data);

/* the im_recall_window directive: a time, or "off" */
char *ngx_http_im_check_recall_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_IM_CHECK_H_INCLUDED_ */
