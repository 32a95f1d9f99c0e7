
#ifndef _NGX_HTTP_IM_SCRIPT_H_INCLUDED_
#define _NGX_HTTP_IM_SCRIPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_HTTP_IM_SCRIPT_SEND = 0,
    NGX_HTTP_IM_SCRIPT_READ,
    NGX_HTTP_IM_SCRIPT_GROUP_CREATE,
    NGX_HTTP_IM_SCRIPT_GROUP_ADD,
    NGX_HTTP_IM_SCRIPTS
} ngx_http_im_script_e;


void ngx_http_im_script_text(ngx_http_im_script_e id, ngx_str_t *text);

/* the SHA1 in hex, by which EVALSHA names it */
void ngx_http_im_script_sha1(ngx_http_im_script_e id, u_char dst[40]);


#endif /* _NGX_HTTP_IM_SCRIPT_H_INCLUDED_ */
