
#ifndef _NGX_HTTP_IM_CONN_LOG_H_INCLUDED_
#define _NGX_HTTP_IM_CONN_LOG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_conn.h"
#include "ngx_http_im_log_limit.h"


/* what the error log tells of the connections of a node */

typedef enum {
    NGX_HTTP_IM_CONN_LOG_LOST = 0,
    NGX_HTTP_IM_CONN_LOG_FAILED,
    NGX_HTTP_IM_CONN_LOG_INFO,
    NGX_HTTP_IM_CONN_LOG_REACHABLE,
    NGX_HTTP_IM_CONN_LOG_LIMITS
} ngx_http_im_conn_log_e;


typedef struct {
    ngx_http_im_log_limit_t  limits[NGX_HTTP_IM_CONN_LOG_LIMITS];
    ngx_str_t                words;       /* in the last error */
    u_char                   words_buf[NGX_HTTP_IM_CONN_WORDS];
} ngx_http_im_conn_log_t;


void ngx_http_im_conn_log_init(ngx_http_im_conn_log_t *cl, ngx_log_t *log);
void ngx_http_im_conn_log_close(ngx_http_im_conn_log_t *cl);

/* the connection is set up; nothing is logged unless it had failed before */
void ngx_http_im_conn_log_ready(ngx_http_im_conn_log_t *cl,
    ngx_http_im_conn_t *conn);

/*
 * The connection is closed.  An error when a server goes away, not for every
 * attempt after that, unless the server says something else; nor if nobody was
 * using the connection, nor (known) if the server must not be used anyway.
 */
void ngx_http_im_conn_log_closed(ngx_http_im_conn_log_t *cl,
    ngx_http_im_conn_t *conn, ngx_http_im_conn_e was, ngx_uint_t known,
    ngx_err_t err, const char *reason);


#endif /* _NGX_HTTP_IM_CONN_LOG_H_INCLUDED_ */
