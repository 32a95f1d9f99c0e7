
#ifndef _NGX_HTTP_IM_NODE_H_INCLUDED_
#define _NGX_HTTP_IM_NODE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_conn.h"
#include "ngx_http_im_conn_log.h"
#include "ngx_http_im_job.h"
#include "ngx_http_im_sched.h"
#include "ngx_http_im_sentinel.h"
#include "ngx_http_im_server.h"
#include "ngx_http_im_setup.h"


#define NGX_HTTP_IM_NODE_SETTINGS   5000     /* ms between two checks */


/* by which a node of a cluster tells what happened; no other node has them */

typedef struct {

    /* an error reply; NGX_OK: the command is taken over, NGX_DECLINED */
    ngx_int_t (*error)(ngx_http_im_node_t *node, ngx_http_im_conn_t *conn,
        ngx_http_im_cmd_t *cmd);

    /* is the setup of a new connection to ask for the slots? */
    ngx_uint_t (*asks)(ngx_http_im_node_t *node);

    /* a setup is over: the slots, if they were asked for */
    void (*set_up)(ngx_http_im_node_t *node, ngx_http_im_conn_t *conn,
        ngx_http_im_reply_t *slots);

    /* a connection is lost or was not established, or leads to a replica */
    void (*lost)(ngx_http_im_node_t *node, ngx_http_im_conn_t *conn);

    /* of a node that is removed: a command that has waited in its flow */
    void (*moved)(ngx_http_im_node_t *node, ngx_http_im_cmd_t *cmd);

} ngx_http_im_node_handlers_t;


/*
 * One server: its address, the connections to it, the commands that wait for
 * it, and what is known of it.  It lives in a pool of its own.
 */

struct ngx_http_im_node_s {
    ngx_str_node_t             name;          /* host:port; the first member,
                                                 for ngx_str_rbtree_lookup() */
    ngx_pool_t                *pool;
    const ngx_http_im_node_handlers_t  *handlers;   /* or NULL */
    void                      *data;
    ngx_uint_t                 index;         /* its number in the store */
    ngx_msec_t                 used;          /* a redirection led to it */
    const ngx_http_im_redis_conf_t  *conf;
    ngx_http_im_jobs_t        *jobs;          /* of the store */
    ngx_http_im_endpoint_t     endpoint;
    ngx_http_im_sentinel_t    *sentinel;      /* NULL: not used */
    ngx_http_im_conn_t        *conns;         /* conf->connections of them */
    ngx_uint_t                 next;          /* that is to write */

    ngx_http_im_sched_t        sched;
    ngx_event_t                flush;         /* posted: write what waits */
    ngx_event_t                timer;         /* cancelable: settings */
    ngx_uint_t                 unflushed;     /* jobs since the last flush */

    ngx_http_im_conn_log_t     log;
    ngx_log_t                  connect_log;   /* quiet: nginx would log
                                                 every attempt */
    size_t                     limit;         /* of replies, if too low */
    ngx_uint_t                 unmet;         /* required settings, bits */
    unsigned                   evicts:1;      /* it may evict keys */
    unsigned                   down:1;        /* the last attempt failed */
    unsigned                   removed:1;     /* it is to be freed */
    unsigned                   wanted:1;      /* it is in the slot map */
};


/* for a struct that is zero, in the pool */
ngx_int_t ngx_http_im_node_init(ngx_http_im_node_t *node, ngx_pool_t *pool,
    const ngx_http_im_redis_conf_t *conf,
    const ngx_http_im_server_t *server, ngx_http_im_jobs_t *jobs,
    u_char *buf, size_t size);
void ngx_http_im_node_connect(ngx_http_im_node_t *node);

/* no new commands; is nothing left of the others and of its connections? */
void ngx_http_im_node_remove(ngx_http_im_node_t *node);
ngx_uint_t ngx_http_im_node_is_idle(ngx_http_im_node_t *node);

void ngx_http_im_node_exit(ngx_http_im_node_t *node);

/* may commands wait for it?  If not, why */
ngx_uint_t ngx_http_im_node_is_reachable(ngx_http_im_node_t *node);
const char *ngx_http_im_node_reason(ngx_http_im_node_t *node);

/* one that may be asked for something else than calls need, or NULL */
ngx_http_im_conn_t *ngx_http_im_node_conn_idle(ngx_http_im_node_t *node);

/* a command with its flow waits; a job has queued all of its commands */
void ngx_http_im_node_push(ngx_http_im_node_t *node, ngx_http_im_cmd_t *cmd);
void ngx_http_im_node_submitted(ngx_http_im_node_t *node);


#endif /* _NGX_HTTP_IM_NODE_H_INCLUDED_ */
