
#include "ngx_http_im_origin.h"


/* "null" has this as its scheme, no host and port 0 */

typedef struct {
    ngx_str_t     scheme;
    ngx_str_t     host;
    ngx_uint_t    port;      /* 0: none, and the scheme has no default */
} ngx_http_im_origin_t;


struct ngx_http_im_origins_s {
    ngx_array_t   list;      /* of ngx_http_im_origin_t */
    unsigned      any:1;
    unsigned      same:1;    /* is written there; it always applies */
};


static ngx_uint_t ngx_http_im_origin_check(ngx_http_request_t *r,
    ngx_http_im_origins_t *origins, ngx_str_t *value, ngx_str_t *proto);
static void ngx_http_im_origin_scheme(ngx_http_request_t *r,
    ngx_str_t *proto, ngx_str_t *scheme);
static ngx_int_t ngx_http_im_origin_parse(ngx_str_t *value,
    ngx_http_im_origin_t *origin);
static ngx_int_t ngx_http_im_origin_host_parse(ngx_str_t *value,
    ngx_http_im_origin_t *origin);
static ngx_uint_t ngx_http_im_origin_port(ngx_str_t *scheme);
static ngx_uint_t ngx_http_im_origin_eq(ngx_http_im_origin_t *a,
    ngx_http_im_origin_t *b);
static ngx_uint_t ngx_http_im_origin_str_eq(ngx_str_t *a, const void *b,
    size_t len);


char *
ngx_http_im_origin_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_http_im_origin_t    *origin;
    ngx_http_im_origins_t  **field, *origins;

    field = (ngx_http_im_origins_t **) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    origins = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_origins_t));

    if (origins == NULL
        || ngx_array_init(&origins->list, cf->pool, 2,
                          sizeof(ngx_http_im_origin_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "any") == 0) {
            origins->any = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "same") == 0) {
            origins->same = 1;
            continue;
        }

        origin = ngx_array_push(&origins->list);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_im_origin_parse(&value[i], origin) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is no origin: im_origin takes "
                               "\"same\", \"any\" or origins as browsers send "
                               "them, "
                               "such as https://example.com or "
                               "https://example.com:8443, without a path",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (origins->any && (origins->same || origins->list.nelts)) {
        return "has \"any\" and others; \"any\" stands alone";
    }

    *field = origins;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_im_origin_is_allowed(ngx_http_request_t *r,
    ngx_http_im_origins_t *origins)
{
    ngx_str_t         proto, name = ngx_string("X-Forwarded-Proto");
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (origins && origins->any) {
        return 1;
    }

    ngx_str_null(&proto);

    /* the first time for the scheme, the second time for the origin */

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_im_origin_str_eq(&h[i].key, name.data, name.len)) {
                proto = h[i].value;
                break;
            }
        }
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_im_origin_str_eq(&h[i].key, "Origin", 6)
                && !ngx_http_im_origin_check(r, origins, &h[i].value, &proto))
            {
                ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                               "im origin \"%V\" is foreign", &h[i].value);
                return 0;
            }
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_im_origin_check(ngx_http_request_t *r, ngx_http_im_origins_t *origins,
    ngx_str_t *value, ngx_str_t *proto)
{
    ngx_uint_t             i;
    ngx_http_im_origin_t   origin, same, *listed;

    if (ngx_http_im_origin_parse(value, &origin) != NGX_OK) {
        return 0;
    }

    if (r->headers_in.host) {
        ngx_http_im_origin_scheme(r, proto, &same.scheme);

        if (ngx_http_im_origin_host_parse(&r->headers_in.host->value, &same)
            == NGX_OK
            && ngx_http_im_origin_eq(&origin, &same))
        {
            return 1;
        }
    }

    if (origins == NULL) {
        return 0;
    }

    listed = origins->list.elts;

    for (i = 0; i < origins->list.nelts; i++) {
        if (ngx_http_im_origin_eq(&origin, &listed[i])) {
            return 1;
        }
    }

    return 0;
}


