
#ifndef _NGX_HTTP_IM_MISSED_ROWS_H_INCLUDED_
#define _NGX_HTTP_IM_MISSED_ROWS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/* the step that has the rows, and makes the events of them */
ngx_int_t ngx_http_im_missed_rows(ngx_http_im_call_t *call);


#endif /* _NGX_HTTP_IM_MISSED_ROWS_H_INCLUDED_ */
