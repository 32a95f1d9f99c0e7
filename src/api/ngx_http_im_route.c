
#include "ngx_http_im_route.h"
#include "ngx_http_im_api.h"


typedef struct {
    ngx_str_t                path;     /* "*" stands for a conversation's id */
    const ngx_http_im_op_t  *op;
} ngx_http_im_route_t;


/* the first that fits is taken, so conv/list is never a conversation */

static const ngx_http_im_route_t  ngx_http_im_routes[] = {
    { ngx_string("conv/list"), &ngx_http_im_op_conv_list },
    { ngx_string("conv/*"), &ngx_http_im_op_conv_page },
    { ngx_string("from/to"), &ngx_http_im_op_pair_page },
    { ngx_string("send/msg"), &ngx_http_im_op_send },
    { ngx_string("creat/group"), &ngx_http_im_op_group_create },
    { ngx_string("create/group"), &ngx_http_im_op_group_create },
    { ngx_string("add/group/merber"), &ngx_http_im_op_group_add },
    { ngx_string("add/group/member"), &ngx_http_im_op_group_add },
    { ngx_string("group/*/list"), &ngx_http_im_op_group_list },
    { ngx_string("conv/*/read"), &ngx_http_im_op_conv_read },
    { ngx_string("unread"), &ngx_http_im_op_unread },
    { ngx_string("user/set"), &ngx_http_im_op_user_set },
    { ngx_string("user/get"), &ngx_http_im_op_user_get }
};


#define NGX_HTTP_IM_ROUTES                                                   \
    (sizeof(ngx_http_im_routes) / sizeof(ngx_http_im_route_t))


static ngx_uint_t ngx_http_im_route_match(const ngx_str_t *route,
    ngx_str_t *path, ngx_str_t *conv_id);


const ngx_http_im_op_t *
ngx_http_im_route(ngx_str_t *path, ngx_str_t *conv_id)
{
    ngx_uint_t  i;

    ngx_str_null(conv_id);

    for (i = 0; i < NGX_HTTP_IM_ROUTES; i++) {
        if (ngx_http_im_route_match(&ngx_http_im_routes[i].path, path,
                                    conv_id))
        {
            return ngx_http_im_routes[i].op;
        }
    }

    return NULL;
}


const ngx_http_im_op_t *
ngx_http_im_route_uri(ngx_str_t *uri, size_t prefix, ngx_str_t *conv_id)
{
    ngx_str_t  path;

    ngx_str_null(conv_id);

    if (uri->len <= prefix) {
        return NULL;
    }

    path.data = uri->data + prefix;
    path.len = uri->len - prefix;

    if (path.data[0] == '/') {
        path.data++;
        path.len--;
    }

    return ngx_http_im_route(&path, conv_id);
}


ngx_uint_t
ngx_http_im_route_calls(void)
{
    return NGX_HTTP_IM_ROUTES + 1;
}


ngx_uint_t
ngx_http_im_route_number(const ngx_http_im_op_t *op)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_IM_ROUTES; i++) {
        if (ngx_http_im_routes[i].op == op) {
            break;
        }
    }

    return i;
}


const ngx_http_im_op_t *
ngx_http_im_route_op(ngx_uint_t number)
{
    const ngx_http_im_op_t  *op;

    op = (number < NGX_HTTP_IM_ROUTES) ? ngx_http_im_routes[number].op : NULL;

    return (op && ngx_http_im_route_number(op) == number) ? op : NULL;
}


static ngx_uint_t
ngx_http_im_route_match(const ngx_str_t *route, ngx_str_t *path,
    ngx_str_t *conv_id)
{
    u_char      *p, *last, *start;
    ngx_str_t    id;
    ngx_uint_t   i;

    ngx_str_null(&id);

    p = path->data;
    last = path->data + path->len;

    for (i = 0; i < route->len; i++) {

        if (route->data[i] == '*') {

            for (start = p; p < last && *p != '/'; p++) { /* void */ }

            if (p == start) {
                return 0;
            }

            id.data = start;
            id.len = p - start;
            continue;
        }

        if (p == last || *p++ != route->data[i]) {
            return 0;
        }
    }

    if (p != last) {
        return 0;
    }

    *conv_id = id;

    return 1;
}
