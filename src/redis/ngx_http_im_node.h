
#ifndef _NGX_HTTP_IM_NODE_H_INCLUDED_
#define _NGX_HTTP_IM_NODE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_conn.h"
#include "ngx_http_im_conn_log.h"
#include "ngx_http_im_job.h"
#include "ngx_http_im_sched.h"
#include "ngx_http_im_server.h"


/*
 * One server: its address, the connections to it, the commands that wait for
 * it, and what is known of it.  It lives in the cycle's pool.
 */

struct ngx_http_im_node_s {
    const ngx_http_im_redis_conf_t  *conf;
    ngx_http_im_jobs_t        *jobs;          /* of the store */
    ngx_http_im_endpoint_t     endpoint;
    ngx_http_im_conn_t        *conns;         /* conf->connections of them */
    ngx_uint_t                 next;          /* that is to write */

    ngx_http_im_sched_t        sched;
    ngx_event_t                flush;         /* posted: write what waits */
    ngx_event_t                timer;         /* cancelable: settings */
    ngx_uint_t                 unflushed;     /* jobs since the last flush */

    /* when a connection was last opened or closed: what the server held
       before may be lost since */
    ngx_msec_t                 generation;

    ngx_http_im_conn_log_t     log;
    ngx_log_t                  connect_log;   /* quiet: nginx would log
                                                 every attempt */
    size_t                     limit;         /* of replies, if too low */
    ngx_uint_t                 unmet;         /* required settings, bits */
    unsigned                   evicts:1;      /* it may evict keys */
    unsigned                   down:1;        /* the last attempt failed */
};


ngx_int_t ngx_http_im_node_init(ngx_http_im_node_t *node,
    const ngx_http_im_redis_conf_t *conf,
    const ngx_http_im_server_t *server, ngx_http_im_jobs_t *jobs,
    u_char *buf, size_t size);
void ngx_http_im_node_connect(ngx_http_im_node_t *node);
void ngx_http_im_node_exit(ngx_http_im_node_t *node);

/* may commands wait for it?  If not, why */
ngx_uint_t ngx_http_im_node_is_reachable(ngx_http_im_node_t *node);
const char *ngx_http_im_node_reason(ngx_http_im_node_t *node);

/* a command with its flow waits; a job has queued all of its commands */
void ngx_http_im_node_push(ngx_http_im_node_t *node, ngx_http_im_cmd_t *cmd);
void ngx_http_im_node_submitted(ngx_http_im_node_t *node);

/*
 * Gives up connections that have replies outstanding and received none for
 * the timeout; returns in how many ms the next one may be due, or
 * NGX_TIMER_INFINITE.
 */
ngx_msec_t ngx_http_im_node_check(ngx_http_im_node_t *node);

/* reads the replies that have arrived, told of or not */
void ngx_http_im_node_read(ngx_http_im_node_t *node);


#endif /* _NGX_HTTP_IM_NODE_H_INCLUDED_ */
