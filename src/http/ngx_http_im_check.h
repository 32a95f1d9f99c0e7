
#ifndef _NGX_HTTP_IM_CHECK_H_INCLUDED_
#define _NGX_HTTP_IM_CHECK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Values of directives, as ngx_conf_post_t calls them. */

char *ngx_http_im_check_prefix(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_im_check_positive(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_im_check_size(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_HTTP_IM_CHECK_H_INCLUDED_ */
