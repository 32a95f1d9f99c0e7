
#ifndef _NGX_HTTP_IM_REDIS_ERROR_H_INCLUDED_
#define _NGX_HTTP_IM_REDIS_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* what an error reply means for its command and for the connection */

typedef enum {
    NGX_HTTP_IM_REDIS_ERROR_NONE = 0,   /* it may have been executed */
    NGX_HTTP_IM_REDIS_ERROR_CMD,        /* it was not executed */
    NGX_HTTP_IM_REDIS_ERROR_CONN,       /* nor will others on this conn */
    NGX_HTTP_IM_REDIS_ERROR_NOSCRIPT,   /* not executed: send the script */

    /* it was not executed, and a cluster tells: */
    NGX_HTTP_IM_REDIS_ERROR_MOVED,      /* its slot belongs to another node */
    NGX_HTTP_IM_REDIS_ERROR_ASK,        /* its key does, already */
    NGX_HTTP_IM_REDIS_ERROR_AGAIN,      /* later */
    NGX_HTTP_IM_REDIS_ERROR_REPLICA     /* later, and others neither */
} ngx_http_im_redis_error_e;


ngx_http_im_redis_error_e ngx_http_im_redis_error_class(ngx_str_t *error);


#endif /* _NGX_HTTP_IM_REDIS_ERROR_H_INCLUDED_ */
