
#ifndef _NGX_HTTP_IM_FIELD_H_INCLUDED_
#define _NGX_HTTP_IM_FIELD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_error.h"


/*
 * The fields of a request's body are rows: the name of the JSON member, its
 * type, its offset in the call's arguments and its limits.  Strings are copied
 * to the pool, so they outlive the body and the parsed tree.
 */

typedef enum {
    NGX_HTTP_IM_FIELD_CONV_ID = 0,   /* ngx_str_t */
    NGX_HTTP_IM_FIELD_USER_ID,       /* ngx_str_t */
    NGX_HTTP_IM_FIELD_NAME,          /* ngx_str_t; min, max in bytes */
    NGX_HTTP_IM_FIELD_TEXT,          /* ngx_http_im_text_t; the same */
    NGX_HTTP_IM_FIELD_INT,           /* int64_t; min and max are values */
    NGX_HTTP_IM_FIELD_BOOL,          /* ngx_uint_t */
    NGX_HTTP_IM_FIELD_TIME,          /* ngx_http_im_time_t */
    NGX_HTTP_IM_FIELD_IDS,           /* ngx_array_t of ngx_str_t, users once */
    NGX_HTTP_IM_FIELD_OBJECTS        /* ngx_array_t of structs, rows in sub */
} ngx_http_im_field_e;


/* a text is stored and returned escaped: this is done once */

typedef struct {
    ngx_str_t                  escaped;
    size_t                     len;       /* as sent */
    unsigned                   set:1;
} ngx_http_im_text_t;


/* ms since the epoch */

typedef struct {
    int64_t                    ms;
    ngx_uint_t                 set;
} ngx_http_im_time_t;


#define NGX_HTTP_IM_FIELD_REQUIRED   1
#define NGX_HTTP_IM_FIELD_EMPTY      2    /* "" counts as absent */
#define NGX_HTTP_IM_FIELD_LATER      4    /* the call checks the form */
#define NGX_HTTP_IM_FIELD_SPLIT      8    /* OBJECTS: many, or large ones */


typedef struct ngx_http_im_field_s  ngx_http_im_field_t;

struct ngx_http_im_field_s {
    ngx_str_t                    name;
    ngx_http_im_field_e          type;
    ngx_uint_t                   flags;
    size_t                       offset;
    int64_t                      min;
    int64_t                      max;
    const ngx_http_im_field_t   *sub;     /* OBJECTS: rows, size of one */
    size_t                       size;
};


/* for max */
#define NGX_HTTP_IM_NO_LIMIT   INT64_MAX


#define ngx_http_im_field_end                                                \
    { ngx_null_string, 0, 0, 0, 0, 0, NULL, 0 }


/*
 * NGX_OK; NGX_DECLINED: error is set; NGX_ERROR: out of memory.  Fields that
 * are not in the body keep the values they have in args.  IDS whose row has no
 * limit: of more than ids_max, repeated ones counted once, ids_max + 1 are
 * kept.
 */
ngx_int_t ngx_http_im_field_read(ngx_pool_t *pool, u_char *body, size_t len,
    const ngx_http_im_field_t *fields, size_t ids_max, void *args,
    ngx_http_im_error_t *error);

/* at start: otherwise jansson reads a seed from a file on first use */
void ngx_http_im_field_init(void);


#endif /* _NGX_HTTP_IM_FIELD_H_INCLUDED_ */
