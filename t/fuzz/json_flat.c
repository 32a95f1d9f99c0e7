
/* What is taken apart without jansson is what jansson makes of it. */

#include "fuzz.h"
#include "ngx_http_im_json_flat.h"


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

    free(body);

    return 0;
}
