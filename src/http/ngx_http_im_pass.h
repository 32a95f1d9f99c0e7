
#ifndef _NGX_HTTP_IM_PASS_H_INCLUDED_
#define _NGX_HTTP_IM_PASS_H_INCLUDED_


#include "ngx_http_im.h"


/* the im_pass directive */
char *ngx_http_im_pass_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* a location that needs a store, named in a directive; NULL after an error */
ngx_http_im_pass_t *ngx_http_im_pass_add(ngx_conf_t *cf, ngx_str_t *value,
    const char *directive);

/* once all is read: names of stores become stores; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_passes_init(ngx_conf_t *cf,
    ngx_http_im_main_conf_t *imcf);


#endif /* _NGX_HTTP_IM_PASS_H_INCLUDED_ */
