
#ifndef _NGX_HTTP_IM_JSON_H_INCLUDED_
#define _NGX_HTTP_IM_JSON_H_INCLUDED_


#include "ngx_http_im_sum.h"
#include "ngx_http_im_writer.h"


/* the status as JSON */
void ngx_http_im_json_write(ngx_http_im_writer_t *w, ngx_http_im_sum_t *sum);


#endif /* _NGX_HTTP_IM_JSON_H_INCLUDED_ */
