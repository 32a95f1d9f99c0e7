
#ifndef _NGX_HTTP_IM_PROMETHEUS_H_INCLUDED_
#define _NGX_HTTP_IM_PROMETHEUS_H_INCLUDED_


#include "ngx_http_im_sum.h"
#include "ngx_http_im_writer.h"


/* the status in Prometheus text format, version 0.0.4 */
void ngx_http_im_prometheus_write(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum);


#endif /* _NGX_HTTP_IM_PROMETHEUS_H_INCLUDED_ */
