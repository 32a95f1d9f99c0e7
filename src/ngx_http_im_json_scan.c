
#include "ngx_http_im_json_scan.h"
#include "ngx_http_im_json_flat.h"


/* so many digits always fit into an int64_t */
#define NGX_HTTP_IM_JSON_DIGITS     18

#define NGX_HTTP_IM_JSON_NAME_MAX   64


static ngx_int_t ngx_http_im_json_scan_start(ngx_http_im_json_scan_t *scan,
    u_char **start);
static const char *ngx_http_im_json_scan_other(u_char *p, u_char *last);
static u_char *ngx_http_im_json_scan_item(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_member(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_value(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_open(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_after(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_literal(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_string(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_escape(ngx_http_im_json_scan_t *scan,
    u_char *p);
static ngx_int_t ngx_http_im_json_scan_hex(u_char *p, u_char *last);
static u_char *ngx_http_im_json_scan_number(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_digits(u_char *p, u_char *last);
static ngx_int_t ngx_http_im_json_scan_replace(ngx_http_im_json_scan_t *scan,
    u_char *p, size_t len, const char *by);
static u_char *ngx_http_im_json_scan_space(u_char *p, u_char *last);
static u_char *ngx_http_im_json_scan_bad(ngx_http_im_json_scan_t *scan,
    u_char *p, const char *error);
static u_char *ngx_http_im_json_scan_over(ngx_http_im_json_scan_t *scan,
    u_char *p, const char *error);
static u_char *ngx_http_im_json_scan_expected(ngx_http_im_json_scan_t *scan,
    u_char *p, const char *error);


ngx_int_t
ngx_http_im_json_scan(ngx_http_im_json_scan_t *scan)
{
    u_char     *p;
    ngx_int_t   rc;

    scan->first = scan->body;
    scan->last = scan->body + scan->len;
    scan->copy = NULL;
    scan->error = NULL;
    scan->at = 0;
    scan->in_name = 0;
    scan->limit = 0;
    scan->depth = 0;
    scan->values = 0;
    scan->containers = 0;
    scan->members = 0;
    ngx_str_null(&scan->member);

    rc = ngx_http_im_json_scan_start(scan, &p);

    if (rc == NGX_OK) {
        p = ngx_http_im_json_scan_open(scan, p);

        while (p && scan->depth) {
            p = ngx_http_im_json_scan_item(scan, p);
        }

        if (p) {
            ngx_str_null(&scan->member);
            p = ngx_http_im_json_scan_space(p, scan->last);

            if (p < scan->last) {
                p = ngx_http_im_json_scan_bad(scan, p, "the body is not valid "
                                             "JSON: bytes follow the object");
            }
        }

        if (p == NULL) {
            rc = scan->error ? NGX_DECLINED : NGX_ERROR;
        }
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, scan->pool->log, 0,
                   "im json scan rc:%i at:%uz values:%ui containers:%ui "
                   "copied:%d", rc, scan->at, scan->values, scan->containers,
                   scan->copy != NULL);

    if (rc != NGX_OK) {
        ngx_http_im_json_scan_done(scan);
    }

    return rc;
}


void
ngx_http_im_json_scan_done(ngx_http_im_json_scan_t *scan)
{
    if (scan->copy) {
        (void) ngx_pfree(scan->pool, scan->copy);
        scan->copy = NULL;
    }
}


/* the brace that opens the object; otherwise what the body is instead */

static ngx_int_t
ngx_http_im_json_scan_start(ngx_http_im_json_scan_t *scan, u_char **start)
{
    u_char  *p, *last;

    p = scan->body;
    last = scan->last;

    if (scan->len >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) {
        scan->error = "a byte order mark stands before the JSON object";
        return NGX_DECLINED;
    }

    if (scan->len >= 2 && ((p[0] == 0xff && p[1] == 0xfe)
                           || (p[0] == 0xfe && p[1] == 0xff)))
    {
        scan->error = "the body must be UTF-8, not UTF-16";
        return NGX_DECLINED;
    }

    p = ngx_http_im_json_scan_space(p, last);

    if (p < last && *p == '{') {
        *start = p;
        return NGX_OK;
    }

    scan->error = ngx_http_im_json_scan_other(p, last);

    if (scan->error == NULL) {
        ngx_http_im_json_scan_bad(scan, p, "the body is not valid JSON: "
                                           "a { is expected");
    }

    return NGX_DECLINED;
}


/* by the begin of another value than an object; NULL: it is none */

static const char *
ngx_http_im_json_scan_other(u_char *p, u_char *last)
{
    if (p == last) {
        return "the body must be a JSON object, not white space";
    }

    switch (*p) {

    case '"':
        return "the body must be a JSON object, not a string";

    case '[':
        return "the body must be a JSON object, not an array";

    case 'n':
        if (last - p >= 4 && ngx_memcmp(p, "null", 4) == 0) {
            return "the body must be a JSON object, not null";
        }

        return NULL;

    case 't':
        if (last - p >= 4 && ngx_memcmp(p, "true", 4) == 0) {
            return "the body must be a JSON object, not true";
        }

        return NULL;

    case 'f':
        if (last - p >= 5 && ngx_memcmp(p, "false", 5) == 0) {
            return "the body must be a JSON object, not false";
        }

        return NULL;
    }

    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        return "the body must be a JSON object, not a number";
    }

    return NULL;
}


/*
 * An element of an array or a member of an object, and what ends it.  These
 * functions return the next byte, or NULL after an error.
 */

static u_char *
ngx_http_im_json_scan_item(ngx_http_im_json_scan_t *scan, u_char *p)
{
    p = ngx_http_im_json_scan_space(p, scan->last);

    if (!scan->array[scan->depth]) {
        p = ngx_http_im_json_scan_member(scan, p);

        if (p == NULL) {
            return NULL;
        }
    }

    if (p < scan->last && (*p == '{' || *p == '[')) {
        return ngx_http_im_json_scan_open(scan, p);
    }

    p = ngx_http_im_json_scan_value(scan, p);

    return p ? ngx_http_im_json_scan_after(scan, p) : NULL;
}


/* the name and the colon */

static u_char *
ngx_http_im_json_scan_member(ngx_http_im_json_scan_t *scan, u_char *p)
{
    if (scan->depth == 1) {
        ngx_str_null(&scan->member);
    }

    if (p == scan->last || *p != '"') {
        return ngx_http_im_json_scan_expected(scan, p, "the body is not valid "
                                       "JSON: a name in quotes is expected");
    }

    if (++scan->members > NGX_HTTP_IM_JSON_MEMBERS) {
        return ngx_http_im_json_scan_over(scan, p, "the body has more than "
                               ngx_value(NGX_HTTP_IM_JSON_MEMBERS) " members");
    }

    scan->in_name = 1;
    p = ngx_http_im_json_scan_string(scan, p);

    if (p == NULL) {
        return NULL;
    }

    scan->in_name = 0;

    if (scan->depth == 1) {
        ngx_http_im_json_scan_name(scan->first, p - scan->first,
                                   &scan->member);
    }

    p = ngx_http_im_json_scan_space(p, scan->last);

    if (p == scan->last || *p != ':') {
        return ngx_http_im_json_scan_expected(scan, p, "the body is not valid "
                                              "JSON: a colon is expected");
    }

    return ngx_http_im_json_scan_space(p + 1, scan->last);
}


void
ngx_http_im_json_scan_name(u_char *body, size_t n, ngx_str_t *name)
{
    u_char  *p, *last;

    ngx_str_null(name);

    if (n < 3 || body[n - 1] != '"') {
        return;
    }

    last = body + n - 1;

    for (p = last; p > body && last - p <= NGX_HTTP_IM_JSON_NAME_MAX; p--) {

        if ((p[-1] >= 'a' && p[-1] <= 'z') || (p[-1] >= 'A' && p[-1] <= 'Z')
            || (p[-1] >= '0' && p[-1] <= '9')
            || p[-1] == '_' || p[-1] == '-' || p[-1] == '.')
        {
            continue;
        }

        /* an escaped quote is part of the name */

        if (p[-1] == '"' && p - 1 > body && p[-2] != '\\') {
            name->data = p;
            name->len = last - p;
        }

        return;
    }
}


/* a value that is no array and no object */

static u_char *
ngx_http_im_json_scan_value(ngx_http_im_json_scan_t *scan, u_char *p)
{
    if (p == scan->last) {
        return ngx_http_im_json_scan_expected(scan, p, NULL);
    }

    if (++scan->values > NGX_HTTP_IM_JSON_VALUES) {
        return ngx_http_im_json_scan_over(scan, p, "the body has more than "
                                 ngx_value(NGX_HTTP_IM_JSON_VALUES) " values");
    }

    if (*p == '"') {
        return ngx_http_im_json_scan_string(scan, p);
    }

    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        return ngx_http_im_json_scan_number(scan, p);
    }

    return ngx_http_im_json_scan_literal(scan, p);
}


static u_char *
ngx_http_im_json_scan_open(ngx_http_im_json_scan_t *scan, u_char *p)
{
    if (scan->depth == NGX_HTTP_IM_JSON_DEPTH) {
        return ngx_http_im_json_scan_over(scan, p, "the body is nested more "
                     "than " ngx_value(NGX_HTTP_IM_JSON_DEPTH) " levels deep");
    }

    if (++scan->containers > NGX_HTTP_IM_JSON_CONTAINERS) {
        return ngx_http_im_json_scan_over(scan, p, "the body has more than "
                             ngx_value(NGX_HTTP_IM_JSON_CONTAINERS)
                             " arrays and objects");
    }

    scan->array[++scan->depth] = (*p == '[');

    p = ngx_http_im_json_scan_space(p + 1, scan->last);

    if (p < scan->last && *p == (scan->array[scan->depth] ? ']' : '}')) {
        scan->depth--;
        return ngx_http_im_json_scan_after(scan, p + 1);
    }

    return p;
}


/* behind a value: all that ends here, then a comma if anything is open */

static u_char *
ngx_http_im_json_scan_after(ngx_http_im_json_scan_t *scan, u_char *p)
{
    while (scan->depth) {

        p = ngx_http_im_json_scan_space(p, scan->last);

        if (p < scan->last && *p == ',') {
            return p + 1;
        }

        if (scan->array[scan->depth]) {

            if (p == scan->last || *p != ']') {
                return ngx_http_im_json_scan_expected(scan, p, "the body is "
                              "not valid JSON: a comma or a ] is expected");
            }

        } else if (p == scan->last || *p != '}') {
            return ngx_http_im_json_scan_expected(scan, p, "the body is not "
                                  "valid JSON: a comma or a } is expected");
        }

        p++;
        scan->depth--;
    }

    return p;
}


static u_char *
ngx_http_im_json_scan_literal(ngx_http_im_json_scan_t *scan, u_char *p)
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
        return ngx_http_im_json_scan_expected(scan, p, "the body is not valid "
                                              "JSON: a value is expected");
    }

    return p;
}


static u_char *
ngx_http_im_json_scan_string(ngx_http_im_json_scan_t *scan, u_char *p)
{
    p++;

    for ( ;; ) {

        p = ngx_http_im_json_flat_text(p, scan->last);

        if (p == scan->last) {
            return ngx_http_im_json_scan_bad(scan, p, "the body is not valid "
                                             "JSON: it ends within a string");
        }

        if (*p == '"') {
            return p + 1;
        }

        if (*p == '\\') {
            p = ngx_http_im_json_scan_escape(scan, p);

            if (p == NULL) {
                return NULL;
            }

            continue;
        }

        if (*p == '\0') {
            return ngx_http_im_json_scan_bad(scan, p, "a NUL character is not "
                                             "allowed");
        }

        if (*p < 0x20) {
            return ngx_http_im_json_scan_bad(scan, p, "the body is not valid "
                                 "JSON: a control character is not escaped");
        }

        return ngx_http_im_json_scan_bad(scan, p, "the body is not valid "
                                         "UTF-8");
    }
}


static u_char *
ngx_http_im_json_scan_escape(ngx_http_im_json_scan_t *scan, u_char *p)
{
    ngx_int_t  code, low;

    if (scan->last - p >= 2 && p[1] != '\0'
        && ngx_strchr("\"\\/bfnrt", p[1]) != NULL)
    {
        return p + 2;
    }

    code = ngx_http_im_json_scan_hex(p, scan->last);

    if (code == NGX_ERROR) {
        return ngx_http_im_json_scan_bad(scan, p, "the body is not valid "
                                         "JSON: an unknown escape");
    }

    if (code == 0) {
        return ngx_http_im_json_scan_bad(scan, p, "a NUL character is not "
                                         "allowed");
    }

    if (code < 0xd800 || code > 0xdfff) {
        return p + 6;
    }

    /* a high surrogate and a low one */

    low = ngx_http_im_json_scan_hex(p + 6, scan->last);

    if (code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
        return p + 12;
    }

    return ngx_http_im_json_scan_bad(scan, p, "the body is not valid JSON: "
                                     "a lone surrogate");
}


/* the code after a backslash and "u", or NGX_ERROR */

static ngx_int_t
ngx_http_im_json_scan_hex(u_char *p, u_char *last)
{
    if (last - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return NGX_ERROR;
    }

    return ngx_hextoi(p + 2, 4);
}


static u_char *
ngx_http_im_json_scan_number(ngx_http_im_json_scan_t *scan, u_char *p)
{
    u_char      *first, *digits, *end, *last;
    ngx_int_t    rc;
    ngx_uint_t   real, minus;

    first = p;
    last = scan->last;
    real = 0;

    minus = (*p == '-');
    digits = p + minus;
    p = ngx_http_im_json_scan_digits(digits, last);

    if (p == digits || (*digits == '0' && p - digits > 1)) {
        goto malformed;
    }

    if (p < last && *p == '.') {
        real = 1;
        end = ngx_http_im_json_scan_digits(p + 1, last);

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

        end = ngx_http_im_json_scan_digits(p, last);

        if (end == p) {
            goto malformed;
        }

        p = end;
    }

    rc = NGX_OK;

    if (real) {
        rc = ngx_http_im_json_scan_replace(scan, first, p - first, "0.5");

    } else if (p - digits > NGX_HTTP_IM_JSON_DIGITS + 1
               || (p - digits == NGX_HTTP_IM_JSON_DIGITS + 1
                   && ngx_memcmp(digits, "9223372036854775807", 19) > 0))
    {
        rc = ngx_http_im_json_scan_replace(scan, first, p - first,
                                           minus ? "-9223372036854775808"
                                                 : "9223372036854775807");
    }

    return (rc == NGX_OK) ? p : NULL;

malformed:

    return ngx_http_im_json_scan_bad(scan, first, "the body is not valid "
                                     "JSON: a malformed number");
}


static u_char *
ngx_http_im_json_scan_digits(u_char *p, u_char *last)
{
    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


/* by is not longer than the number, blanks fill the rest */

static ngx_int_t
ngx_http_im_json_scan_replace(ngx_http_im_json_scan_t *scan, u_char *p,
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


static u_char *
ngx_http_im_json_scan_space(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == LF || *p == CR || *p == '\t')) {
        p++;
    }

    return p;
}


static u_char *
ngx_http_im_json_scan_bad(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error)
{
    scan->error = error;
    scan->at = ngx_min((size_t) (p - scan->first) + 1, scan->len);

    return NULL;
}


static u_char *
ngx_http_im_json_scan_over(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error)
{
    scan->limit = 1;

    return ngx_http_im_json_scan_bad(scan, p, error);
}


static u_char *
ngx_http_im_json_scan_expected(ngx_http_im_json_scan_t *scan, u_char *p,
    const char *error)
{
    if (p == scan->last) {
        error = "the body is not valid JSON: it ends too early";
    }

    return ngx_http_im_json_scan_bad(scan, p, error);
}
