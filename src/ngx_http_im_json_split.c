
#include "ngx_http_im_json_split.h"
#include "ngx_http_im_json_flat.h"
#include "ngx_http_im_json_value.h"


static u_char *ngx_http_im_json_split_string(u_char *p, u_char *last);
static u_char *ngx_http_im_json_split_array(ngx_http_im_json_split_t *split,
    u_char *name, u_char *p, u_char *last);
static ngx_int_t ngx_http_im_json_split_add(ngx_http_im_json_split_t *split,
    u_char *start, u_char *end);


ngx_int_t
ngx_http_im_json_split(ngx_pool_t *pool, u_char *body, size_t len,
    ngx_http_im_json_split_t *split)
{
    u_char      *p, *last, *start, *name, *array;
    ngx_uint_t   depth;

    split->first = NULL;
    split->last = NULL;

    if (ngx_array_init(&split->elts, pool, 16, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    last = body + len;
    start = NULL;

    for (p = body, depth = 0; p < last; p++) {

        if (split->first && depth == 2 && start == NULL
            && *p != ',' && *p != ']'
            && ngx_http_im_json_space(p, p + 1) == p)
        {
            start = p;
        }

        switch (*p) {

        case '"':
            name = p + 1;
            p = ngx_http_im_json_split_string(name, last);

            if (depth != 1 || split->first) {
                break;
            }

            array = ngx_http_im_json_split_array(split, name, p, last);

            if (array) {
                p = array;
                split->first = p + 1;
                depth++;
            }

            break;

        case '{':
        case '[':
            depth++;
            break;

        case ',':
            if (start && depth == 2) {
                if (ngx_http_im_json_split_add(split, start, p) != NGX_OK) {
                    return NGX_ERROR;
                }

                start = NULL;
            }

            break;

        case '}':
        case ']':
            depth--;

            if (split->first == NULL || depth != 1) {
                break;
            }

            split->last = p;

            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                           "im json split \"%V\" elements:%ui",
                           &split->name, split->elts.nelts);

            return start ? ngx_http_im_json_split_add(split, start, p)
                         : NGX_OK;
        }
    }

    return NGX_OK;
}


/* the quote that ends it */

static u_char *
ngx_http_im_json_split_string(u_char *p, u_char *last)
{
    for ( ;; ) {
        p = ngx_http_im_json_flat_text(p, last);

        if (p == last || *p != '\\') {
            return p;
        }

        p += 2;
    }
}


/* the [ behind the string that ends at p, if it is the name of the array */

static u_char *
ngx_http_im_json_split_array(ngx_http_im_json_split_t *split, u_char *name,
    u_char *p, u_char *last)
{
    if ((size_t) (p - name) != split->name.len
        || ngx_memcmp(name, split->name.data, split->name.len) != 0)
    {
        return NULL;
    }

    p = ngx_http_im_json_space(p + 1, last);

    if (p == last || *p != ':') {
        return NULL;
    }

    p = ngx_http_im_json_space(p + 1, last);

    return (p < last && *p == '[') ? p : NULL;
}


static ngx_int_t
ngx_http_im_json_split_add(ngx_http_im_json_split_t *split, u_char *start,
    u_char *end)
{
    ngx_str_t  *elt;

    elt = ngx_array_push(&split->elts);
    if (elt == NULL) {
        return NGX_ERROR;
    }

    elt->data = start;
    elt->len = end - start;

    return NGX_OK;
}
