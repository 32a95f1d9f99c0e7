
#ifndef _NGX_HTTP_IM_JSON_FLAT_H_INCLUDED_
#define _NGX_HTTP_IM_JSON_FLAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Reads a body that is one flat object of strings without escapes and small
 * integers, as almost every body is, without copying: about ten times faster
 * than building a tree.  Any other body, valid or not, is NGX_DECLINED and
 * left to json_scan and jansson.
 */

#define NGX_HTTP_IM_JSON_FLAT_MAX   16


typedef struct {
    ngx_str_t    name;
    ngx_str_t    text;       /* in the body; data is NULL: an integer */
    int64_t      number;
} ngx_http_im_json_flat_t;


/* the number of members, each with another name, or NGX_DECLINED */
ngx_int_t ngx_http_im_json_flat_read(u_char *body, size_t len,
    ngx_http_im_json_flat_t members[NGX_HTTP_IM_JSON_FLAT_MAX]);

/* by name among n members, or NULL */
ngx_http_im_json_flat_t *ngx_http_im_json_flat_find(
    ngx_http_im_json_flat_t *members, ngx_int_t n, const ngx_str_t *name);

/*
 * The first byte of a string's text that is a quote, a backslash, a control
 * character or the begin of invalid UTF-8; last: there is none
 */
u_char *ngx_http_im_json_flat_text(u_char *p, u_char *last);


#endif /* _NGX_HTTP_IM_JSON_FLAT_H_INCLUDED_ */
