
/*
 * What a Redis Cluster says: replies to CLUSTER SLOTS, redirections, and what
 * becomes of a command that is redirected.
 *
 *     s REPLY...          a reply to CLUSTER SLOTS
 *     e TEXT              an error
 *     k N TEXT,TEXT...    a script with N keys
 */

#include "fuzz.h"
#include "ngx_http_im_cmd.h"
#include "ngx_http_im_redirect.h"
#include "ngx_http_im_redis_error.h"
#include "ngx_http_im_slots.h"


static void
fuzz_host(ngx_str_t *host)
{
    ngx_uint_t  i;

    fuzz_assert(host->len <= NGX_HTTP_IM_SLOTS_HOST);

    for (i = 0; i < host->len; i++) {
        fuzz_assert(host->data[i] > ' ' && host->data[i] < 127
                    && host->data[i] != '?' && host->data[i] != '"');
    }
}


static void
fuzz_ranges(ngx_pool_t *pool, const uint8_t *p, size_t len)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_im_decoder_t       d;
    ngx_http_im_slots_range_t   range;

    fuzz_assert(ngx_http_im_decoder_init(&d) == NGX_OK);

    if (ngx_http_im_decoder_feed(&d, (u_char *) p, len) != NGX_OK
        || ngx_http_im_decoder_next(&d, pool) != NGX_OK)
    {
        ngx_http_im_decoder_free(&d);
        return;
    }

    for (i = 0; i <= NGX_HTTP_IM_REPLY_MAX_ELTS; i++) {
        rc = ngx_http_im_slots_range(&d.root, i, &range);

        if (rc == NGX_DONE || rc == NGX_ERROR) {
            break;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        fuzz_assert(rc == NGX_OK);
        fuzz_assert(range.first <= range.last);
        fuzz_assert(range.last < NGX_HTTP_IM_SLOTS);
        fuzz_assert(range.port);
        fuzz_host(&range.host);
    }

    fuzz_assert(i <= d.root.nelts);

    ngx_http_im_decoder_free(&d);
}


static void
fuzz_error(ngx_str_t *error)
{
    ngx_http_im_slots_range_t  range;

    (void) ngx_http_im_redis_error_class(error);

    if (ngx_http_im_slots_redirect(error, &range) == NGX_OK) {
        fuzz_assert(range.first < NGX_HTTP_IM_SLOTS && range.port);
        fuzz_assert(range.host.data >= error->data
                    && range.host.data + range.host.len
                       <= error->data + error->len);
        fuzz_host(&range.host);
    }
}


static void
fuzz_resp_eq(ngx_http_im_cmd_t *cmd, ngx_str_t *resp, const char *prefix)
{
    size_t  len;

    len = ngx_strlen(prefix);

    fuzz_assert(cmd->resp.len == len + resp->len);
    fuzz_assert(ngx_memcmp(cmd->resp.data, prefix, len) == 0);
    fuzz_assert(ngx_memcmp(cmd->resp.data + len, resp->data, resp->len) == 0);
}


/* with one key it is what it would be if made so; and it can be undone */

static void
fuzz_keys(ngx_pool_t *pool, ngx_uint_t nkeys, const uint8_t *p,
    const uint8_t *last)
{
    u_char                    text[2];
    ngx_str_t                 argv[16], all;
    ngx_uint_t                n, argc;
    ngx_http_im_cmd_t        *cmd, *one;
    ngx_http_im_pipeline_t    pipeline;
    ngx_http_im_script_t      script;

    static const char  asking[] = "*1\r\n$6\r\nASKING\r\n";

    ngx_memzero(&script, sizeof(script));
    ngx_str_set(&script.sha1, "0123456789012345678901234567890123456789");

    for (argc = 1; argc < 16 && p < last; argc++) {
        argv[argc] = fuzz_until(&p, last, ',');
    }

    n = ngx_min(nkeys, argc - 1);

    text[0] = '0' + n;
    argv[0].data = text;
    argv[0].len = 1;

    ngx_http_im_pipeline_init(&pipeline, pool);

    cmd = ngx_http_im_cmd_add_script(&pipeline, NGX_HTTP_IM_READ, &script,
                                     argv, argc);
    fuzz_assert(cmd);

    all = cmd->resp;

    fuzz_assert(ngx_http_im_redirect_ask(cmd, pool) == NGX_OK);
    fuzz_resp_eq(cmd, &all, asking);

    if (ngx_http_im_redirect_one_key(cmd, pool) != NGX_OK) {
        fuzz_assert(n < 2);
        return;
    }

    fuzz_assert(n >= 2);

    text[0] = '1';
    argv[n] = argv[1];
    argv[n - 1] = argv[0];

    one = ngx_http_im_cmd_add_script(&pipeline, NGX_HTTP_IM_READ, &script,
                                     &argv[n - 1], argc - n + 1);
    fuzz_assert(one && one->argc == cmd->argc);
    fuzz_resp_eq(cmd, &one->resp, "");

    fuzz_assert(ngx_http_im_redirect_ask(cmd, pool) == NGX_OK);
    fuzz_resp_eq(cmd, &one->resp, asking);

    ngx_http_im_redirect_undo(cmd);
    fuzz_resp_eq(cmd, &all, "");
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    text;
    ngx_pool_t  *pool;

    if (size < 3) {
        return 0;
    }

    pool = fuzz_pool();

    switch (data[0]) {

    case 's':
        fuzz_ranges(pool, data + 2, size - 2);
        break;

    case 'e':
        text.len = size - 2;
        text.data = ngx_pnalloc(pool, text.len);
        ngx_memcpy(text.data, data + 2, text.len);
        fuzz_error(&text);
        break;

    case 'k':
        fuzz_keys(pool, data[2] % 10, data + 3, data + size);
        break;
    }

    ngx_destroy_pool(pool);

    return 0;
}
