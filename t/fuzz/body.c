
/* Paths and bodies of requests.  Input: flags, path, LF, body. */

#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t       path, body;
    ngx_pool_t     *pool;
    fuzz_call_t     f;
    const uint8_t  *p, *last;

    if (size < 2 || size > 70000) {
        return 0;
    }

    p = data + 1;
    last = data + size;

    path = fuzz_until(&p, last, '\n');
    body.data = (u_char *) p;
    body.len = last - p;

    pool = fuzz_pool();

    (void) fuzz_check(&f, pool, data[0], &path, &body);

    ngx_destroy_pool(pool);

    return 0;
}
