
#ifndef _NGX_HTTP_IM_LIST_WRITE_H_INCLUDED_
#define _NGX_HTTP_IM_LIST_WRITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_convs.h"


/* the answer of a list, an array; parses the senders.  NGX_OK, or refused */
ngx_int_t ngx_http_im_list_write(ngx_http_im_call_t *call,
    ngx_http_im_convs_row_t **rows, ngx_uint_t n);


#endif /* _NGX_HTTP_IM_LIST_WRITE_H_INCLUDED_ */
