
#ifndef _NGX_HTTP_IM_JSON_FLAT_H_INCLUDED_
#define _NGX_HTTP_IM_JSON_FLAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Almost every body is one flat object of a few strings without escapes and
 * small integers.  Such a body is taken apart where it lies, at a tenth of
 * what a tree of it costs.  Everything else, valid or not, is NGX_DECLINED
 * and for jansson to judge: nothing is refused here, so there is one judge
 * of what JSON is.
 */

#define NGX_HTTP_IM_JSON_FLAT_MAX   16


typedef struct {
    ngx_str_t    name;
    ngx_str_t    text;       /* in the body; data is NULL for an integer */
    int64_t      number;
} ngx_http_im_json_flat_t;


/* the number of members, each name once, or NGX_DECLINED */
ngx_int_t ngx_http_im_json_flat_read(u_char *body, size_t len,
    ngx_http_im_json_flat_t members[NGX_HTTP_IM_JSON_FLAT_MAX]);

/* the one of n that has this name, or NULL */
ngx_http_im_json_flat_t *ngx_http_im_json_flat_find(ngx_http_im_json_flat_t *members,
    ngx_int_t n, const ngx_str_t *name);


#endif /* _NGX_HTTP_IM_JSON_FLAT_H_INCLUDED_ */
