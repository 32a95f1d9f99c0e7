
#ifndef _NGX_HTTP_IM_LOG_LIMIT_H_INCLUDED_
#define _NGX_HTTP_IM_LOG_LIMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * Lines of one cause: the first is logged at once.  Those of the second after
 * it are counted; at its end the last of them is logged with their number,
 * and the next second begins.
 */

#define NGX_HTTP_IM_LOG_LIMIT_LEN   512


typedef struct {
    ngx_event_t              timer;      /* cancelable */
    ngx_log_t               *log;
    ngx_uint_t               level;      /* of the last line */
    ngx_uint_t               n;          /* that were not logged */
    size_t                   len;
    u_char                   text[NGX_HTTP_IM_LOG_LIMIT_LEN];
} ngx_http_im_log_limit_t;


void ngx_http_im_log_limit_init(ngx_http_im_log_limit_t *limit,
    ngx_log_t *log);

/* err: of the system, or 0 */
void ngx_cdecl ngx_http_im_log_limit(ngx_http_im_log_limit_t *limit,
    ngx_uint_t level, ngx_err_t err, const char *fmt, ...);

/* log: where a line goes that is logged at once */
void ngx_http_im_log_limit_va(ngx_http_im_log_limit_t *limit,
    ngx_uint_t level, ngx_log_t *log, ngx_err_t err, const char *fmt,
    va_list args);

/* what others sent, as far as it can be printed */
void ngx_http_im_log_copy(ngx_str_t *dst, const ngx_str_t *src, size_t max);

/* at exit: what was counted is logged */
void ngx_http_im_log_limit_close(ngx_http_im_log_limit_t *limit);


#endif /* _NGX_HTTP_IM_LOG_LIMIT_H_INCLUDED_ */
