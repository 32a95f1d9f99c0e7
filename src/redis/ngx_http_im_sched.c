
#include "ngx_http_im_sched.h"


/* bytes of replies that a store may owe */
#define NGX_HTTP_IM_LANES_WINDOW   (512 * 1024)

/* what a command costs, in bytes, however small it and its reply are */
#define NGX_HTTP_IM_LANE_COMMAND   1024

/* a reply is a quarter of the mean */
#define NGX_HTTP_IM_LANE_WEIGHT    4


static void ngx_http_im_lane_insert(ngx_http_im_lanes_t *lanes,
    ngx_http_im_lane_t *lane);


void
ngx_http_im_lanes_init(ngx_http_im_lanes_t *lanes)
{
    ngx_uint_t  i;

    ngx_memzero(lanes, sizeof(ngx_http_im_lanes_t));

    /* keys are compared as times are: they may run over */

    ngx_rbtree_init(&lanes->starts, &lanes->sentinel,
                    ngx_rbtree_insert_timer_value);

    for (i = 0; i < NGX_HTTP_IM_LANES; i++) {
        ngx_queue_init(&lanes->lane[i].waiting);
    }
}


ngx_http_im_lane_t *
ngx_http_im_lanes_find(ngx_http_im_lanes_t *lanes, ngx_str_t *caller)
{
    return &lanes->lane[ngx_murmur_hash2(caller->data, caller->len)
                        % NGX_HTTP_IM_LANES];
}


ngx_uint_t
ngx_http_im_lanes_ready(ngx_http_im_lanes_t *lanes)
{
    return lanes->starts.root != &lanes->sentinel
           && lanes->owed < NGX_HTTP_IM_LANES_WINDOW;
}


ngx_http_im_cmd_t *
ngx_http_im_lanes_next(ngx_http_im_lanes_t *lanes)
{
    ngx_queue_t         *q;
    ngx_http_im_cmd_t   *cmd;
    ngx_rbtree_node_t   *node;
    ngx_http_im_lane_t  *lane;

    if (!ngx_http_im_lanes_ready(lanes)) {
        return NULL;
    }

    node = ngx_rbtree_min(lanes->starts.root, &lanes->sentinel);
    lane = (ngx_http_im_lane_t *)
               ((u_char *) node - offsetof(ngx_http_im_lane_t, node));

    q = ngx_queue_head(&lane->waiting);
    cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

    cmd->owed = NGX_HTTP_IM_LANE_COMMAND + cmd->resp.len + lane->mean;
    lanes->owed += cmd->owed;
    lanes->now = node->key;

    ngx_rbtree_delete(&lanes->starts, node);
    ngx_queue_remove(q);

    lane->end += cmd->owed;
    lane->size -= cmd->resp.len;
    lanes->size -= cmd->resp.len;

    if (!ngx_queue_empty(&lane->waiting)) {
        ngx_http_im_lane_insert(lanes, lane);
    }

    return cmd;
}


void
ngx_http_im_lane_settle(ngx_http_im_lanes_t *lanes, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_lane_t  *lane;

    lane = cmd->lane;

    if (cmd->size) {
        lane->end += NGX_HTTP_IM_LANE_COMMAND + cmd->resp.len + cmd->size
                     - cmd->owed;

        lane->mean -= lane->mean / NGX_HTTP_IM_LANE_WEIGHT;
        lane->mean += cmd->size / NGX_HTTP_IM_LANE_WEIGHT;
    }

    lanes->owed -= cmd->owed;
    cmd->owed = 0;
}


void
ngx_http_im_lane_push(ngx_http_im_lanes_t *lanes, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_lane_t  *lane;

    lane = cmd->lane;

    if (ngx_queue_empty(&lane->waiting)) {
        ngx_http_im_lane_insert(lanes, lane);
    }

    ngx_queue_insert_tail(&lane->waiting, &cmd->queue);

    lane->size += cmd->resp.len;
    lanes->size += cmd->resp.len;
}


void
ngx_http_im_lane_return(ngx_http_im_lanes_t *lanes, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_lane_t  *lane;

    lane = cmd->lane;

    if (ngx_queue_empty(&lane->waiting)) {
        ngx_http_im_lane_insert(lanes, lane);
    }

    ngx_queue_insert_head(&lane->waiting, &cmd->queue);

    lane->size += cmd->resp.len;
    lanes->size += cmd->resp.len;
}


void
ngx_http_im_lane_drop(ngx_http_im_lanes_t *lanes, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_lane_t  *lane;

    lane = cmd->lane;

    ngx_queue_remove(&cmd->queue);

    lane->size -= cmd->resp.len;
    lanes->size -= cmd->resp.len;

    if (ngx_queue_empty(&lane->waiting)) {
        ngx_rbtree_delete(&lanes->starts, &lane->node);
    }
}


/* one that had nothing to ask for a while gains nothing by that */

static void
ngx_http_im_lane_insert(ngx_http_im_lanes_t *lanes, ngx_http_im_lane_t *lane)
{
    if ((ngx_int_t) (lane->end - lanes->now) < 0) {
        lane->end = lanes->now;
    }

    lane->node.key = lane->end;

    ngx_rbtree_insert(&lanes->starts, &lane->node);
}
