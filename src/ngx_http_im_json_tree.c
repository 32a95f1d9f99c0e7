
#include "ngx_http_im_json_tree.h"
#include "ngx_http_im_json_scan.h"


static ngx_int_t ngx_http_im_json_tree_split(ngx_http_im_json_scan_t *scan,
    ngx_http_im_json_split_t *split, u_char **body, size_t *len);
static ngx_int_t ngx_http_im_json_tree_error(ngx_pool_t *pool, u_char *body,
    size_t len, json_error_t *jerr, ngx_http_im_error_t *error);


ngx_int_t
ngx_http_im_json_tree(ngx_pool_t *pool, u_char *body, size_t len,
    ngx_http_im_json_split_t *split, json_t **root, ngx_http_im_error_t *error)
{
    ngx_int_t                 rc;
    json_error_t              jerr;
    ngx_http_im_json_scan_t   scan;

    scan.pool = pool;
    scan.body = body;
    scan.len = len;

    rc = ngx_http_im_json_scan(&scan);

    if (rc == NGX_DECLINED) {
        return ngx_http_im_json_scan_error(&scan, error);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (split) {
        rc = ngx_http_im_json_tree_split(&scan, split, &body, &len);

        if (rc != NGX_OK) {
            return rc;
        }

        scan.body = body;
    }

    *root = json_loadb((char *) scan.body, len, JSON_REJECT_DUPLICATES, &jerr);

    if (split == NULL) {
        ngx_http_im_json_scan_done(&scan);
    }

    if (*root) {
        return NGX_OK;
    }

    if (json_error_code(&jerr) == json_error_out_of_memory) {
        return NGX_ERROR;
    }

    return ngx_http_im_json_tree_error(pool, body, len, &jerr, error);
}


/* all of the body but the elements */

static ngx_int_t
ngx_http_im_json_tree_split(ngx_http_im_json_scan_t *scan,
    ngx_http_im_json_split_t *split, u_char **body, size_t *len)
{
    u_char  *p, *last;

    if (ngx_http_im_json_split(scan->pool, scan->body, scan->len, split)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *body = scan->body;

    if (split->first == NULL) {
        return NGX_OK;
    }

    last = scan->body + scan->len;

    *len = scan->len - (split->last - split->first);
    *body = ngx_pnalloc(scan->pool, *len);

    if (*body == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(*body, scan->body, split->first - scan->body);
    ngx_memcpy(p, split->last, last - split->last);

    return NGX_OK;
}


/* jansson refuses only repeated names after json_scan has seen the body */

static ngx_int_t
ngx_http_im_json_tree_error(ngx_pool_t *pool, u_char *body, size_t len,
    json_error_t *jerr, ngx_http_im_error_t *error)
{
    size_t      at;
    ngx_str_t   name;

    at = ngx_min((size_t) jerr->position, len);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                   "im json tree error:%d position:%uz",
                   (int) json_error_code(jerr), at);

    if (json_error_code(jerr) != json_error_duplicate_key) {
        return ngx_http_im_error_set(pool, error,
                                     NGX_HTTP_IM_BAD_JSON,
                                     "the body is not valid JSON at byte %uz",
                                     at);
    }

    ngx_http_im_json_scan_name(body, at, &name);

    if (name.len == 0) {
        return ngx_http_im_error_set(pool, error,
                                     NGX_HTTP_IM_BAD_JSON,
                                     "a member is given twice at byte %uz",
                                     at);
    }

    return ngx_http_im_error_set(pool, error, NGX_HTTP_IM_BAD_JSON,
                                 "member %V is given twice at byte %uz",
                                 &name, at);
}


ngx_uint_t
ngx_http_im_object_get(ngx_http_im_object_t *object, const ngx_str_t *name,
    ngx_http_im_value_t *value)
{
    json_t                   *json;
    ngx_http_im_json_flat_t  *member;

    if (object->json) {
        json = json_object_get(object->json, (char *) name->data);

        if (json == NULL) {
            return 0;
        }

        ngx_http_im_value_set(json, value);

        return 1;
    }

    member = ngx_http_im_json_flat_find(object->members, object->n, name);

    if (member == NULL) {
        return 0;
    }

    value->type = member->text.data ? NGX_HTTP_IM_VALUE_STRING
                                    : NGX_HTTP_IM_VALUE_INT;
    value->text = member->text;
    value->number = member->number;
    value->json = NULL;
    value->plain = 1;

    return 1;
}


void
ngx_http_im_value_set(json_t *json, ngx_http_im_value_t *value)
{
    value->json = json;
    value->plain = 0;

    switch (json_typeof(json)) {

    case JSON_STRING:
        value->type = NGX_HTTP_IM_VALUE_STRING;
        value->text.data = (u_char *) json_string_value(json);
        value->text.len = json_string_length(json);
        break;

    case JSON_INTEGER:
        value->type = NGX_HTTP_IM_VALUE_INT;
        value->number = json_integer_value(json);
        break;

    default:
        value->type = NGX_HTTP_IM_VALUE_OTHER;
    }
}
