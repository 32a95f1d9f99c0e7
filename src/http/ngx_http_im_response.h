
#ifndef _NGX_HTTP_IM_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_IM_RESPONSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_im_call.h"


/* ends the answer of a call: its length, or NGX_ERROR */
off_t ngx_http_im_response_close(ngx_http_im_call_t *call);

/* the memory it takes, with replies of Redis that it consists of */
size_t ngx_http_im_response_size(ngx_http_im_call_t *call, off_t length);

/* frees an answer that is not sent: its request may live on for long */
void ngx_http_im_response_free(ngx_http_im_call_t *call);

/*
 * The next three send header and body and return what the request is to be
 * finalized with.
 */

/* the answer of a call, with what was made told in headers */
ngx_int_t ngx_http_im_response(ngx_http_request_t *r,
    ngx_http_im_call_t *call, off_t length);

/* {"code":"...","error":"..."}; text NULL: the usual one */
ngx_int_t ngx_http_im_response_error(ngx_http_request_t *r,
    ngx_http_im_error_e id, ngx_str_t *text);

/* any answer: the buffers of a JSON writer that is done */
ngx_int_t ngx_http_im_response_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, ngx_chain_t *out, off_t length);

/*
 * A header, if it has a value; that is copied, as a call's pool goes before
 * the request's.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_im_response_header(ngx_http_request_t *r, const char *key,
    size_t len, ngx_str_t *value);

#define ngx_http_im_response_set(r, key, value)                              \
    ngx_http_im_response_header(r, key, sizeof(key) - 1, value)


#endif /* _NGX_HTTP_IM_RESPONSE_H_INCLUDED_ */
