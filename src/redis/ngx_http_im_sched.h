
#ifndef _NGX_HTTP_IM_SCHED_H_INCLUDED_
#define _NGX_HTTP_IM_SCHED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_cmd.h"
#include "ngx_http_im_siphash.h"
#include "ngx_http_im_stat.h"


/*
 * Commands that are not yet written to a node, a flow for each caller; within
 * a flow commands keep their order.
 *
 * The node may have no more than a window of expected replies in flight:
 * whoever comes last waits for what others have sent, not for all they have
 * queued.  While the window is full, flows share it by bytes, commands and
 * replies together (start-time fair queueing): the start tag of a command, in
 * virtual time, is the finish tag of the one before it in its flow, and the
 * flow with the lowest start tag is next.
 *
 * The size of a reply is not known before it is there, so a command is
 * charged with the mean of the replies that its flow had before, or with the
 * largest of them where that was large, which is forgotten slowly; the
 * difference is corrected in the finish tag when the reply has come.  If Redis
 * took long for it, that counts as bytes, too: so one slow command at a time
 * is in flight.
 *
 * Redis holds what a connection has not yet read.  So of one flow there are
 * never more commands in flight than their replies could have a number of
 * bytes, whatever is expected.
 */

typedef struct ngx_http_im_caller_s  ngx_http_im_caller_t;


struct ngx_http_im_flow_s {
    ngx_rbtree_node_t        node;       /* key: start tag of its head */
    ngx_queue_t              waiting;    /* commands; if any, node is in,
                                            unless the flow is parked, or has
                                            too much in flight */
    ngx_queue_t              parked;
    ngx_uint_t               finish;     /* tag of the last one taken */
    ngx_uint_t               number;     /* of the last command pushed */
    size_t                   size;       /* of the commands that wait */
    size_t                   mean;       /* of a reply */
    size_t                   time;       /* of Redis, for a command */
    size_t                   most;       /* that replies in flight may have */
    ngx_msec_t               remembered; /* until then: it broke a conn */
    unsigned                 breaks:1;   /* remembered is set */
    unsigned                 is_parked:1;
    unsigned                 is_in:1;    /* node is */
    void                    *sched;
    ngx_http_im_flow_t      *next;       /* of the same caller */
};


typedef struct {
    ngx_rbtree_t             starts;     /* flows in which commands wait */
    ngx_rbtree_node_t        sentinel;
    ngx_uint_t               now;        /* virtual time, in bytes */
    size_t                   size;       /* of the commands that wait */
    size_t                  *total;      /* the same, of all nodes */
    size_t                   in_flight;  /* bytes, as charged */
    ngx_queue_t              parked;     /* flows, the first is due first */
    ngx_event_t              timer;      /* cancelable: it is due */
    ngx_event_t             *flush;      /* posted when one may be written */
    ngx_http_im_stat_t      *stat;
} ngx_http_im_sched_t;


/*
 * Callers of a worker, found by the SipHash of their id.  A caller lives as
 * long as it has a job; some of those that have none are kept, so that their
 * finish tags are not forgotten at once.
 */

struct ngx_http_im_caller_s {
    ngx_rbtree_node_t        node;       /* key: hash of the id */
    ngx_queue_t              idle;       /* while it has no job */
    ngx_uint_t               jobs;       /* in use */
    size_t                   held;       /* bytes of replies in them */
    ngx_http_im_flow_t      *flows;      /* one for each node it has used */
};


typedef struct {
    ngx_rbtree_t             callers;
    ngx_rbtree_node_t        sentinel;
    ngx_queue_t              idle;       /* the latest first */
    ngx_uint_t               nidle;
    ngx_http_im_siphash_key_t  key;
    ngx_log_t               *log;
} ngx_http_im_callers_t;


ngx_int_t ngx_http_im_callers_init(ngx_http_im_callers_t *callers,
    ngx_log_t *log);
void ngx_http_im_callers_free(ngx_http_im_callers_t *callers);

/* a job of this caller begins, ends; NULL when out of memory */
ngx_http_im_caller_t *ngx_http_im_caller_get(ngx_http_im_callers_t *callers,
    ngx_str_t *id);
void ngx_http_im_caller_release(ngx_http_im_callers_t *callers,
    ngx_http_im_caller_t *caller);

/* a node is gone: its flows, in which no command is, are freed */
void ngx_http_im_callers_forget(ngx_http_im_callers_t *callers,
    ngx_http_im_sched_t *sched);

/* bytes of commands that the caller has waiting, at all nodes */
size_t ngx_http_im_caller_size(ngx_http_im_caller_t *caller);


void ngx_http_im_sched_init(ngx_http_im_sched_t *sched, ngx_event_t *flush,
    ngx_http_im_stat_t *stat, size_t *total);
void ngx_http_im_sched_close(ngx_http_im_sched_t *sched);

/* the caller's flow at a node; NULL when out of memory */
ngx_http_im_flow_t *ngx_http_im_flow_get(ngx_http_im_callers_t *callers,
    ngx_http_im_caller_t *caller, ngx_http_im_sched_t *sched);

/* commands wait, and the window is not full */
ngx_uint_t ngx_http_im_sched_ready(ngx_http_im_sched_t *sched);

/* the next command, or NULL */
ngx_http_im_cmd_t *ngx_http_im_sched_peek(ngx_http_im_sched_t *sched);

/* takes the next command, which is in flight until it is released; or NULL */
ngx_http_im_cmd_t *ngx_http_im_sched_next(ngx_http_im_sched_t *sched);

/* its reply has come, of cmd->size, or (0) never will */
void ngx_http_im_flow_release(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd);

/* to the end of cmd->flow; back, to its place before those pushed later */
void ngx_http_im_flow_push(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd);
void ngx_http_im_flow_return(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd);

/*
 * A command of the flow has broken its connection.  The flow is parked: for a
 * moment nothing of it is written; and it is remembered for some seconds.
 */
void ngx_http_im_flow_remember(ngx_http_im_sched_t *sched,
    ngx_http_im_flow_t *flow);
ngx_uint_t ngx_http_im_flow_is_remembered(ngx_http_im_flow_t *flow);

/* takes a command out that is waiting */
void ngx_http_im_flow_drop(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd);


#endif /* _NGX_HTTP_IM_SCHED_H_INCLUDED_ */
