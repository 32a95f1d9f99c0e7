
#ifndef _NGX_HTTP_IM_OPTIONS_H_INCLUDED_
#define _NGX_HTTP_IM_OPTIONS_H_INCLUDED_


#include "ngx_http_im.h"


/* The directives of a location that calls read: their defaults. */

/* of a struct that is zero */
void ngx_http_im_options_init(ngx_http_im_options_t *options);

/* NGX_CONF_OK, or NGX_CONF_ERROR, and why is logged */
char *ngx_http_im_options_merge(ngx_conf_t *cf, ngx_http_im_options_t *prev,
    ngx_http_im_options_t *conf);


#endif /* _NGX_HTTP_IM_OPTIONS_H_INCLUDED_ */
