
#ifndef _NGX_HTTP_IM_SCHED_H_INCLUDED_
#define _NGX_HTTP_IM_SCHED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"


/*
 * What waits for a store, by caller.  Each caller has a lane, which it may by
 * chance share with others; within a lane commands keep their order.
 *
 * The store may owe no more than a window of replies: who comes last waits for
 * what others were sent, not for all they asked for.  While the window is full
 * lanes share it by bytes, commands and replies together (start-time fair
 * queueing): each command starts, in virtual time, where the one before it in
 * its lane ended, and the one that starts first is next.
 *
 * As nobody knows the size of a reply before it is there, a command is taken
 * to be owed the mean of what its lane had before; what that was wrong by is
 * made up for by the next one.
 */

#define NGX_HTTP_IM_LANES   1024


struct ngx_http_im_lane_s {
    ngx_rbtree_node_t      node;       /* key: where the next one starts */
    ngx_queue_t            waiting;    /* commands; if any, the node is in */
    ngx_uint_t             end;        /* of the last one */
    size_t                 size;       /* of the commands that wait */
    size_t                 mean;       /* of a reply */
    ngx_uint_t             jobs;       /* of its callers, under way */
};


typedef struct {
    ngx_rbtree_t           starts;     /* lanes in which commands wait */
    ngx_rbtree_node_t      sentinel;
    ngx_uint_t             now;        /* virtual time, in bytes */
    size_t                 size;
    size_t                 owed;       /* by the store, as expected */
    ngx_http_im_lane_t     lane[NGX_HTTP_IM_LANES];
} ngx_http_im_lanes_t;


void ngx_http_im_lanes_init(ngx_http_im_lanes_t *lanes);
ngx_http_im_lane_t *ngx_http_im_lanes_find(ngx_http_im_lanes_t *lanes,
    ngx_str_t *caller);

/* is there something that may be written? */
ngx_uint_t ngx_http_im_lanes_ready(ngx_http_im_lanes_t *lanes);

/* takes it, NULL if there is nothing; it is owed a reply from then on ... */
ngx_http_im_cmd_t *ngx_http_im_lanes_next(ngx_http_im_lanes_t *lanes);

/* ... until this: cmd->size tells what it got, 0 if that is not known */
void ngx_http_im_lane_settle(ngx_http_im_lanes_t *lanes,
    ngx_http_im_cmd_t *cmd);

/* to the end of cmd->lane, and back to its head */
void ngx_http_im_lane_push(ngx_http_im_lanes_t *lanes,
    ngx_http_im_cmd_t *cmd);
void ngx_http_im_lane_return(ngx_http_im_lanes_t *lanes,
    ngx_http_im_cmd_t *cmd);

/* it waits no more */
void ngx_http_im_lane_drop(ngx_http_im_lanes_t *lanes,
    ngx_http_im_cmd_t *cmd);


#endif /* _NGX_HTTP_IM_SCHED_H_INCLUDED_ */
