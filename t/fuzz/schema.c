
/*
 * What scripts put into strings, ids, and what a server tells of its settings,
 * read back from anything.
 */

#include <ctype.h>

#include "fuzz.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_cmd.h"
#include "ngx_http_im_settings.h"
#include "ngx_http_im_siphash.h"
#include "ngx_http_im_slots.h"


static void
fuzz_inside(ngx_str_t *part, ngx_str_t *all)
{
    if (part->len) {
        fuzz_assert(part->data >= all->data
                    && part->data + part->len <= all->data + all->len);
    }
}


/* as INFO, and word by word as CONFIG GET */

static void
fuzz_settings(ngx_str_t *all)
{
    u_char                   buf[1024], *p;
    ngx_str_t                word;
    ngx_uint_t               n, nelts, wanting;
    const uint8_t           *q;
    ngx_http_im_cmd_t        cmd[2];
    ngx_http_im_reply_t      elts[16];
    ngx_http_im_settings_t   require;

    ngx_memzero(cmd, sizeof(cmd));
    ngx_memzero(elts, sizeof(elts));

    cmd[0].next = &cmd[1];
    cmd[0].reply.type = NGX_HTTP_IM_REPLY_STRING;
    cmd[0].reply.str = *all;

    for (n = 0, q = all->data; n < 16 && q < all->data + all->len; n++) {
        elts[n].str = fuzz_until(&q, all->data + all->len, '\n');
        elts[n].type = NGX_HTTP_IM_REPLY_STRING;
    }

    cmd[1].reply.type = NGX_HTTP_IM_REPLY_ARRAY;
    cmd[1].reply.nelts = nelts = n;
    cmd[1].reply.elts = elts;

    (void) ngx_http_im_settings_evicts(cmd);

    for (n = 0; n < 8; n++) {
        require.appendonly = (n & 1) != 0;
        require.always = (n & 2) != 0;
        require.min_replicas = (n & 4) ? 2 : 0;

        wanting = ngx_http_im_settings_check(&require, cmd)
                  & ~(NGX_HTTP_IM_UNMET_REPLICA | NGX_HTTP_IM_UNMET_CLUSTER);
        p = ngx_http_im_settings_text(wanting, buf, buf + sizeof(buf));

        fuzz_assert(n || wanting == 0);
        fuzz_assert((p > buf) == (wanting != 0) && p < buf + 512);

        /* nothing that CONFIG GET does not show is taken for granted */

        cmd[1].reply.nelts = 0;
        wanting = ngx_http_im_settings_check(&require, &cmd[1]);
        fuzz_assert(n == 0 || wanting);
        cmd[1].reply.nelts = nelts;
    }

    /* a word that is taken is taken once */

    ngx_memzero(&require, sizeof(require));

    word.data = buf;
    word.len = ngx_min(all->len, sizeof(buf) - 1);
    if (word.len) {
        ngx_memcpy(buf, all->data, word.len);
    }

    buf[word.len] = '\0';

    if (ngx_http_im_settings_require(&require, &word) == NGX_CONF_OK) {
        fuzz_assert(require.appendonly + require.always
                    + (require.min_replicas != 0) == 1);
        fuzz_assert(require.min_replicas <= 1000);
        fuzz_assert(ngx_http_im_settings_require(&require, &word) != NGX_CONF_OK);
    }
}


/* a number is what it is digit by digit, wherever a byte that is none stands */

static void
fuzz_number(u_char *p, size_t len)
{
    size_t   i, n;
    u_char   digits[18];
    int64_t  expected;

    for (n = 0; n <= 19 && n <= len; n++) {
        for (expected = n ? 0 : NGX_ERROR, i = 0; i < n; i++) {
            if (p[i] < '0' || p[i] > '9' || n > 18) {
                expected = NGX_ERROR;
                break;
            }

            expected = expected * 10 + (p[i] - '0');
        }

        fuzz_assert(ngx_http_im_atoi(p, n) == expected);
    }

    /* arbitrary bytes are hardly ever digits */

    n = ngx_min(len, sizeof(digits));

    for (expected = n ? 0 : NGX_ERROR, i = 0; i < n; i++) {
        digits[i] = '0' + p[i] % 10;
        expected = expected * 10 + p[i] % 10;
    }

    fuzz_assert(ngx_http_im_atoi(digits, n) == expected);
}


/* an id of letters, digits and others, but for "." and ".." */

static ngx_uint_t
fuzz_id(const uint8_t *p, size_t len, const char *others)
{
    size_t  n;

    for (n = 0; n < len; n++) {
        if (!isalnum(p[n]) && (p[n] == '\0' || strchr(others, p[n]) == NULL)) {
            return 0;
        }
    }

    return len > 0 && len <= NGX_HTTP_IM_ID_MAX
           && !(len <= 2 && memcmp(p, "..", len) == 0);
}


/* slots as CLUSTER KEYSLOT answers; that of 123456789 is its CRC16, 0x31c3 */

