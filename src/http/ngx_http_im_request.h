
#ifndef _NGX_HTTP_IM_REQUEST_H_INCLUDED_
#define _NGX_HTTP_IM_REQUEST_H_INCLUDED_


#include "ngx_http_im.h"


/* What a request says of its call. */

/* the context of a request of a location with im_pass; NULL: no memory */
ngx_http_im_ctx_t *ngx_http_im_request_ctx_create(ngx_http_request_t *r);

/*
 * The same, or NULL, for the log and for filters: internal redirects clear the
 * contexts of modules, so it is also looked for in the request's pool.
 */
ngx_http_im_ctx_t *ngx_http_im_request_ctx_find(ngx_http_request_t *r);

/* the operation that the URI names, or NULL */
const ngx_http_im_op_t *ngx_http_im_request_route(ngx_http_request_t *r,
    ngx_http_im_loc_conf_t *lcf, ngx_str_t *conv_id);

/*
 * The longest body of an import in the content phase, when it is known who
 * calls: of callers who are not trusted it is not longer than that of others.
 */
size_t ngx_http_im_request_read_max(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);

/*
 * Of HTTP/2 or later: a stream that is answered while its body is received is
 * reset after the answer, which some clients then do not show.
 */
ngx_uint_t ngx_http_im_request_is_stream(ngx_http_request_t *r);

/* the client waits for leave to send the body */
ngx_uint_t ngx_http_im_request_expects(ngx_http_request_t *r);

/* the answer, but nothing else, is in the request's pool; NULL: no memory */
ngx_http_im_call_t *ngx_http_im_request_call(ngx_http_request_t *r,
    ngx_http_im_job_t *job, const ngx_http_im_op_t *op, ngx_str_t *conv_id);

/*
 * Commands of one caller wait behind each other.  A backend makes calls for
 * many users, so its address comes last.
 */
ngx_str_t *ngx_http_im_request_caller(ngx_http_request_t *r,
    ngx_http_im_call_t *call);

/*
 * Answers that the client has not taken belong to the user of the call, or to
 * a connection with all of its streams.  Whether one of this length may be
 * added; 0: any.
 */
ngx_uint_t ngx_http_im_request_may_answer(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx, size_t length);

/* counts the answer until the request is freed */
void ngx_http_im_request_unsent_add(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx, size_t length);

/* once for each request: for the access log and the statistics */
void ngx_http_im_record_code(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    ngx_http_im_error_e id);

/* the worker's statistics of calls */
ngx_http_im_stat_t *ngx_http_im_request_stat(ngx_http_request_t *r);

/* code: ngx_http_im_error_e or NGX_HTTP_IM_STAT_ABORTED; op may be NULL */
void ngx_http_im_stat_code(ngx_http_im_stat_t *stat,
    const ngx_http_im_op_t *op, ngx_uint_t code);


#endif /* _NGX_HTTP_IM_REQUEST_H_INCLUDED_ */
