
#ifndef _NGX_HTTP_IM_JSON_VALUE_H_INCLUDED_
#define _NGX_HTTP_IM_JSON_VALUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the strings, numbers and literals of a body, for json_scan */

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
 * These return the byte after what begins at p, or NULL: error is set, or it
 * is not and there is no memory.
 */
u_char *ngx_http_im_json_value(ngx_http_im_json_scan_t *scan, u_char *p);
u_char *ngx_http_im_json_string(ngx_http_im_json_scan_t *scan, u_char *p);

/* the next byte that is no white space, or last */
u_char *ngx_http_im_json_space(u_char *p, u_char *last);

/*
 * These set the error of byte p and return NULL: it is not JSON, there is too
 * much of it, or something else is expected here, if the body goes on.
 */
u_char *ngx_http_im_json_bad(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error);
u_char *ngx_http_im_json_over(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error);
u_char *ngx_http_im_json_expected(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error);


#endif /* _NGX_HTTP_IM_JSON_VALUE_H_INCLUDED_ */