static const struct {
    ngx_str_t   key;
    ngx_uint_t  slot;
} fuzz_slots[] = {
    { ngx_string("123456789"), 0x31c3 },
    { ngx_string(""), 0 },
    { ngx_string("user1000"), 3443 },
    { ngx_string("{user1000}.following"), 3443 },
    { ngx_string("foo{}{bar}"), 8363 },
    { ngx_string("foo{{bar}}zap"), 4015 },
    { ngx_string("foo{bar}{zap}"), 5061 },
    { ngx_string("im:{c:g1}:h"), 13477 },
    { ngx_string("im:{c:g1}:m"), 13477 },
    { ngx_string("im:{u:ann}:g"), 13189 }
};


/*
 * SipHash-1-3 under the key 00, 01, ... 0f of the bytes 00, 01, ... of this
 * length, as in the tests of its other implementations.
 */

static const struct {
    size_t    len;
    uint64_t  hash;
} fuzz_hashes[] = {
    { 0, 0xabac0158050fc4dcULL },
    { 1, 0xc9f49bf37d57ca93ULL },
    { 7, 0xd3927d989bb11140ULL },
    { 8, 0x369095118d299a8eULL },
    { 9, 0x25a48eb36c063de4ULL },
    { 15, 0xd320d86d2a519956ULL },
    { 16, 0xcc4fdd1a7d908b66ULL },
    { 63, 0x9d199062b7bbb3a8ULL }
};


static void
fuzz_vectors(void)
{
    u_char                     data[64];
    ngx_uint_t                 i;
    ngx_http_im_siphash_key_t  key;

    static ngx_uint_t          once;

    if (once) {
        return;
    }

    once = 1;

    for (i = 0; i < sizeof(fuzz_slots) / sizeof(fuzz_slots[0]); i++) {
        fuzz_assert(ngx_http_im_key_slot(&fuzz_slots[i].key)
                    == fuzz_slots[i].slot);
    }

    for (i = 0; i < sizeof(data); i++) {
        data[i] = i;
    }

    key.k0 = 0x0706050403020100ULL;
    key.k1 = 0x0f0e0d0c0b0a0908ULL;

    for (i = 0; i < sizeof(fuzz_hashes) / sizeof(fuzz_hashes[0]); i++) {
        fuzz_assert(ngx_http_im_siphash(&key, data, fuzz_hashes[i].len)
                    == fuzz_hashes[i].hash);
    }
}


/* a slot depends on the key's tag alone, and a hash on each bit and the key */

static void
fuzz_slot(u_char *p, size_t len)
{
    u_char                     buf[128];
    uint64_t                   hash;
    ngx_str_t                  key, tag;
    ngx_http_im_siphash_key_t  secret;

    key.data = p;
    key.len = len;

    fuzz_assert(ngx_http_im_key_slot(&key) < 16384);

    len = ngx_min(len, sizeof(buf) - sizeof("im:{}:h"));

    tag.data = p;
    tag.len = len;

    if (len == 0 || ngx_strlchr(p, p + len, '{')
        || ngx_strlchr(p, p + len, '}'))
    {
        return;
    }

    key.data = buf;
    key.len = ngx_sprintf(buf, "im:{%V}:h", &tag) - buf;

    fuzz_assert(ngx_http_im_key_slot(&key) == ngx_http_im_key_slot(&tag));

    secret.k0 = 42;
    secret.k1 = p[0];

    hash = ngx_http_im_siphash(&secret, buf, key.len);
    fuzz_assert(ngx_http_im_siphash(&secret, buf, key.len) == hash);

    buf[p[len - 1] % key.len] ^= 1;
    fuzz_assert(ngx_http_im_siphash(&secret, buf, key.len) != hash);
    buf[p[len - 1] % key.len] ^= 1;

    secret.k0++;
    fuzz_assert(ngx_http_im_siphash(&secret, buf, key.len) != hash);
}


/* fronts of heads, positions of members, and results of sends */

static void
fuzz_parts(ngx_http_im_head_t *head, ngx_int_t rc, ngx_str_t *all)
{
    ngx_str_t               front;
    ngx_http_im_sent_t      sent;
    ngx_http_im_head_t      part;
    ngx_http_im_position_t  position;

    front.data = all->data;
    front.len = ngx_min(all->len, 67);

    if (ngx_http_im_front_parse(&part, &front) == NGX_OK) {
        fuzz_assert(front.len == 67);
        fuzz_inside(&part.time, &front);
        fuzz_assert(part.seq >= 0 && part.read[0] >= 0 && part.read[1] >= 0);

    } else {
        part.seq = -1;
    }

    /* a head has what its front has */

    if (rc == NGX_OK && !head->group) {
        fuzz_assert(part.seq == head->seq);
        fuzz_assert(part.read[0] == head->read[0]);
        fuzz_assert(part.read[1] == head->read[1]);
        fuzz_assert(part.hidden[0] == head->hidden[0]);
        fuzz_assert(part.hidden[1] == head->hidden[1]);
        fuzz_assert(part.time.data == head->time.data);
    }

    if (ngx_http_im_position_parse(&position, all) == NGX_OK) {
        fuzz_assert(position.seq >= 0 && position.hidden >= -1);
        fuzz_assert(position.joined <= 1);
    }

    if (ngx_http_im_sent_parse(&sent, all) == NGX_OK) {
        fuzz_inside(&sent.id, all);
        fuzz_inside(&sent.time, all);
        fuzz_inside(&sent.peer, all);
        fuzz_inside(&sent.shown, all);
        fuzz_assert(sent.seq > 0 && sent.time.len == 13);
    }
}


