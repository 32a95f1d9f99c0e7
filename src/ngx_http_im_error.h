
#ifndef _NGX_HTTP_IM_ERROR_H_INCLUDED_
#define _NGX_HTTP_IM_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_HTTP_IM_OK = 0,
    NGX_HTTP_IM_BAD_JSON,
    NGX_HTTP_IM_BAD_REQUEST,
    NGX_HTTP_IM_CONV_MISMATCH,
    NGX_HTTP_IM_FORBIDDEN,
    NGX_HTTP_IM_NOT_MEMBER,
    NGX_HTTP_IM_NOT_FOUND,
    NGX_HTTP_IM_CONV_NOT_FOUND,
    NGX_HTTP_IM_MSG_NOT_FOUND,
    NGX_HTTP_IM_METHOD_NOT_ALLOWED,
    NGX_HTTP_IM_CONV_EXISTS,
    NGX_HTTP_IM_NOT_GROUP,
    NGX_HTTP_IM_GROUP_FULL,
    NGX_HTTP_IM_GROUP_TOO_LARGE,
    NGX_HTTP_IM_TOO_MANY_GROUPS,
    NGX_HTTP_IM_IS_OWNER,
    NGX_HTTP_IM_DISMISSED,
    NGX_HTTP_IM_RECALL_EXPIRED,
    NGX_HTTP_IM_IDEMPOTENCY_CONFLICT,
    NGX_HTTP_IM_IMPORT_CONFLICT,
    NGX_HTTP_IM_BODY_TOO_LARGE,
    NGX_HTTP_IM_MSG_TOO_LONG,
    NGX_HTTP_IM_TOO_MANY_REQUESTS,
    NGX_HTTP_IM_INTERNAL,
    NGX_HTTP_IM_STORE_ERROR,
    NGX_HTTP_IM_STORE_UNAVAILABLE,
    NGX_HTTP_IM_OUTCOME_UNKNOWN,
    NGX_HTTP_IM_STORE_TIMEOUT,
    NGX_HTTP_IM_CODES                /* number of codes */
} ngx_http_im_error_e;


typedef struct {
    ngx_str_t    code;     /* for programs, stable */
    ngx_uint_t   status;
    ngx_str_t    text;     /* for people, the default */
} ngx_http_im_code_t;


typedef struct {
    ngx_http_im_error_e    id;
    ngx_str_t              text;     /* has the field's name */
} ngx_http_im_error_t;


/* the row of a code, also of NGX_HTTP_IM_OK */
const ngx_http_im_code_t *ngx_http_im_error_code(ngx_http_im_error_e id);

/*
 * By name, as the scripts return it; NGX_HTTP_IM_OK: there is no error with
 * this name.
 */
ngx_http_im_error_e ngx_http_im_error_find(ngx_str_t *code);

/* NGX_DECLINED, or NGX_ERROR: out of memory; fmt NULL: the id's own text */
ngx_int_t ngx_http_im_error_set(ngx_pool_t *pool, ngx_http_im_error_t *error,
    ngx_http_im_error_e id, const char *fmt, ...);


#endif /* _NGX_HTTP_IM_ERROR_H_INCLUDED_ */
