
#ifndef _NGX_HTTP_IM_FIELD_H_INCLUDED_
#define _NGX_HTTP_IM_FIELD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_error.h"


/*
 * A request's body is described by rows: the JSON member, its type, where it
 * goes in the call's arguments and what it may be.  Strings are copied to the
 * pool, so nothing of the parsed tree is needed after the read.
 */

typedef enum {
    NGX_HTTP_IM_FIELD_ID = 0,    /* ngx_str_t, a user's or conversation's id */
    NGX_HTTP_IM_FIELD_NAME,      /* ngx_str_t, as sent; min and max in bytes */
    NGX_HTTP_IM_FIELD_TEXT,      /* ngx_http_im_text_t; min, max in bytes */
    NGX_HTTP_IM_FIELD_INT,       /* int64_t; min and max are values */
    NGX_HTTP_IM_FIELD_IDS,       /* ngx_array_t of ngx_str_t, each once */
    NGX_HTTP_IM_FIELD_OBJECTS    /* ngx_array_t of what sub describes */
} ngx_http_im_field_e;


/* a text that is answered again: escaped here, once */

typedef struct {
    ngx_str_t                  escaped;
    size_t                     len;       /* as sent */
    unsigned                   set:1;
} ngx_http_im_text_t;


#define NGX_HTTP_IM_FIELD_REQUIRED   1
#define NGX_HTTP_IM_FIELD_EMPTY      2    /* "" counts as absent */
#define NGX_HTTP_IM_FIELD_LATER      4    /* the call judges the form */


typedef struct ngx_http_im_field_s  ngx_http_im_field_t;

struct ngx_http_im_field_s {
    ngx_str_t                    name;
    ngx_http_im_field_e          type;
    ngx_uint_t                   flags;
    size_t                       offset;
    int64_t                      min;
    int64_t                      max;
    const ngx_http_im_field_t   *sub;     /* OBJECTS: rows and size of each */
    size_t                       size;
};


/* as a max */
#define NGX_HTTP_IM_NO_LIMIT   INT64_MAX


#define ngx_http_im_field_end                                                \
    { ngx_null_string, 0, 0, 0, 0, 0, NULL, 0 }


typedef struct {
    ngx_http_im_error_e          id;
    ngx_str_t                    text;    /* names the field */
} ngx_http_im_error_t;


/*
 * NGX_OK; NGX_DECLINED: refusal tells why; NGX_ERROR: out of memory.  What
 * the body does not mention keeps the value args had before.
 */
ngx_int_t ngx_http_im_field_read(ngx_pool_t *pool, u_char *body, size_t len,
    const ngx_http_im_field_t *fields, void *args,
    ngx_http_im_error_t *error);

ngx_int_t ngx_http_im_error_set(ngx_pool_t *pool, ngx_http_im_error_t *error,
    ngx_http_im_error_e id, const char *fmt, ...);

/* jansson seeds its hash on first use, from a file; done at start instead */
void ngx_http_im_field_init(void);


#endif /* _NGX_HTTP_IM_FIELD_H_INCLUDED_ */