/* the id of a message as rows have it, and back */

static void
fuzz_msg_id(ngx_str_t *all)
{
    size_t       i;
    ngx_str_t    id, plain;
    ngx_pool_t  *pool;

    pool = fuzz_pool();
    id = *all;

    if (ngx_http_im_msg_id_escape(pool, &id) == NGX_OK) {

        for (i = 0; i < id.len; i++) {
            fuzz_assert(id.data[i] != ' ');
        }

        ngx_http_im_msg_id_unescape(&id);

        fuzz_assert(ngx_http_im_json_escape(pool, &plain, all->data, all->len)
                    == NGX_OK);
        fuzz_assert(ngx_http_im_str_eq(&id, &plain));
    }

    ngx_destroy_pool(pool);
}


/* what is tested logs to the log of the cycle */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    ngx_destroy_pool(fuzz_pool());

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char               *copy, pair[NGX_HTTP_IM_PAIR_LEN],
                          riap[NGX_HTTP_IM_PAIR_LEN];
    uint64_t              seq;
    ngx_int_t             rc;
    ngx_str_t             all, a, b, users[2];
    ngx_uint_t            n;
    ngx_http_im_row_t     row;
    ngx_http_im_head_t    head;

    copy = malloc(size ? size : 1);
    if (size) {
        memcpy(copy, data, size);
    }

    all.data = copy;
    all.len = size;

    fuzz_vectors();
    fuzz_slot(copy, size);

    rc = ngx_http_im_head_parse(&head, &all);
    fuzz_parts(&head, rc, &all);

    if (rc == NGX_OK) {
        fuzz_inside(&head.time, &all);
        fuzz_inside(&head.type, &all);
        fuzz_inside(&head.from, &all);
        fuzz_inside(&head.text, &all);
        fuzz_assert(head.seq >= 0 && head.type.len == 1);

        if (!head.group) {
            fuzz_inside(&head.users[0], &all);
            fuzz_inside(&head.users[1], &all);
            fuzz_assert(head.read[0] >= 0 && head.read[1] >= 0);
            fuzz_assert(head.first <= 1 && head.imported == (head.id.len != 0));

            if (head.id.len) {
                fuzz_inside(&head.id, &all);
            }
        }
    }

    if (ngx_http_im_alias_parse(&all, users) == NGX_OK) {
        fuzz_inside(&users[0], &all);
        fuzz_inside(&users[1], &all);
        fuzz_assert(size == 3 + users[0].len + users[1].len);
        fuzz_assert(ngx_http_im_id_user_valid(&users[0]));
        fuzz_assert(ngx_http_im_id_user_valid(&users[1]));
    }

    fuzz_msg_id(&all);

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
        fuzz_assert(a.len == NGX_HTTP_IM_PAIR_LEN && ngx_http_im_id_user_valid(&b));
    }

    for (a = all, n = 0; ngx_http_im_users_next(&a, &b) == NGX_OK; n++) {
        fuzz_inside(&b, &all);
        fuzz_assert(n <= size);
    }

    ngx_http_im_id_split(&all, &a, &b);
    fuzz_inside(&a, &all);
    fuzz_inside(&b, &all);
    fuzz_assert(b.len <= 1 && (b.len || a.len == size));

    fuzz_assert(ngx_http_im_id_conv_valid(&all)
                == fuzz_id(data, size, "_-.:@"));
    fuzz_assert(ngx_http_im_id_user_valid(&all)
                == fuzz_id(data, size, "_-.:@+=|~/!*"));

    seq = ngx_http_im_id_msg_seq(&all);
    fuzz_assert(seq == 0 || (size && data[0] >= '1' && data[0] <= '9'));

    (void) ngx_http_im_error_find(&all);
    fuzz_number(copy, size);

    fuzz_settings(&all);

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

    if (size) {
        pair[copy[0] % sizeof(pair)] = copy[size - 1];
        n = (copy[size - 1] >= '0' && copy[size - 1] <= '9')
            || (copy[size - 1] >= 'a' && copy[size - 1] <= 'f');
        fuzz_assert(ngx_http_im_id_is_pair(&a) == n);
    }

    free(copy);

    return 0;
}
