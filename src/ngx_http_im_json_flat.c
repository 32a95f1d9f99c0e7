
#include "ngx_http_im_json_flat.h"
#include "ngx_http_im_id.h"


/* so many always fit into an int64_t */
#define NGX_HTTP_IM_JSON_FLAT_DIGITS   18


static u_char *ngx_http_im_json_flat_space(u_char *p, u_char *last);
static u_char *ngx_http_im_json_flat_string(u_char *p, u_char *last,
    ngx_str_t *string);
static ngx_inline u_char *ngx_http_im_json_flat_skip(u_char *p, u_char *last);
static u_char *ngx_http_im_json_flat_utf8(u_char *p, u_char *last);
static u_char *ngx_http_im_json_flat_integer(u_char *p, u_char *last,
    int64_t *number);


ngx_int_t
ngx_http_im_json_flat_read(u_char *body, size_t len,
    ngx_http_im_json_flat_t members[NGX_HTTP_IM_JSON_FLAT_MAX])
{
    u_char                   *p, *last;
    ngx_int_t                 n;
    ngx_http_im_json_flat_t  *member;

    last = body + len;
    p = ngx_http_im_json_flat_space(body, last);

    if (p == last || *p++ != '{') {
        return NGX_DECLINED;
    }

    n = 0;
    p = ngx_http_im_json_flat_space(p, last);

    if (p < last && *p == '}') {
        goto end;
    }

    for ( ;; ) {

        if (n == NGX_HTTP_IM_JSON_FLAT_MAX) {
            return NGX_DECLINED;
        }

        member = &members[n];

        p = ngx_http_im_json_flat_string(p, last, &member->name);

        if (p == NULL
            || ngx_http_im_json_flat_find(members, n, &member->name))
        {
            return NGX_DECLINED;
        }

        p = ngx_http_im_json_flat_space(p, last);

        if (p == last || *p++ != ':') {
            return NGX_DECLINED;
        }

        p = ngx_http_im_json_flat_space(p, last);

        if (p < last && *p == '"') {
            p = ngx_http_im_json_flat_string(p, last, &member->text);

        } else {
            ngx_str_null(&member->text);
            p = ngx_http_im_json_flat_integer(p, last, &member->number);
        }

        if (p == NULL) {
            return NGX_DECLINED;
        }

        n++;

        p = ngx_http_im_json_flat_space(p, last);

        if (p == last) {
            return NGX_DECLINED;
        }

        if (*p == '}') {
            goto end;
        }

        if (*p++ != ',') {
            return NGX_DECLINED;
        }

        p = ngx_http_im_json_flat_space(p, last);
    }

end:

    p = ngx_http_im_json_flat_space(p + 1, last);

    return (p == last) ? n : NGX_DECLINED;
}


ngx_http_im_json_flat_t *
ngx_http_im_json_flat_find(ngx_http_im_json_flat_t *members, ngx_int_t n,
    const ngx_str_t *name)
{
    ngx_int_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_http_im_str_eq(&members[i].name, name)) {
            return &members[i];
        }
    }

    return NULL;
}


static u_char *
ngx_http_im_json_flat_space(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == LF || *p == CR || *p == '\t')) {
        p++;
    }

    return p;
}


/* the byte after the string, or NULL */

static u_char *
ngx_http_im_json_flat_string(u_char *p, u_char *last, ngx_str_t *string)
{
    if (p == last || *p++ != '"') {
        return NULL;
    }

    string->data = p;

    p = ngx_http_im_json_flat_text(p, last);

    if (p == last || *p != '"') {
        return NULL;
    }

    string->len = p - string->data;

    return p + 1;
}


u_char *
ngx_http_im_json_flat_text(u_char *p, u_char *last)
{
    u_char  *next;

    p = ngx_http_im_json_flat_skip(p, last);

    while (p < last) {

        if (*p >= 0x80) {
            next = ngx_http_im_json_flat_utf8(p, last);

            if (next == NULL) {
                return p;
            }

            p = next;
            continue;
        }

        if (*p == '"' || *p == '\\' || *p < 0x20) {
            return p;
        }

        p = ngx_http_im_json_flat_skip(p + 1, last);
    }

    return p;
}


/* skips bytes that end no string and need no check, eight at a time */

static ngx_inline u_char *
ngx_http_im_json_flat_skip(u_char *p, u_char *last)
{
#if (NGX_HAVE_LITTLE_ENDIAN && __GNUC__)

    uint64_t  word, special;

    const uint64_t  ones = 0x0101010101010101;

    for ( /* void */ ; last - p >= 8; p += 8) {
        ngx_memcpy(&word, p, 8);

        /*
         * The highest bit of a byte is set if it is over 0x7f, under 0x20, a
         * quote or a backslash.  A borrow can set it falsely only after a byte
         * that has it set, so the first one is right.
         */

        special = word | (word - ones * 0x20) | ((word ^ ones * '"') - ones)
                  | ((word ^ ones * '\\') - ones);
        special &= ones * 0x80;

        if (special) {
            return p + __builtin_ctzll(special) / 8;
        }
    }

#endif

    return p;
}


/* the byte after a valid UTF-8 character of two to four bytes, or NULL */

static u_char *
ngx_http_im_json_flat_utf8(u_char *p, u_char *last)
{
    u_char      low, high;
    ngx_uint_t  n;

    /* the common ones of three bytes, Chinese among them */

    if (*p >= 0xe1 && *p <= 0xec && last - p >= 3
        && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80)
    {
        return p + 3;
    }

    low = 0x80;
    high = 0xbf;

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 1;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 2;

        if (*p == 0xe0) {
            low = 0xa0;

        } else if (*p == 0xed) {
            high = 0x9f;           /* no surrogates */
        }

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 3;

        if (*p == 0xf0) {
            low = 0x90;

        } else if (*p == 0xf4) {
            high = 0x8f;
        }

    } else {
        return NULL;
    }

    if ((size_t) (last - p) <= n || p[1] < low || p[1] > high) {
        return NULL;
    }

    for (p += 2; --n; p++) {
        if ((*p & 0xc0) != 0x80) {
            return NULL;
        }
    }

    return p;
}


/*
 * The byte after the digits, or NULL.  A fraction or an exponent is declined
 * by the caller, as it is not the end of a value.
 */

static u_char *
ngx_http_im_json_flat_integer(u_char *p, u_char *last, int64_t *number)
{
    u_char      *first;
    int64_t      n;
    ngx_uint_t   minus;

    minus = (p < last && *p == '-');
    first = p + minus;

    for (p = first, n = 0; p < last && *p >= '0' && *p <= '9'; p++) {

        if (p - first == NGX_HTTP_IM_JSON_FLAT_DIGITS) {
            return NULL;
        }

        n = n * 10 + (*p - '0');
    }

    if (p == first || (*first == '0' && p - first > 1)) {
        return NULL;
    }

    *number = minus ? -n : n;

    return p;
}
