
#ifndef _NGX_HTTP_IM_OPEN_H_INCLUDED_
#define _NGX_HTTP_IM_OPEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_http_im_addrs.h"
#include "ngx_http_im_handshake.h"
#include "ngx_http_im_tls.h"


/*
 * Opening a connection: connect(), and where TLS is used the handshake and the
 * check of who the server is.  It has no timer.
 */

/* reason: NULL, or why the connection cannot be used */
typedef void (*ngx_http_im_open_handler_pt)(void *data, ngx_err_t err,
    const char *reason);


typedef struct {
    ngx_peer_connection_t         peer;
    ngx_http_im_addr_t            addr;        /* of the peer */
    ngx_http_im_tls_t            *tls;         /* NULL: not used */
    const ngx_str_t              *host;        /* in the configuration */
    ngx_http_im_handshake_log_t   tls_log;
    ngx_http_im_open_handler_pt   handler;
    void                         *data;
    unsigned                      connected:1;
} ngx_http_im_open_t;


void ngx_http_im_open_init(ngx_http_im_open_t *open, ngx_log_t *log,
    ngx_str_t *words, size_t max);

/*
 * Begins to open a connection to open->addr.  NGX_AGAIN: the handler is called
 * later; NGX_OK: call ngx_http_im_open_connected(); NGX_ERROR: connect() has
 * failed.  There may be a connection in peer.connection even then.
 */
ngx_int_t ngx_http_im_open_start(ngx_http_im_open_t *open,
    ngx_http_im_tls_t *tls, const ngx_str_t *host, ngx_log_t *log);
void ngx_http_im_open_connected(ngx_http_im_open_t *open);

/* why it is not open, after a while */
const char *ngx_http_im_open_timeout(ngx_http_im_open_t *open);

/* a connection that is open, or is being opened */
void ngx_http_im_open_close(ngx_connection_t *c);


#endif /* _NGX_HTTP_IM_OPEN_H_INCLUDED_ */
