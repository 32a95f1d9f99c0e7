
/*
 * Request lines to calls, through nginx's own parser and normalisation of
 * URIs.  Input: which location, then what stands between "POST " and
 * " HTTP/1.1".
 *
 * What is found is compared with a table that is read in another way.
 */

#include "fuzz.h"
#include <ngx_http.h>


static const char  *fuzz_locations[] = { "/im/", "/", "/im", "/a b/%/im/" };

static const struct {
    const char  *path;             /* "*": one part, not empty */
    const char  *call;
} fuzz_calls[] = {
    { "conv/list", "conv_list" },
    { "conv/*", "conv_page" },
    { "from/to", "pair_page" },
    { "send/msg", "send" },
    { "creat/group", "group_create" },
    { "create/group", "group_create" },
    { "add/group/merber", "group_add" },
    { "add/group/member", "group_add" },
    { "group/*/list", "group_list" },
    { "group/*/alias", "group_alias" },
    { "group/*/set", "group_set" },
    { "group/*/leave", "group_leave" },
    { "group/*/remove", "group_remove" },
    { "group/*/transfer", "group_transfer" },
    { "group/*/dismiss", "group_dismiss" },
    { "conv/*/read", "conv_read" },
    { "conv/*/hide", "conv_hide" },
    { "conv/*/typing", "conv_typing" },
    { "conv/*/readers", "conv_readers" },
    { "msg/recall", "recall" },
    { "unread", "unread" },
    { "user/set", "user_set" },
    { "user/get", "user_get" },
    { "user/online", "user_online" },
    { "import", "import" }
};


/* 1: path has the form of this pattern, part by part */

static ngx_uint_t
fuzz_fits(const char *pattern, ngx_str_t path, ngx_str_t *id)
{
    size_t       len;
    ngx_str_t    part;
    const char  *end;

    ngx_str_null(id);

    for ( ;; ) {
        end = strchr(pattern, '/');
        len = end ? (size_t) (end - pattern) : strlen(pattern);

        part.data = path.data;
        for (part.len = 0;
             part.len < path.len && path.data[part.len] != '/';
             part.len++)
        {
            /* void */
        }

        if (*pattern == '*') {
            if (part.len == 0) {
                return 0;
            }

            *id = part;

        } else if (part.len != len || memcmp(part.data, pattern, len) != 0) {
            return 0;
        }

        if (end == NULL || part.len == path.len) {
            return end == NULL && part.len == path.len;
        }

        pattern = end + 1;
        path.data += part.len + 1;
        path.len -= part.len + 1;
    }
}


/* as ngx_http_process_request_uri() has it */

static ngx_int_t
fuzz_uri(ngx_http_request_t *r, ngx_buf_t *b)
{
    if (ngx_http_parse_request_line(r, b) != NGX_OK) {
        return NGX_DECLINED;
    }

    r->uri.len = (r->args_start ? r->args_start - 1 : r->uri_end)
                 - r->uri_start;

    if (!r->complex_uri && !r->quoted_uri && !r->empty_path_in_uri) {
        r->uri.data = r->uri_start;
        return NGX_OK;
    }

    if (r->empty_path_in_uri) {
        r->uri.len++;
    }

    r->uri.data = ngx_pnalloc(r->pool, r->uri.len + 1);
    if (r->uri.data == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_parse_complex_uri(r, 1);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                  *p;
    size_t                   len, prefix;
    ngx_buf_t                b;
    ngx_str_t                conv_id, id, path;
    ngx_uint_t               i;
    ngx_pool_t              *pool;
    const char              *name;
    ngx_connection_t         c;
    ngx_http_request_t      *r;
    const ngx_http_im_op_t  *op;

    if (size < 2 || size > 8192) {
        return 0;
    }

    name = fuzz_locations[data[0] % 4];
    prefix = strlen(name);

    pool = fuzz_pool();

    len = size - 1 + sizeof("POST  HTTP/1.1\r\n\r\n");
    r = ngx_pcalloc(pool, sizeof(ngx_http_request_t));
    p = ngx_pnalloc(pool, len);

    ngx_memzero(&c, sizeof(ngx_connection_t));
    c.log = &fuzz_log;

    r->connection = &c;
    r->pool = pool;
    r->header_in = &b;

    ngx_memzero(&b, sizeof(ngx_buf_t));
    b.start = p;
    b.pos = p;
    p = ngx_cpymem(p, "POST ", 5);
    p = ngx_cpymem(p, data + 1, size - 1);
    p = ngx_cpymem(p, " HTTP/1.1\r\n\r\n", 13);
    b.last = p;
    b.end = p;

    /* a location's name is the beginning of what comes to it */

    if (fuzz_uri(r, &b) != NGX_OK || r->uri.len < prefix
        || memcmp(r->uri.data, name, prefix) != 0)
    {
        goto done;
    }

    /* without the room behind it that strings of nginx often have */

    p = ngx_pnalloc(pool, r->uri.len);
    ngx_memcpy(p, r->uri.data, r->uri.len);
    r->uri.data = p;

    op = ngx_http_im_route_uri(&r->uri, prefix, &conv_id);

    path.data = p + prefix;
    path.len = r->uri.len - prefix;

    /* a name without a slash at its end is followed by one */

    if (name[prefix - 1] != '/') {

        if (path.len == 0 || path.data[0] != '/') {
            fuzz_assert(op == NULL && conv_id.len == 0);
            goto done;
        }

        path.data++;
        path.len--;
    }

    for (i = 0; i < sizeof(fuzz_calls) / sizeof(fuzz_calls[0]); i++) {
        if (fuzz_fits(fuzz_calls[i].path, path, &id)) {
            break;
        }
    }

    if (i == sizeof(fuzz_calls) / sizeof(fuzz_calls[0])) {
        fuzz_assert(op == NULL && conv_id.len == 0);
        goto done;
    }

    fuzz_assert(op && op->name.len == strlen(fuzz_calls[i].call)
                && memcmp(op->name.data, fuzz_calls[i].call, op->name.len)
                   == 0);
    fuzz_assert(conv_id.len == id.len && (id.len == 0
                                          || conv_id.data == id.data));

done:

    ngx_destroy_pool(pool);

    return 0;
}
