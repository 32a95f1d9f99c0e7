
/*
 * What a Sentinel answers: bytes become a reply, the reply an address.  What is
 * taken for an address must be one that may be logged and resolved.
 */

#include <ctype.h>

#include "fuzz.h"
#include "ngx_http_im_reply.h"
#include "ngx_http_im_sentinel_addr.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                        i;
    ngx_int_t                     rc;
    ngx_pool_t                   *pool;
    ngx_http_im_decoder_t         decoder;
    ngx_http_im_sentinel_addr_t   addr;

    pool = fuzz_pool();

    ngx_memzero(&decoder, sizeof(ngx_http_im_decoder_t));

    fuzz_assert(ngx_http_im_decoder_init(&decoder) == NGX_OK);

    rc = ngx_http_im_decoder_feed(&decoder, (u_char *) data, size);

    while (rc == NGX_OK) {
        rc = ngx_http_im_decoder_next(&decoder, pool);

        if (rc != NGX_OK) {
            break;
        }

        ngx_memzero(&addr, sizeof(ngx_http_im_sentinel_addr_t));

        switch (ngx_http_im_sentinel_addr_parse(&decoder.root, &addr)) {

        case NGX_OK:
            fuzz_assert(decoder.root.type == NGX_HTTP_IM_REPLY_ARRAY
                        && decoder.root.nelts == 2);
            fuzz_assert(addr.port != 0);
            fuzz_assert(addr.host.len
                        && addr.host.len <= NGX_HTTP_IM_SENTINEL_HOST);

            for (i = 0; i < addr.host.len; i++) {
                fuzz_assert(isalnum(addr.host.data[i])
                            || strchr(".:-_", addr.host.data[i]));
            }

            break;

        case NGX_DECLINED:
            fuzz_assert(decoder.root.type == NGX_HTTP_IM_REPLY_NIL);
            break;

        default:
            break;
        }
    }

    ngx_http_im_decoder_free(&decoder);
    ngx_destroy_pool(pool);

    return 0;
}
