
#include "ngx_http_im_json_value.h"
#include "ngx_http_im_json_flat.h"


/* so many digits always fit into an int64_t */
#define NGX_HTTP_IM_JSON_DIGITS   18


static u_char *ngx_http_im_json_literal(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_sequence(ngx_http_im_json_scan_t *scan,
    u_char *p);
static ngx_int_t ngx_http_im_json_hex(u_char *p, u_char *last);
static u_char *ngx_http_im_json_number(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_digits(u_char *p, u_char *last);
static ngx_int_t ngx_http_im_json_replace(ngx_http_im_json_scan_t *scan,
    u_char *p, size_t len, const char *by);


/* a value that is no array and no object */

u_char *
ngx_http_im_json_value(ngx_http_im_json_scan_t *scan, u_char *p)
{
    if (p == scan->last) {
        return ngx_http_im_json_expected(scan, p, NULL);
    }

    if (++scan->values > NGX_HTTP_IM_JSON_VALUES) {
        return ngx_http_im_json_over(scan, p, "the body has more than "
                                 ngx_value(NGX_HTTP_IM_JSON_VALUES) " values");
    }

    if (*p == '"') {
        return ngx_http_im_json_string(scan, p);
    }

    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        return ngx_http_im_json_number(scan, p);
    }

    return ngx_http_im_json_literal(scan, p);
}


static u_char *
ngx_http_im_json_literal(ngx_http_im_json_scan_t *scan, u_char *p)
{
    size_t  rest;

    rest = scan->last - p;

    if (rest >= 4 && (ngx_memcmp(p, "null", 4) == 0
                      || ngx_memcmp(p, "true", 4) == 0))
    {
        p += 4;

    } else if (rest >= 5 && ngx_memcmp(p, "false", 5) == 0) {
        p += 5;

    } else {
        return ngx_http_im_json_expected(scan, p, "the body is not valid "
                                         "JSON: a value is expected");
    }

    return p;
}


u_char *
ngx_http_im_json_string(ngx_http_im_json_scan_t *scan, u_char *p)
{
    p++;

    for ( ;; ) {

        p = ngx_http_im_json_flat_text(p, scan->last);

        if (p == scan->last) {
            return ngx_http_im_json_bad(scan, p, "the body is not valid "
                                        "JSON: it ends within a string");
        }

        if (*p == '"') {
            return p + 1;
        }

        if (*p == '\\') {
            p = ngx_http_im_json_sequence(scan, p);

            if (p == NULL) {
                return NULL;
            }

            continue;
        }

        if (*p == '\0') {
            return ngx_http_im_json_bad(scan, p, "a NUL character is not "
                                        "allowed");
        }

        if (*p < 0x20) {
            return ngx_http_im_json_bad(scan, p, "the body is not valid "
                                   "JSON: a control character is not escaped");
        }

        return ngx_http_im_json_bad(scan, p, "the body is not valid "
                                    "UTF-8");
    }
}


static u_char *
ngx_http_im_json_sequence(ngx_http_im_json_scan_t *scan, u_char *p)
{
    ngx_int_t  code, low;

    if (scan->last - p >= 2 && p[1] != '\0'
        && ngx_strchr("\"\\/bfnrt", p[1]) != NULL)
    {
        return p + 2;
    }

    code = ngx_http_im_json_hex(p, scan->last);

    if (code == NGX_ERROR) {
        return ngx_http_im_json_bad(scan, p, "the body is not valid "
                                    "JSON: an unknown escape");
    }

    if (code == 0) {
        return ngx_http_im_json_bad(scan, p, "a NUL character is not "
                                    "allowed");
    }

    if (code < 0xd800 || code > 0xdfff) {
        return p + 6;
    }

    /* a high surrogate and a low one */

    low = ngx_http_im_json_hex(p + 6, scan->last);

    if (code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
        return p + 12;
    }

    return ngx_http_im_json_bad(scan, p, "the body is not valid JSON: "
                                "a lone surrogate");
}


/* the code after a backslash and "u", or NGX_ERROR */

static ngx_int_t
ngx_http_im_json_hex(u_char *p, u_char *last)
{
    if (last - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return NGX_ERROR;
    }

    return ngx_hextoi(p + 2, 4);
}


static u_char *
ngx_http_im_json_number(ngx_http_im_json_scan_t *scan, u_char *p)
{
    u_char      *first, *digits, *end, *last;
    ngx_int_t    rc;
    ngx_uint_t   real, minus;

    first = p;
    last = scan->last;
    real = 0;

    minus = (*p == '-');
    digits = p + minus;
    p = ngx_http_im_json_digits(digits, last);

    if (p == digits || (*digits == '0' && p - digits > 1)) {
        goto malformed;
    }

    if (p < last && *p == '.') {
        real = 1;
        end = ngx_http_im_json_digits(p + 1, last);

        if (end == p + 1) {
            goto malformed;
        }

        p = end;
    }

    if (p < last && (*p == 'e' || *p == 'E')) {
        real = 1;
        p++;

        if (p < last && (*p == '+' || *p == '-')) {
            p++;
        }

        end = ngx_http_im_json_digits(p, last);

        if (end == p) {
            goto malformed;
        }

        p = end;
    }

    rc = NGX_OK;

    if (real) {
        rc = ngx_http_im_json_replace(scan, first, p - first, "0.5");

    } else if (p - digits > NGX_HTTP_IM_JSON_DIGITS + 1
               || (p - digits == NGX_HTTP_IM_JSON_DIGITS + 1
                   && ngx_memcmp(digits, "9223372036854775807", 19) > 0))
    {
        rc = ngx_http_im_json_replace(scan, first, p - first,
                                           minus ? "-9223372036854775808"
                                                 : "9223372036854775807");
    }

    return (rc == NGX_OK) ? p : NULL;

malformed:

    return ngx_http_im_json_bad(scan, first, "the body is not valid "
                                     "JSON: a malformed number");
}


static u_char *
ngx_http_im_json_digits(u_char *p, u_char *last)
{
    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


/* by is not longer than the number, blanks fill the rest */

static ngx_int_t
ngx_http_im_json_replace(ngx_http_im_json_scan_t *scan, u_char *p,
    size_t len, const char *by)
{
    u_char  *dst;
    size_t   n;

    if (scan->copy == NULL) {
        scan->copy = ngx_pnalloc(scan->pool, scan->len);
        if (scan->copy == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(scan->copy, scan->first, scan->len);
        scan->body = scan->copy;
    }

    n = ngx_strlen(by);
    dst = ngx_cpymem(scan->copy + (p - scan->first), by, n);

    ngx_memset(dst, ' ', len - n);

    return NGX_OK;
}


u_char *
ngx_http_im_json_space(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == LF || *p == CR || *p == '\t')) {
        p++;
    }

    return p;
}


u_char *
ngx_http_im_json_bad(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error)
{
    scan->error = error;
    scan->at = ngx_min((size_t) (p - scan->first) + 1, scan->len);

    return NULL;
}


u_char *
ngx_http_im_json_over(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error)
{
    scan->limit = 1;

    return ngx_http_im_json_bad(scan, p, error);
}


u_char *
ngx_http_im_json_expected(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error)
{
    if (p == scan->last) {
        error = "the body is not valid JSON: it ends too early";
    }

    return ngx_http_im_json_bad(scan, p, error);
}
