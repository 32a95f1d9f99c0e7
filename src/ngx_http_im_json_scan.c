
#include "ngx_http_im_json_scan.h"


#define NGX_HTTP_IM_JSON_NAME_MAX   64


static ngx_int_t ngx_http_im_json_scan_start(ngx_http_im_json_scan_t *scan,
    u_char **start);
static const char *ngx_http_im_json_scan_other(u_char *p, u_char *last);
static u_char *ngx_http_im_json_scan_item(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_member(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_open(ngx_http_im_json_scan_t *scan,
    u_char *p);
static u_char *ngx_http_im_json_scan_after(ngx_http_im_json_scan_t *scan,
    u_char *p);


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
            p = ngx_http_im_json_space(p, scan->last);

            if (p < scan->last) {
                p = ngx_http_im_json_bad(scan, p, "the body is not valid "
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


ngx_int_t
ngx_http_im_json_scan_error(ngx_http_im_json_scan_t *scan,
    ngx_http_im_error_t *error)
{
    const char           *in;
    ngx_http_im_error_e   id;

    id = scan->limit ? NGX_HTTP_IM_BAD_REQUEST : NGX_HTTP_IM_BAD_JSON;

    if (scan->at == 0) {
        return ngx_http_im_error_set(scan->pool, error, id, "%s", scan->error);
    }

    if (scan->in_name) {
        in = " in the name of a member";

    } else {
        in = scan->member.len ? " in member " : "";
    }

    return ngx_http_im_error_set(scan->pool, error, id, "%s%s%V at byte %uz",
                                 scan->error, in, &scan->member, scan->at);
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

    p = ngx_http_im_json_space(p, last);

    if (p < last && *p == '{') {
        *start = p;
        return NGX_OK;
    }

    scan->error = ngx_http_im_json_scan_other(p, last);

    if (scan->error == NULL) {
        ngx_http_im_json_bad(scan, p, "the body is not valid JSON: "
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
    p = ngx_http_im_json_space(p, scan->last);

    if (!scan->array[scan->depth]) {
        p = ngx_http_im_json_scan_member(scan, p);

        if (p == NULL) {
            return NULL;
        }
    }

    if (p < scan->last && (*p == '{' || *p == '[')) {
        return ngx_http_im_json_scan_open(scan, p);
    }

    p = ngx_http_im_json_value(scan, p);

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
        return ngx_http_im_json_expected(scan, p, "the body is not valid "
                                         "JSON: a name in quotes is expected");
    }

    if (++scan->members > NGX_HTTP_IM_JSON_MEMBERS) {
        return ngx_http_im_json_over(scan, p, "the body has more than "
                               ngx_value(NGX_HTTP_IM_JSON_MEMBERS) " members");
    }

    scan->in_name = 1;
    p = ngx_http_im_json_string(scan, p);

    if (p == NULL) {
        return NULL;
    }

    scan->in_name = 0;

    if (scan->depth == 1) {
        ngx_http_im_json_scan_name(scan->first, p - scan->first,
                                   &scan->member);
    }

    p = ngx_http_im_json_space(p, scan->last);

    if (p == scan->last || *p != ':') {
        return ngx_http_im_json_expected(scan, p, "the body is not valid "
                                         "JSON: a colon is expected");
    }

    return ngx_http_im_json_space(p + 1, scan->last);
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


static u_char *
ngx_http_im_json_scan_open(ngx_http_im_json_scan_t *scan, u_char *p)
{
    if (scan->depth == NGX_HTTP_IM_JSON_DEPTH) {
        return ngx_http_im_json_over(scan, p, "the body is nested more "
                     "than " ngx_value(NGX_HTTP_IM_JSON_DEPTH) " levels deep");
    }

    if (++scan->containers > NGX_HTTP_IM_JSON_CONTAINERS) {
        return ngx_http_im_json_over(scan, p, "the body has more than "
                                     ngx_value(NGX_HTTP_IM_JSON_CONTAINERS)
                             " arrays and objects");
    }

    scan->array[++scan->depth] = (*p == '[');

    p = ngx_http_im_json_space(p + 1, scan->last);

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

        p = ngx_http_im_json_space(p, scan->last);

        if (p < scan->last && *p == ',') {
            return p + 1;
        }

        if (scan->array[scan->depth]) {

            if (p == scan->last || *p != ']') {
                return ngx_http_im_json_expected(scan, p, "the body is "
                                 "not valid JSON: a comma or a ] is expected");
            }

        } else if (p == scan->last || *p != '}') {
            return ngx_http_im_json_expected(scan, p, "the body is not "
                                     "valid JSON: a comma or a } is expected");
        }

        p++;
        scan->depth--;
    }

    return p;
}
