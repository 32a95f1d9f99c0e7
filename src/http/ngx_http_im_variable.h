
#ifndef _NGX_HTTP_IM_VARIABLE_H_INCLUDED_
#define _NGX_HTTP_IM_VARIABLE_H_INCLUDED_


#include "ngx_http_im.h"


/* $im_call $im_code $im_from_id $im_conv_id $im_store_time
   $im_store_commands */
ngx_int_t ngx_http_im_variables(ngx_conf_t *cf);

/* the last four, from a call that is about to end */
void ngx_http_im_variables_set(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx);

/* the value of set_im_conv_id, from those of its two arguments */
ngx_int_t ngx_http_im_conv_id_set(ngx_http_request_t *r, ngx_str_t *res,
    ngx_http_variable_value_t *v);


#endif /* _NGX_HTTP_IM_VARIABLE_H_INCLUDED_ */
