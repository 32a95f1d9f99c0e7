
#ifndef _NGX_HTTP_IM_BODY_H_INCLUDED_
#define _NGX_HTTP_IM_BODY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * rc of the handler: NGX_OK, body->data and body->len are the whole body;
 * NGX_DECLINED, it is longer than the limit; NGX_ERROR, out of memory or a
 * file that could not be read; otherwise the status of a failed read.
 */

typedef struct ngx_http_im_body_s  ngx_http_im_body_t;

typedef void (*ngx_http_im_body_handler_pt)(ngx_http_request_t *r,
    ngx_http_im_body_t *body, ngx_int_t rc);

struct ngx_http_im_body_s {
    u_char                       *data;       /* in the request's pool */
    size_t                        len;        /* of what has been read */
    size_t                        capacity;   /* of a copy of it */
    size_t                        limit;
    ngx_http_im_body_handler_pt   handler;
};


/*
 * Reads the body of a request, at most limit bytes of it, into a zeroed
 * struct.  NGX_DONE: the handler was called or will be; otherwise it was not,
 * and the content handler must return the status.
 *
 * One body may be read at a time: the struct is found by the module's context
 * of the request.
 */
ngx_int_t ngx_http_im_body_read(ngx_http_request_t *r,
    ngx_http_im_body_t *body, size_t limit,
    ngx_http_im_body_handler_pt handler);


#endif /* _NGX_HTTP_IM_BODY_H_INCLUDED_ */
