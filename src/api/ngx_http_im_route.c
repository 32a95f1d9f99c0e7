
#include "ngx_http_im_route.h"


/*
 * A row for each operation: its name, as in ngx_http_im_op_NAME, its path, and
 * a second path or "".  "*" stands for a conversation's id; of several paths
 * that fit the first is taken, so conv/list is never a conversation.  The
 * index of the row is the number of the operation.  No path begins with "*".
 */

#define ngx_http_im_route_rows(row)                                          \
    row(conv_list, "conv/list", "")                                          \
    row(conv_page, "conv/*", "")                                             \
    row(pair_page, "from/to", "")                                            \
    row(send, "send/msg", "")                                                \
    row(group_create, "creat/group", "create/group")                         \
    row(group_add, "add/group/merber", "add/group/member")                   \
    row(group_list, "group/*/list", "")                                      \
    row(group_alias, "group/*/alias", "")                                    \
    row(group_set, "group/*/set", "")                                        \
    row(group_leave, "group/*/leave", "")                                    \
    row(group_remove, "group/*/remove", "")                                  \
    row(group_transfer, "group/*/transfer", "")                              \
    row(group_dismiss, "group/*/dismiss", "")                                \
    row(conv_read, "conv/*/read", "")                                        \
    row(conv_hide, "conv/*/hide", "")                                        \
    row(conv_readers, "conv/*/readers", "")                                  \
    row(conv_typing, "conv/*/typing", "")                                    \
    row(recall, "msg/recall", "")                                            \
    row(unread, "unread", "")                                                \
    row(user_set, "user/set", "")                                            \
    row(user_get, "user/get", "")                                            \
    row(user_online, "user/online", "")                                      \
    row(import, "import", "")


typedef struct {
    ngx_str_t                path[2];
    const ngx_http_im_op_t  *op;
} ngx_http_im_route_t;


#define ngx_http_im_route_declare(name, path, also)                          \
    extern const ngx_http_im_op_t  ngx_http_im_op_##name;

#define ngx_http_im_route_row(name, path, also)                              \
    { { ngx_string(path), ngx_string(also) }, &ngx_http_im_op_##name },


ngx_http_im_route_rows(ngx_http_im_route_declare)


static const ngx_http_im_route_t  ngx_http_im_routes[] = {
    ngx_http_im_route_rows(ngx_http_im_route_row)
};


#define NGX_HTTP_IM_ROUTES                                                   \
    (sizeof(ngx_http_im_routes) / sizeof(ngx_http_im_route_t))


static ngx_uint_t ngx_http_im_route_match(const ngx_str_t *route,
    ngx_str_t *path, ngx_str_t *conv_id);


const ngx_http_im_op_t *
ngx_http_im_route(ngx_str_t *path, ngx_str_t *conv_id)
{
    ngx_uint_t        i, k;
    const ngx_str_t  *route;

    ngx_str_null(conv_id);

    if (path->len == 0) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_IM_ROUTES; i++) {

        for (k = 0; k < 2; k++) {
            route = &ngx_http_im_routes[i].path[k];

            if (route->data[0] == path->data[0]
                && ngx_http_im_route_match(route, path, conv_id))
            {
                return ngx_http_im_routes[i].op;
            }
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

    if (prefix == 0 || uri->data[prefix - 1] != '/') {

        if (path.data[0] != '/') {
            return NULL;
        }

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
    return (number < NGX_HTTP_IM_ROUTES) ? ngx_http_im_routes[number].op
                                         : NULL;
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
