
#ifndef _NGX_HTTP_IM_AUTH_H_INCLUDED_
#define _NGX_HTTP_IM_AUTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"


/* who the module is to a server: to Redis, or to a Sentinel */

typedef struct {
    ngx_str_t    username;
    ngx_str_t    password;
    ngx_str_t    file;          /* its first line is the password */
} ngx_http_im_auth_t;


/*
 * Reads the file.  The prefix is that of the directives' names, for errors;
 * NGX_ERROR after one was logged.
 */
ngx_int_t ngx_http_im_auth_complete(ngx_conf_t *cf, ngx_http_im_auth_t *auth,
    const char *prefix, ngx_str_t *store);

/* adds AUTH, if there is a password; p->failed tells when out of memory */
void ngx_http_im_auth_add(const ngx_http_im_auth_t *auth,
    ngx_http_im_pipeline_t *p);


#endif /* _NGX_HTTP_IM_AUTH_H_INCLUDED_ */
