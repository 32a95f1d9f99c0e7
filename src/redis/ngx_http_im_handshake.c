
#include "ngx_http_im_handshake.h"
#include "ngx_http_im_log_limit.h"


#define NGX_HTTP_IM_HANDSHAKE_POOL   256


static void ngx_http_im_handshake_log_writer(ngx_log_t *log,
    ngx_uint_t level, u_char *buf, size_t len);

#if (NGX_SSL)

static ngx_int_t ngx_http_im_handshake_name(ngx_connection_t *c,
    const ngx_str_t *name);
static ngx_int_t ngx_http_im_handshake_check_ip(ngx_connection_t *c,
    struct sockaddr *sockaddr);

#endif


/* without OpenSSL the configuration has no TLS: nothing of this is used */

void
ngx_http_im_handshake_log_init(ngx_http_im_handshake_log_t *hl,
    ngx_log_t *log, ngx_str_t *words, size_t max)
{
    hl->log = *log;
    hl->log.log_level = NGX_LOG_ERR;
    hl->log.writer = ngx_http_im_handshake_log_writer;
    hl->log.wdata = hl;
    hl->log.handler = NULL;
    hl->log.next = NULL;

    hl->alerts = log;
    hl->words = words;
    hl->max = max;
}


/* "time [level] pid#tid: failure (SSL: words of OpenSSL)" */

static void
ngx_http_im_handshake_log_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len)
{
    u_char                       *p, *last;
    ngx_str_t                     text;
    ngx_http_im_handshake_log_t  *hl;

    hl = log->wdata;
    last = buf + len;

    while (last > buf && last[-1] == LF) {
        last--;
    }

    p = ngx_strlchr(buf, last, '#');
    p = ngx_strlchr(p ? p : buf, last, ' ');
    p = p ? p + 1 : buf;

    if (level <= NGX_LOG_ALERT) {
        ngx_log_error(level, hl->alerts, 0, "%*s", (size_t) (last - p), p);
        return;
    }

    text.data = ngx_strnstr(p, "(SSL: ", last - p);

    if (text.data) {
        text.data += sizeof("(SSL: ") - 1;
        text.len = last - text.data - (last[-1] == ')');

    } else {
        text.data = p;
        text.len = last - p;
    }

    if (hl->words->len == 0) {
        ngx_http_im_log_copy(hl->words, &text, hl->max);
    }
}


ngx_int_t
ngx_http_im_handshake_start(ngx_connection_t *c, ngx_http_im_tls_t *tls,
    const ngx_str_t *host, ngx_connection_handler_pt handler)
{
#if (NGX_SSL)
    ngx_int_t  rc;

    c->pool = ngx_create_pool(NGX_HTTP_IM_HANDSHAKE_POOL, c->log);

    if (c->pool == NULL
        || ngx_ssl_create_connection(&tls->ssl, c,
                                     NGX_SSL_BUFFER|NGX_SSL_CLIENT)
           != NGX_OK
        || ngx_http_im_handshake_name(c, tls->name.len ? &tls->name : host)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = handler;
    }

    return rc;
#else
    return NGX_ERROR;
#endif
}


#if (NGX_SSL)

/* SNI: not for an address (RFC 6066) */

static ngx_int_t
ngx_http_im_handshake_name(ngx_connection_t *c, const ngx_str_t *name)
{
#ifdef SSL_CTRL_SET_TLSEXT_HOSTNAME

    u_char  *p;

    if (name->len == 0 || ngx_strlchr(name->data, name->data + name->len, ':')
        || ngx_inet_addr(name->data, name->len) != INADDR_NONE)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(c->pool, name->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p, name->data, name->len + 1);

    if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) p) == 0) {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name() failed");
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}

#endif


const char *
ngx_http_im_handshake_check(ngx_connection_t *c, const ngx_http_im_tls_t *tls,
    const ngx_str_t *host, ngx_http_im_addr_t *addr,
    ngx_http_im_handshake_log_t *hl)
{
#if (NGX_SSL)
    long              rc;
    X509             *cert;
    ngx_int_t         is;
    ngx_str_t         text;
    const ngx_str_t  *name;

    if (c->ssl == NULL || !c->ssl->handshaked) {
        return "TLS handshake failed";
    }

    if (!tls->verify) {
        return NULL;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        text.data = (u_char *) X509_verify_cert_error_string(rc);
        text.len = ngx_strlen(text.data);
        ngx_http_im_log_copy(hl->words, &text, hl->max);

        return "its certificate is not valid";
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert == NULL) {
        return "it has no certificate";
    }

    X509_free(cert);

    name = tls->name.len ? &tls->name : host;

    if (name->len) {
        is = ngx_ssl_check_host(c, (ngx_str_t *) name);

    } else {
        name = &addr->name;
        is = ngx_http_im_handshake_check_ip(c, &addr->sockaddr.sockaddr);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, hl->alerts, 0,
                   "im handshake name \"%V\" in the certificate: %i",
                   name, is);

    if (is != NGX_OK) {
        ngx_http_im_log_copy(hl->words, name, hl->max);

        return "its certificate is for another name";
    }

    return NULL;
#else
    return "TLS is not built in";
#endif
}


#if (NGX_SSL)

/* a certificate may have addresses as well as names */

static ngx_int_t
ngx_http_im_handshake_check_ip(ngx_connection_t *c, struct sockaddr *sockaddr)
{
    int                   rc;
    X509                 *cert;
    size_t                len;
    u_char               *ip;

    switch (sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        ip = (u_char *) &((struct sockaddr_in6 *) sockaddr)->sin6_addr;
        len = 16;
        break;
#endif

    case AF_INET:
        ip = (u_char *) &((struct sockaddr_in *) sockaddr)->sin_addr;
        len = 4;
        break;

    default:
        return NGX_ERROR;
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);

    rc = cert ? X509_check_ip(cert, ip, len, 0) : 0;

    X509_free(cert);

    return (rc == 1) ? NGX_OK : NGX_ERROR;
}

#endif


void
ngx_http_im_handshake_end(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

#if (NGX_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {

            /* not even that can be sent */

            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
    }

#endif

    pool = c->pool;

    if (pool) {
        c->pool = NULL;
        ngx_destroy_pool(pool);
    }
}
