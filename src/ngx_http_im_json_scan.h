
#ifndef _NGX_HTTP_IM_JSON_SCAN_H_INCLUDED_
#define _NGX_HTTP_IM_JSON_SCAN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Checks a body in one pass before jansson builds a tree of it: whether it is
 * a JSON object, and whether the tree stays small.  A tree takes up to 240
 * bytes for a value of three, so what is bounded is the number of values, not
 * the length of the body.
 *
 * jansson refuses numbers beyond int64_t and double, which members that a call
 * does not know may have.  In a copy of the body such an integer becomes the
 * largest or smallest int64_t, and every number with a fraction or an exponent
 * becomes 0.5: no field takes one.  All positions stay the same.
 *
 * Only repeated names of members are left to jansson.
 */

#define NGX_HTTP_IM_JSON_DEPTH        512
#define NGX_HTTP_IM_JSON_VALUES       16384
#define NGX_HTTP_IM_JSON_CONTAINERS   2048    /* arrays and objects */
#define NGX_HTTP_IM_JSON_MEMBERS      8192    /* of all objects */


typedef struct {
    ngx_pool_t    *pool;
    u_char        *body;       /* afterwards, what jansson is to parse */
    size_t         len;

    /* after NGX_DECLINED */
    const char    *error;      /* begin of a sentence */
    size_t         at;         /* which byte, from 1; 0: not told */
    ngx_str_t      member;     /* of the body's object; "": unknown */
    unsigned       in_name:1;  /* the error is in the name of a member */
    unsigned       limit:1;    /* it is JSON, but too much of it */

    /* private */
    u_char        *first;      /* of the caller's body */
    u_char        *last;
    u_char        *copy;
    ngx_uint_t     depth;
    ngx_uint_t     values;
    ngx_uint_t     containers;
    ngx_uint_t     members;
    u_char         array[NGX_HTTP_IM_JSON_DEPTH + 1];  /* 0: an object */
} ngx_http_im_json_scan_t;


/*
 * NGX_OK; NGX_DECLINED: error and the rest are set; NGX_ERROR: out of memory.
 * The caller sets pool, body and len.
 */
ngx_int_t ngx_http_im_json_scan(ngx_http_im_json_scan_t *scan);

/*
 * The member whose name ends before byte n of the body, counted from 1, as
 * far as the name is plain: letters, digits, "_", "-" and "."; otherwise "".
 */
void ngx_http_im_json_scan_name(u_char *body, size_t n, ngx_str_t *name);

/* frees the copy, if there is one */
void ngx_http_im_json_scan_done(ngx_http_im_json_scan_t *scan);


#endif /* _NGX_HTTP_IM_JSON_SCAN_H_INCLUDED_ */
