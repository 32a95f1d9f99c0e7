
#include "ngx_http_im_open.h"


static void ngx_http_im_open_event_handler(ngx_event_t *ev);
static void ngx_http_im_open_handshake(ngx_http_im_open_t *open);
static void ngx_http_im_open_handshake_handler(ngx_connection_t *c);


void
ngx_http_im_open_init(ngx_http_im_open_t *open, ngx_log_t *log,
    ngx_str_t *words, size_t max)
{
    ngx_http_im_handshake_log_init(&open->tls_log, log, words, max);
}


ngx_int_t
ngx_http_im_open_start(ngx_http_im_open_t *open, ngx_http_im_tls_t *tls,
    const ngx_str_t *host, ngx_log_t *log)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *pc;

    open->tls = tls;
    open->host = host;
    open->connected = 0;

    pc = &open->peer;
    ngx_memzero(pc, sizeof(ngx_peer_connection_t));

    pc->sockaddr = &open->addr.sockaddr.sockaddr;
    pc->socklen = open->addr.socklen;
    pc->name = &open->addr.name;
    pc->get = ngx_event_get_peer;
    pc->log = tls ? &open->tls_log.log : log;
    pc->log_error = NGX_ERROR_ERR;
    pc->so_keepalive = (pc->sockaddr->sa_family != AF_UNIX);

    if (pc->socklen == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_event_connect_peer(pc);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im open:%p connect to %V: %i", open, pc->name, rc);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        return NGX_ERROR;
    }

    c = pc->connection;
    c->data = open;
    c->read->handler = ngx_http_im_open_event_handler;
    c->write->handler = ngx_http_im_open_event_handler;

    return rc;
}


static void
ngx_http_im_open_event_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_http_im_open_connected(c->data);
}


void
ngx_http_im_open_connected(ngx_http_im_open_t *open)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = open->peer.connection;
    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        open->handler(open->data, err, "connect() failed");
        return;
    }

    if (open->peer.sockaddr->sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im open:%p connected, fd:%d", open, c->fd);

    open->connected = 1;

    if (open->tls) {
        ngx_http_im_open_handshake(open);
        return;
    }

    open->handler(open->data, 0, NULL);
}


static void
ngx_http_im_open_handshake(ngx_http_im_open_t *open)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = open->peer.connection;

    rc = ngx_http_im_handshake_start(c, open->tls, open->host,
                                     ngx_http_im_open_handshake_handler);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im open:%p TLS handshake: %i", open, rc);

    if (rc != NGX_AGAIN) {
        ngx_http_im_open_handshake_handler(c);
    }
}


/* nothing was sent yet: a server that is not trusted learns no password */

static void
ngx_http_im_open_handshake_handler(ngx_connection_t *c)
{
    ngx_http_im_open_t  *open;

    open = c->data;

    open->handler(open->data, 0,
                  ngx_http_im_handshake_check(c, open->tls, open->host,
                                              &open->addr, &open->tls_log));
}


const char *
ngx_http_im_open_timeout(ngx_http_im_open_t *open)
{
    if (open->peer.connection == NULL) {
        return "its address is not known";
    }

    return open->connected ? "TLS handshake timed out"
                           : "connect() timed out";
}


void
ngx_http_im_open_close(ngx_connection_t *c)
{
    ngx_http_im_handshake_end(c);
    ngx_close_connection(c);
}
