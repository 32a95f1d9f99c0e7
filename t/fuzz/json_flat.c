
/* What is read or refused without jansson is what jansson makes of it. */

#include "fuzz.h"
#include "ngx_http_im_json_flat.h"
#include "ngx_http_im_json_scan.h"


/* jansson refuses what json_scan refuses, and takes what it lets through */

static void
fuzz_scan(u_char *body, size_t size)
{
    size_t                    i;
    json_t                   *root;
    ngx_int_t                 rc;
    ngx_pool_t               *pool;
    json_error_t              error;
    ngx_http_im_json_scan_t   scan;

    pool = fuzz_pool();

    scan.pool = pool;
    scan.body = body;
    scan.len = size;

    rc = ngx_http_im_json_scan(&scan);

    fuzz_assert(rc == NGX_OK || rc == NGX_DECLINED);

    if (rc == NGX_OK) {

        for (i = 0; i < size; i++) {
            fuzz_assert(scan.body[i] == body[i]
                        || (body[i] && strchr("0123456789+-.eE", body[i])));
        }

        root = json_loadb((char *) scan.body, size, JSON_REJECT_DUPLICATES,
                          &error);

        fuzz_assert(root ? json_is_object(root)
                         : (json_error_code(&error)
                            == json_error_duplicate_key));

        ngx_http_im_json_scan_done(&scan);

    } else {
        root = json_loadb((char *) body, size, 0, &error);

        /* jansson takes a NUL behind a number for white space */

        fuzz_assert(scan.limit || !json_is_object(root)
                    || memchr(body, '\0', size));
        fuzz_assert(scan.error && scan.at <= size);
        fuzz_assert(scan.member.len == 0
                    || memmem(body, size, scan.member.data, scan.member.len));
    }

    json_decref(root);
    ngx_destroy_pool(pool);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                     *name;
    size_t                    i, n;
    json_t                   *root, *value;
    u_char                   *body;
    ngx_int_t                 count;
    json_error_t              error;
    ngx_http_im_json_flat_t   members[NGX_HTTP_IM_JSON_FLAT_MAX];

    /* of its size exactly, so that a byte too many is seen */

    body = malloc(size ? size : 1);
    memcpy(body, data, size);

    count = ngx_http_im_json_flat_read(body, size, members);

    if (count != NGX_DECLINED) {
        root = json_loadb((char *) body, size, JSON_REJECT_DUPLICATES,
                          &error);

        fuzz_assert(root && json_is_object(root));
        fuzz_assert(count >= 0
                    && json_object_size(root) == (size_t) count);

        n = count;

        for (i = 0; i < n; i++) {
            name = strndup((char *) members[i].name.data,
                           members[i].name.len);
            value = json_object_get(root, name);
            free(name);

            fuzz_assert(value);

            if (members[i].text.data == NULL) {
                fuzz_assert(json_is_integer(value)
                            && json_integer_value(value)
                               == members[i].number);
                continue;
            }

            fuzz_assert(json_is_string(value)
                        && json_string_length(value) == members[i].text.len
                        && memcmp(json_string_value(value),
                                  members[i].text.data, members[i].text.len)
                           == 0);
        }

        json_decref(root);
    }

    fuzz_scan(body, size);

    free(body);

    return 0;
}