/*
 * A page of another site cannot set X-Forwarded-Proto: browsers would ask
 * first, with OPTIONS, and get 405.
 */

static void
ngx_http_im_origin_scheme(ngx_http_request_t *r, ngx_str_t *proto,
    ngx_str_t *scheme)
{
    ngx_str_set(scheme, "http");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(scheme, "https");
        return;
    }
#endif

    if (ngx_http_im_origin_str_eq(proto, "https", 5)) {
        ngx_str_set(scheme, "https");
    }
}


/* scheme "://" host [ ":" port ], or "null" */

static ngx_int_t
ngx_http_im_origin_parse(ngx_str_t *value, ngx_http_im_origin_t *origin)
{
    u_char     *p, *last;
    ngx_str_t   rest;

    if (value->len == 4 && ngx_strncmp(value->data, "null", 4) == 0) {
        origin->scheme = *value;
        ngx_str_null(&origin->host);
        origin->port = 0;
        return NGX_OK;
    }

    p = value->data;
    last = value->data + value->len;

    while (p < last && *p != ':') {

        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (p > value->data && ((*p >= '0' && *p <= '9') || *p == '+'
                                      || *p == '-' || *p == '.'))))
        {
            return NGX_DECLINED;
        }

        p++;
    }

    if (p == value->data || last - p < 4 || ngx_strncmp(p, "://", 3) != 0) {
        return NGX_DECLINED;
    }

    origin->scheme.data = value->data;
    origin->scheme.len = p - value->data;

    rest.data = p + 3;
    rest.len = last - rest.data;

    return ngx_http_im_origin_host_parse(&rest, origin);
}


/* host [ ":" port ]; the default port is that of origin->scheme */

static ngx_int_t
ngx_http_im_origin_host_parse(ngx_str_t *value, ngx_http_im_origin_t *origin)
{
    u_char     *p, *last;
    ngx_int_t   port;

    p = value->data;
    last = value->data + value->len;

    if (p < last && *p == '[') {

        while (p < last && *p != ']') {
            p++;
        }

        if (p == last) {
            return NGX_DECLINED;
        }

        p++;

    } else {

        while (p < last && *p != ':') {

            if (*p <= ' ' || *p == '/' || *p == '?' || *p == '#' || *p == '@'
                || *p == '\\' || *p == ',' || *p == 0x7f)
            {
                return NGX_DECLINED;
            }

            p++;
        }
    }

    origin->host.data = value->data;
    origin->host.len = p - value->data;

    if (origin->host.len == 0) {
        return NGX_DECLINED;
    }

    if (p == last) {
        origin->port = ngx_http_im_origin_port(&origin->scheme);
        return NGX_OK;
    }

    if (*p++ != ':') {
        return NGX_DECLINED;
    }

    port = ngx_atoi(p, last - p);

    if (port < 1 || port > 65535) {
        return NGX_DECLINED;
    }

    origin->port = port;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_im_origin_port(ngx_str_t *scheme)
{
    if (ngx_http_im_origin_str_eq(scheme, "https", 5)) {
        return 443;
    }

    return ngx_http_im_origin_str_eq(scheme, "http", 4) ? 80 : 0;
}


static ngx_uint_t
ngx_http_im_origin_eq(ngx_http_im_origin_t *a, ngx_http_im_origin_t *b)
{
    return a->port == b->port
           && a->scheme.len == b->scheme.len
           && a->host.len == b->host.len
           && ngx_strncasecmp(a->scheme.data, b->scheme.data, a->scheme.len)
              == 0
           && ngx_strncasecmp(a->host.data, b->host.data, a->host.len) == 0;
}


/* in any case of letters */

static ngx_uint_t
ngx_http_im_origin_str_eq(ngx_str_t *a, const void *b, size_t len)
{
    return a->len == len
           && ngx_strncasecmp(a->data, (u_char *) b, len) == 0;
}
