
#ifndef _NGX_HTTP_IM_REDIS_ERROR_H_INCLUDED_
#define _NGX_HTTP_IM_REDIS_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"
#include "ngx_http_im_script.h"


/* what an error reply tells of the command */

typedef enum {
    NGX_HTTP_IM_REDIS_ERROR_NONE = 0,    /* nothing: it may have been executed */
    NGX_HTTP_IM_REDIS_ERROR_NOW,         /* it was not executed */
    NGX_HTTP_IM_REDIS_ERROR_FOR_GOOD     /* nor will another on this connection */
} ngx_http_im_redis_error_e;


ngx_http_im_redis_error_e ngx_http_im_redis_error_class(ngx_str_t *error);

/*
 * The server has lost its scripts (SCRIPT FLUSH): makes of the command the
 * same with the text in place of its SHA1.  0: it is another error.
 */
ngx_uint_t ngx_http_im_redis_error_eval(ngx_http_im_cmd_t *cmd,
    const ngx_http_im_script_t *scripts, ngx_pool_t *pool);


#endif /* _NGX_HTTP_IM_REDIS_ERROR_H_INCLUDED_ */
