
#ifndef _NGX_HTTP_IM_CONN_H_INCLUDED_
#define _NGX_HTTP_IM_CONN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_addrs.h"
#include "ngx_http_im_backoff.h"
#include "ngx_http_im_cmd.h"
#include "ngx_http_im_input.h"
#include "ngx_http_im_open.h"
#include "ngx_http_im_output.h"
#include "ngx_http_im_stat.h"


typedef struct ngx_http_im_conn_s  ngx_http_im_conn_t;

typedef enum {
    NGX_HTTP_IM_CONN_DOWN = 0,       /* the timer runs to the next attempt */
    NGX_HTTP_IM_CONN_CONNECTING,     /* the timer is the connect timeout */
    NGX_HTTP_IM_CONN_SETUP,          /* so it is here */
    NGX_HTTP_IM_CONN_READY           /* until the next probe */
} ngx_http_im_conn_e;


/* by which a connection tells its node what happened */

typedef struct {

    /* a command has its reply, in step */
    void (*reply)(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd);

    /*
     * Commands can be written: the connection is established and in SETUP,
     * or it is READY and has room again.
     */
    void (*ready)(ngx_http_im_conn_t *conn);

    /*
     * The connection is lost, given up or was not established; was tells the
     * state before.  All that has no reply is in conn->output.sent, in order,
     * and in state WAITING if nothing of it was written; what was not sent of
     * the setup is in conn->setup.  Both must be empty on return.
     */
    void (*closed)(ngx_http_im_conn_t *conn, ngx_http_im_conn_e was,
        ngx_err_t err, const char *reason);

    /* the timer of READY has expired */
    void (*timer)(ngx_http_im_conn_t *conn);

    /*
     * In place of reply(), for a connection without commands: what was read,
     * as bytes.  NGX_ERROR after it set conn->input.error: not to be read any
     * further.  May be NULL.
     */
    ngx_int_t (*bytes)(ngx_http_im_conn_t *conn, u_char *p, size_t len);

} ngx_http_im_conn_handlers_t;


/* what the connections of a node have in common */

typedef struct {
    const ngx_http_im_conn_handlers_t  *handlers;
    void                     *data;          /* the node */
    ngx_http_im_addrs_t       addrs;
    ngx_str_t                *store;         /* name, for the log */
    const char               *role;          /* "", or what it is */
    ngx_msec_t                connect_timeout;
    ngx_http_im_tls_t        *tls;           /* NULL: not used */
    u_char                   *buf;           /* recv() fills it */
    size_t                    size;
    ngx_pool_t               *pool;          /* of the node */
    ngx_http_im_stat_t       *stat;
    ngx_log_t                *log;
    ngx_log_t                *connect_log;
    unsigned                  no_echo:1;     /* an ACL forbids the fences */
    unsigned                  no_publish:1;  /* and events */
} ngx_http_im_endpoint_t;


#define NGX_HTTP_IM_CONN_WORDS   256
#define NGX_HTTP_IM_CONN_PROBE   3000        /* ms between two probes */


/*
 * One connection to a server.  The struct lives as long as the node; the nginx
 * connection in it comes and goes.
 */

struct ngx_http_im_conn_s {
    ngx_http_im_endpoint_t   *endpoint;
    ngx_http_im_open_t        open;          /* its address, the peer */
    ngx_uint_t                tried;         /* addresses, in a row */
    ngx_connection_t         *connection;    /* NULL in DOWN */
    ngx_uint_t                serial;        /* of the nginx connection */
    ngx_msec_t                probed;        /* READY, or the last probe */
    ngx_http_im_conn_e        state;
    ngx_event_t               timer;         /* cancelable */

    ngx_http_im_output_t      output;
    ngx_http_im_input_t       input;
    ngx_queue_t               setup;         /* commands, written first */
    ngx_http_im_job_t        *job;           /* of the setup under way */

    ngx_http_im_backoff_t     backoff;
    ngx_str_t                 words;         /* of the server, for the log */
    u_char                    words_buf[NGX_HTTP_IM_CONN_WORDS];
    unsigned                  failed:1;      /* not only lost */
    unsigned                  expected:1;    /* nobody used what was closed */
    unsigned                  paced:1;       /* DOWN, but not failed */
    unsigned                  next:1;        /* another address at once */
    unsigned                  draining:1;    /* closed once sent is empty */
    unsigned                  exiting:1;     /* not opened again */
};


ngx_int_t ngx_http_im_conn_init(ngx_http_im_conn_t *conn,
    ngx_http_im_endpoint_t *endpoint);
void ngx_http_im_conn_connect(ngx_http_im_conn_t *conn);

/* the setup is done: the connection serves commands */
void ngx_http_im_conn_set_ready(ngx_http_im_conn_t *conn);

/* may a command be pushed; one that must be alone on the connection? */
ngx_uint_t ngx_http_im_conn_has_room(ngx_http_im_conn_t *conn,
    ngx_uint_t alone);
void ngx_http_im_conn_push(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd,
    ngx_uint_t alone);

/* reads what there is, whether an event has told of it or not */
void ngx_http_im_conn_read(ngx_http_im_conn_t *conn);

/* one that is paced is opened now, as commands of others wait */
void ngx_http_im_conn_hurry(ngx_http_im_conn_t *conn);

/*
 * Writes what was pushed.  NGX_OK: all is written; NGX_AGAIN: ready() will be
 * called; NGX_ERROR: the connection was closed.
 */
ngx_int_t ngx_http_im_conn_flush(ngx_http_im_conn_t *conn);

/* writes no more commands, reads what is in flight, then reopens */
void ngx_http_im_conn_drain(ngx_http_im_conn_t *conn);

/* gives up the connection, and opens it again, at once or after a while */
void ngx_http_im_conn_close(ngx_http_im_conn_t *conn, ngx_err_t err,
    const char *reason);

/* at exit */
void ngx_http_im_conn_exit(ngx_http_im_conn_t *conn);


#endif /* _NGX_HTTP_IM_CONN_H_INCLUDED_ */
