
#ifndef _NGX_HTTP_IM_HANDSHAKE_H_INCLUDED_
#define _NGX_HTTP_IM_HANDSHAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_addrs.h"
#include "ngx_http_im_tls.h"


/*
 * TLS on an nginx connection: opened, checked and closed.  What is sent and
 * received in between goes through c->send and c->recv, as without it.
 */

/*
 * What OpenSSL says of a connection goes to words, at most max bytes of it,
 * instead of into a log: who closes the connection logs it.  The log and the
 * words are those of the connection, copied from and alerts go to another.
 */

typedef struct {
    ngx_log_t        log;
    ngx_log_t       *alerts;
    ngx_str_t       *words;
    size_t           max;
} ngx_http_im_handshake_log_t;


void ngx_http_im_handshake_log_init(ngx_http_im_handshake_log_t *hl,
    ngx_log_t *log, ngx_str_t *words, size_t max);


/* NGX_AGAIN: the handler will be called; else it is done, or has failed */
ngx_int_t ngx_http_im_handshake_start(ngx_connection_t *c,
    ngx_http_im_tls_t *tls, const ngx_str_t *host,
    ngx_connection_handler_pt handler);

/*
 * Was it done, with the right server?  NULL, or why not; details go to words.
 * Host: its name, or empty where only its address is known.
 */
const char *ngx_http_im_handshake_check(ngx_connection_t *c,
    const ngx_http_im_tls_t *tls, const ngx_str_t *host,
    ngx_http_im_addr_t *addr, ngx_http_im_handshake_log_t *hl);

/* a close_notify, for which nobody waits; what TLS has is freed */
void ngx_http_im_handshake_end(ngx_connection_t *c);


#endif /* _NGX_HTTP_IM_HANDSHAKE_H_INCLUDED_ */
