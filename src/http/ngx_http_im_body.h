
#ifndef _NGX_HTTP_IM_BODY_H_INCLUDED_
#define _NGX_HTTP_IM_BODY_H_INCLUDED_


#include "ngx_http_im.h"


/*
 * A refused body is received and dropped for at most so long, in bytes and
 * milliseconds, before the refusal is sent.
 */
#define NGX_HTTP_IM_BODY_DROP_MAX   (8 * 1024 * 1024)
#define NGX_HTTP_IM_BODY_DROP_TIME  5000

/* for the client to see a refusal before its stream is reset */
#define NGX_HTTP_IM_BODY_LINGER     1000


/*
 * Reads the body of a request, at most limit bytes of it, into a zeroed
 * struct.  NGX_DONE: the handler was called or will be; otherwise it was not,
 * and the content handler must return the status.
 *
 * What is beyond the limit is left to nginx in HTTP/1, and dropped in later
 * versions.
 *
 * One body may be read at a time: the struct is found by the module's context
 * of the request.
 */
ngx_int_t ngx_http_im_body_read(ngx_http_request_t *r,
    ngx_http_im_body_t *body, size_t limit,
    ngx_http_im_body_handler_pt handler);

/* the same for a body of which nothing is needed */
ngx_int_t ngx_http_im_body_drop(ngx_http_request_t *r,
    ngx_http_im_body_t *body, ngx_http_im_body_handler_pt handler);

/*
 * Finalizes a request that was answered while its body is received: at once
 * in HTTP/1, where nginx does the rest, and a moment later in later versions.
 */
void ngx_http_im_body_linger(ngx_http_request_t *r, ngx_http_im_body_t *body,
    ngx_int_t rc);

/* when the request ends, however it does */
void ngx_http_im_body_end(ngx_http_im_body_t *body);

/*
 * The limit of a location that has im_max_body_size max.  The limit of nginx
 * is judged here, with ours: the refusal is JSON, and reaches clients of
 * HTTP/2.  It is never raised.
 */
size_t ngx_http_im_body_limit(ngx_http_core_loc_conf_t *clcf, size_t max);

/* the longest body of the operation; ctx may be NULL */
size_t ngx_http_im_body_max(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx);

/*
 * A filter for bodies that other modules read in a location with im_pass:
 * NGX_HTTP_REQUEST_ENTITY_TOO_LARGE beyond the limit of the location, or what
 * the next filter returns.
 */
ngx_int_t ngx_http_im_body_filter(ngx_http_request_t *r, ngx_chain_t *in);


#endif /* _NGX_HTTP_IM_BODY_H_INCLUDED_ */
