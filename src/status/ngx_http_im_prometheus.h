
#ifndef _NGX_HTTP_IM_PROMETHEUS_H_INCLUDED_
#define _NGX_HTTP_IM_PROMETHEUS_H_INCLUDED_


#include "ngx_http_im_sum.h"


/* the text format, version 0.0.4: one family after the other */
void ngx_http_im_prometheus(ngx_http_im_sum_t *report);


#endif /* _NGX_HTTP_IM_PROMETHEUS_H_INCLUDED_ */
