
#ifndef _NGX_HTTP_IM_IMPORT_CHECK_H_INCLUDED_
#define _NGX_HTTP_IM_IMPORT_CHECK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/* messages of one batch */
#define NGX_HTTP_IM_IMPORT_MAX   1000


typedef struct {
    ngx_str_t             msg_id;     /* escaped, once it is checked */
    int64_t               msg_type;
    ngx_http_im_text_t    msg;        /* "": it was recalled */
    ngx_str_t             from_id;
    int64_t               from_time;
} ngx_http_im_import_row_t;

typedef struct {
    ngx_str_t             conv_id;
    int64_t               conv_type;
    ngx_array_t           conv_users; /* of ngx_str_t */
    ngx_str_t             owner_id;   /* set once it is checked */
    ngx_http_im_text_t    name;
    ngx_http_im_text_t    img;
    ngx_http_im_text_t    description;
    ngx_http_im_time_t    created;
    ngx_uint_t            unread;
    ngx_array_t           messages;   /* of ngx_http_im_import_row_t */
} ngx_http_im_import_args_t;


extern const ngx_http_im_field_t  ngx_http_im_import_fields[];

ngx_int_t ngx_http_im_import_check(ngx_http_im_call_t *call);


#endif /* _NGX_HTTP_IM_IMPORT_CHECK_H_INCLUDED_ */
