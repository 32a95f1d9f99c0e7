
#ifndef _NGX_HTTP_IM_LIMIT_H_INCLUDED_
#define _NGX_HTTP_IM_LIMIT_H_INCLUDED_


#include "ngx_http_im.h"


/* The limits of im_rate, known once the body is read. */

/* the im_rate directive */
char *ngx_http_im_limit_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* im_rate of a location */
void ngx_http_im_limit_merge(ngx_http_im_loc_conf_t *up,
    ngx_http_im_loc_conf_t *lcf);

/* after the configuration was read: the zone, if there are limits */
ngx_int_t ngx_http_im_limit_zone_add(ngx_conf_t *cf,
    ngx_http_im_main_conf_t *imcf);

/*
 * Counts a call that was checked, before its first command: NGX_OK,
 * NGX_DECLINED (refused, ctx->retry_after is set) or NGX_ERROR.
 */
ngx_int_t ngx_http_im_limit_take(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);

/* the call is over: one that has written nothing counts for its user only */
void ngx_http_im_limit_end(ngx_http_im_call_t *call, ngx_http_im_error_e id);


#endif /* _NGX_HTTP_IM_LIMIT_H_INCLUDED_ */
