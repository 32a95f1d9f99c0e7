
#ifndef _NGX_HTTP_IM_CONN_H_INCLUDED_
#define _NGX_HTTP_IM_CONN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_http_im_sched.h"
#include "ngx_http_im_redis.h"


/* between ngx_http_im_{redis,conn,mark,handshake}.c only */

typedef enum {
    NGX_HTTP_IM_CONN_DOWN = 0,       /* the timer runs to the next attempt */
    NGX_HTTP_IM_CONN_CONNECTING,     /* the timer is the connect timeout */
    NGX_HTTP_IM_CONN_HANDSHAKE,      /* so it is here */
    NGX_HTTP_IM_CONN_READY           /* to asking for the settings again */
} ngx_http_im_conn_e;


/*
 * Every write to the server ends with a mark, an ECHO of a word of its own,
 * and no reply is used before the mark behind it has come back: were there a
 * reply too many or too few, everybody would be told what his neighbour asked.
 */

#define NGX_HTTP_IM_MARKS      64
#define NGX_HTTP_IM_MARK_LEN   (sizeof(NGX_HTTP_IM_MARK_HEAD) - 1            \
                                + NGX_HTTP_IM_MARK_WORD + 2)
#define NGX_HTTP_IM_MARK_HEAD  "*2" CRLF "$4" CRLF "ECHO" CRLF "$16" CRLF
#define NGX_HTTP_IM_MARK_WORD  16

typedef struct {
    ngx_http_im_cmd_t         cmd;           /* its job is NULL */
    u_char                    resp[NGX_HTTP_IM_MARK_LEN];
} ngx_http_im_mark_t;


/*
 * One connection to the server.  The struct lives as long as the worker; the
 * nginx connection in it comes and goes.
 */

typedef struct {
    ngx_http_im_redis_t      *redis;
    ngx_peer_connection_t     peer;
    ngx_connection_t         *connection;    /* NULL in DOWN */
    ngx_http_im_conn_e        state;
    ngx_event_t               timer;         /* cancelable */

    ngx_queue_t               sent;          /* commands awaiting replies */
    ngx_queue_t               held;          /* with theirs, before a mark */
    ngx_queue_t               hello;         /* commands of the handshake */
    ngx_http_im_job_t        *handshake;     /* also when asked again */
    ngx_http_im_decoder_t     decoder;

    u_char                   *out;           /* bytes not yet taken by */
    u_char                   *pos;           /*   the kernel */
    u_char                   *last;
    u_char                   *end;
    ngx_http_im_cmd_t        *partial;       /* its rest is not in out yet */
    size_t                    partial_done;
    uint64_t                  serialised;    /* bytes put into out so far */
    uint64_t                  written;       /* bytes taken by the kernel */

    ngx_http_im_mark_t       *marks;         /* a ring */
    uint64_t                  mark;          /* the last one's word */
    ngx_uint_t                nmarks;        /* sent and not answered */
    size_t                    unmarked;      /* owed since the last mark */

    ngx_msec_t                moved;         /* a reply was whole, or due */
    ngx_uint_t                tries;         /* failed in a row */
    unsigned                  renew:1;       /* reconnect once all is said */
} ngx_http_im_conn_t;


/* a worker's side of a store; lives in the cycle's pool */

struct ngx_http_im_redis_s {
    ngx_http_im_redis_conf_t  *store;
    ngx_http_im_stat_t        *count;         /* the store's */
    ngx_log_t                 *log;
    ngx_log_t                  quiet;         /* for what is logged here */
    ngx_http_im_conn_t        *conns;         /* store->connections of them */
    ngx_uint_t                 next;          /* whose turn it is to write */

    ngx_http_im_lanes_t       lanes;         /* commands not yet written */
    ngx_uint_t                unflushed;     /* jobs since the last flush */
    ngx_queue_t               deadlines;     /* jobs, the earliest first */
    ngx_queue_t               ready;         /* jobs whose round is over */
    ngx_queue_t               free;          /* jobs to be used again */
    ngx_uint_t                nfree;
    ngx_uint_t                jobs;          /* in use */

    ngx_event_t               flush;         /* posted: write what waits */
    ngx_event_t               run;           /* posted: call the handlers */
    ngx_event_t               timer;         /* of the first deadline */

    ngx_msec_t                changed;       /* a connection came or went */
    u_char                   *buf;           /* what recv() fills */
    ngx_uint_t                wanting;       /* of what is required, bits */
    unsigned                  evicts:1;      /* it may throw keys away */
    unsigned                  unproved:1;    /* it lets us have no marks */
    unsigned                  down:1;        /* the last attempt failed */
};


ngx_int_t ngx_http_im_conn_init(ngx_http_im_conn_t *conn,
    ngx_http_im_redis_t *redis);
void ngx_http_im_conn_connect(ngx_http_im_conn_t *conn);
void ngx_http_im_conn_flush(ngx_http_im_conn_t *conn);

/* the connection is lost or given up: settles what was sent, reconnects */
void ngx_http_im_conn_fail(ngx_http_im_conn_t *conn, ngx_err_t err,
    const char *reason);

/* at exit: no reconnect */
void ngx_http_im_conn_close(ngx_http_im_conn_t *conn);


/* makes a connected connection ready, or fails it */
void ngx_http_im_handshake(ngx_http_im_conn_t *conn);

/* asks a ready one again whether the server is set as required */
void ngx_http_im_handshake_again(ngx_http_im_conn_t *conn);


/*
 * The next mark: there must be one free.  Nothing else is between the last one
 * and this but commands, so its reply may be built where theirs are.
 */
ngx_http_im_cmd_t *ngx_http_im_mark(ngx_http_im_conn_t *conn);

/* is this the reply to the mark, so that what is held is what it seems? */
ngx_uint_t ngx_http_im_mark_proves(ngx_http_im_conn_t *conn,
    ngx_http_im_cmd_t *mark, ngx_http_im_reply_t *reply);


/* a command has got its reply or never will */
void ngx_http_im_redis_settle(ngx_http_im_cmd_t *cmd,
    ngx_http_im_cmd_e state);

/* back to the head of its lane */
void ngx_http_im_redis_requeue(ngx_http_im_redis_t *redis,
    ngx_http_im_cmd_t *cmd);

void ngx_http_im_redis_up(ngx_http_im_redis_t *redis);

/* no server: nothing may wait for it */
void ngx_http_im_redis_down(ngx_http_im_redis_t *redis);


/* so many commands more wait, after the lanes were changed */

static ngx_inline void
ngx_http_im_redis_wait(ngx_http_im_redis_t *redis, ngx_int_t n)
{
    ngx_http_im_stat_add(redis->count, NGX_HTTP_IM_STAT_WAITING, n);
    ngx_http_im_stat_set(redis->count, NGX_HTTP_IM_STAT_WAITING_BYTES,
                         redis->lanes.size);
}


#endif /* _NGX_HTTP_IM_CONN_H_INCLUDED_ */
