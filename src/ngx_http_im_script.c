
#include "ngx_http_im_script.h"
#include <ngx_sha1.h>

#include "ngx_http_im_script_text.h"


/* in the order of ngx_http_im_script_e */

static const ngx_str_t  ngx_http_im_scripts[] = {
    ngx_string(ngx_http_im_script_send),
    ngx_string(ngx_http_im_script_read),
    ngx_string(ngx_http_im_script_group_create),
    ngx_string(ngx_http_im_script_group_add)
};


void
ngx_http_im_script_text(ngx_http_im_script_e id, ngx_str_t *text)
{
    *text = ngx_http_im_scripts[id];
}


void
ngx_http_im_script_sha1(ngx_http_im_script_e id, u_char dst[40])
{
    u_char      digest[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, ngx_http_im_scripts[id].data,
                    ngx_http_im_scripts[id].len);
    ngx_sha1_final(digest, &sha1);

    ngx_hex_dump(dst, digest, sizeof(digest));
}
