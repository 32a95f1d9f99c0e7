
#ifndef _NGX_HTTP_IM_ATOI_H_INCLUDED_
#define _NGX_HTTP_IM_ATOI_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a decimal number of 1 to 18 digits; NGX_ERROR if it is none */
int64_t ngx_http_im_atoi(u_char *p, size_t len);

/* are all of them digits, and is there one? */
ngx_uint_t ngx_http_im_digits(u_char *p, size_t len);


#endif /* _NGX_HTTP_IM_ATOI_H_INCLUDED_ */
