
#ifndef _NGX_HTTP_IM_JSON_SPLIT_H_INCLUDED_
#define _NGX_HTTP_IM_JSON_SPLIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The elements of an array that is a member of a body's object, so that not
 * all of them need be in one tree.
 */

typedef struct {
    ngx_str_t      name;       /* of the member */
    ngx_array_t    elts;       /* of ngx_str_t, in the body */
    u_char        *first;      /* behind the [; NULL: no such array */
    u_char        *last;       /* the ] */
} ngx_http_im_json_split_t;


/*
 * Finds the first array of the name in a body that json_scan has found to be
 * an object.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_im_json_split(ngx_pool_t *pool, u_char *body, size_t len,
    ngx_http_im_json_split_t *split);


#endif /* _NGX_HTTP_IM_JSON_SPLIT_H_INCLUDED_ */
