
#ifndef _NGX_HTTP_IM_BACKOFF_H_INCLUDED_
#define _NGX_HTTP_IM_BACKOFF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * When a connection that was lost is opened again.
 *
 * At once, if it has served a command or was ready for some time.  If it was
 * lost with commands in flight, one of these may be the cause, so the server
 * counts as well: it is opened again soon, with a pause that grows.  If it has
 * served nothing several times in a row, or was lost with nothing in flight,
 * it has failed, as if it had not been established: the pause is longer, and
 * until the next attempt nothing waits for it.
 */

typedef enum {
    NGX_HTTP_IM_BACKOFF_PACED = 0,   /* after b->delay, which may be 0 */
    NGX_HTTP_IM_BACKOFF_FAILED
} ngx_http_im_backoff_e;


typedef struct {
    ngx_uint_t    failures;          /* in a row, until one has served */
    ngx_uint_t    breaks;            /* with commands in flight, in a row */
    ngx_msec_t    since;             /* ready */
    ngx_msec_t    delay;             /* until the next attempt */
    unsigned      served:1;          /* a command of a flow */
    unsigned      hurried:1;         /* a pause was cut short since then */
} ngx_http_im_backoff_t;


void ngx_http_im_backoff_ready(ngx_http_im_backoff_t *b);

/* alone: the command was alone on the connection, on purpose */
void ngx_http_im_backoff_served(ngx_http_im_backoff_t *b, ngx_uint_t alone);

/* ready: it was; commands: in flight */
ngx_http_im_backoff_e ngx_http_im_backoff_lost(ngx_http_im_backoff_t *b,
    ngx_uint_t ready, ngx_uint_t commands, ngx_uint_t alone);

/* may a pause be cut short, as commands of others wait? */
ngx_uint_t ngx_http_im_backoff_hurry(ngx_http_im_backoff_t *b);


#endif /* _NGX_HTTP_IM_BACKOFF_H_INCLUDED_ */
