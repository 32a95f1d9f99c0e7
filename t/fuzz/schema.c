
/* What scripts put into strings, and ids, read back from anything. */

#include "fuzz.h"


static void
fuzz_inside(ngx_str_t *part, ngx_str_t *all)
{
    if (part->len) {
        fuzz_assert(part->data >= all->data
                    && part->data + part->len <= all->data + all->len);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char               *copy, pair[NGX_HTTP_IM_PAIR_LEN],
                          riap[NGX_HTTP_IM_PAIR_LEN];
    uint64_t              seq;
    ngx_str_t             all, a, b;
    ngx_uint_t            n;
    ngx_http_im_row_t     row;
    ngx_http_im_head_t    head;

    copy = malloc(size ? size : 1);
    if (size) {
        memcpy(copy, data, size);
    }

    all.data = copy;
    all.len = size;

    if (ngx_http_im_head_parse(&head, &all) == NGX_OK) {
        fuzz_inside(&head.time, &all);
        fuzz_inside(&head.type, &all);
        fuzz_inside(&head.from, &all);
        fuzz_inside(&head.text, &all);
        fuzz_assert(head.seq >= 0 && head.type.len == 1);

        if (!head.group) {
            fuzz_inside(&head.users[0], &all);
            fuzz_inside(&head.users[1], &all);
            fuzz_assert(head.read[0] >= 0 && head.read[1] >= 0);
        }
    }

    if (ngx_http_im_row_parse(&row, &all) == NGX_OK) {
        fuzz_inside(&row.id, &all);
        fuzz_inside(&row.time, &all);
        fuzz_inside(&row.type, &all);
        fuzz_inside(&row.from, &all);
        fuzz_inside(&row.text, &all);
        fuzz_assert(row.seq > 0 && row.time.len && row.type.len == 1);
    }

    if (ngx_http_im_inbox_parse(&all, &a, &b) == NGX_OK) {
        fuzz_inside(&a, &all);
        fuzz_inside(&b, &all);
        fuzz_assert(a.len == NGX_HTTP_IM_PAIR_LEN && ngx_http_im_id_valid(&b));
    }

    for (a = all, n = 0; ngx_http_im_users_next(&a, &b) == NGX_OK; n++) {
        fuzz_inside(&b, &all);
        fuzz_assert(n <= size);
    }

    ngx_http_im_id_split(&all, &a, &b);
    fuzz_inside(&a, &all);
    fuzz_inside(&b, &all);
    fuzz_assert(b.len <= 1 && (b.len || a.len == size));

    seq = ngx_http_im_id_msg_seq(&all);
    fuzz_assert(seq == 0 || (size && data[0] >= '1' && data[0] <= '9'));

    (void) ngx_http_im_error_find(&all);
    (void) ngx_http_im_reply_atoi(copy, size);

    a.data = copy;
    a.len = size / 2;
    b.data = copy + size / 2;
    b.len = size - size / 2;

    ngx_http_im_id_pair(&a, &b, pair);
    ngx_http_im_id_pair(&b, &a, riap);
    fuzz_assert(memcmp(pair, riap, sizeof(pair)) == 0);

    a.data = pair;
    a.len = sizeof(pair);
    fuzz_assert(ngx_http_im_id_is_pair(&a));

    free(copy);

    return 0;
}
