
#ifndef _NGX_HTTP_IM_JSON_TREE_H_INCLUDED_
#define _NGX_HTTP_IM_JSON_TREE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_error.h"
#include "ngx_http_im_json_flat.h"
#include "ngx_http_im_json_split.h"

#include <jansson.h>


/* an object of jansson (json) or of json_flat (members) */

typedef struct {
    json_t                   *json;
    ngx_http_im_json_flat_t  *members;
    ngx_int_t                 n;
} ngx_http_im_object_t;

/* text or number by type; text points into the body or the tree */

typedef enum {
    NGX_HTTP_IM_VALUE_STRING = 0,
    NGX_HTTP_IM_VALUE_INT,
    NGX_HTTP_IM_VALUE_OTHER
} ngx_http_im_value_e;

typedef struct {
    ngx_http_im_value_e     type;
    ngx_str_t               text;
    int64_t                 number;
    json_t                 *json;
    unsigned                plain:1;     /* needs no escape */
} ngx_http_im_value_t;


/*
 * The tree of a body that is an object, to be freed with json_decref().
 * split: NULL, or its array is empty in the tree, and its elements are in the
 * body or, if that is changed, in the pool.  NGX_OK; NGX_DECLINED: error is
 * set; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_im_json_tree(ngx_pool_t *pool, u_char *body, size_t len,
    ngx_http_im_json_split_t *split, json_t **root,
    ngx_http_im_error_t *error);

/* the value of a member; 0: there is none of this name */
ngx_uint_t ngx_http_im_object_get(ngx_http_im_object_t *object,
    const ngx_str_t *name, ngx_http_im_value_t *value);

void ngx_http_im_value_set(json_t *json, ngx_http_im_value_t *value);


#endif /* _NGX_HTTP_IM_JSON_TREE_H_INCLUDED_ */
