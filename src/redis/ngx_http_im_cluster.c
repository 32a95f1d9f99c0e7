
#include "ngx_http_im_cluster.h"
#include "ngx_http_im_redirect.h"
#include "ngx_http_im_redis_error.h"


#define NGX_HTTP_IM_CLUSTER_REDIRECTS   5


static ngx_int_t ngx_http_im_cluster_error(ngx_http_im_node_t *node,
    ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd);
static ngx_int_t ngx_http_im_cluster_redirect(ngx_http_im_node_t *node,
    ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd,
    ngx_http_im_redis_error_e class);
static ngx_int_t ngx_http_im_cluster_again(ngx_http_im_node_t *node,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_cluster_take(ngx_http_im_node_t *node,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_cluster_send(ngx_http_im_cluster_t *cluster,
    ngx_http_im_cmd_t *cmd, ngx_http_im_node_t *node);
static void ngx_http_im_cluster_resend(void *data, ngx_http_im_cmd_t *cmd);
static void ngx_http_im_cluster_moved(ngx_http_im_node_t *node,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_cluster_refuse(ngx_http_im_cmd_t *cmd,
    const char *reason);
static ngx_uint_t ngx_http_im_cluster_asks(ngx_http_im_node_t *node);
static void ngx_http_im_cluster_set_up(ngx_http_im_node_t *node,
    ngx_http_im_conn_t *conn, ngx_http_im_reply_t *slots);
static void ngx_http_im_cluster_lost(ngx_http_im_node_t *node,
    ngx_http_im_conn_t *conn);
static void ngx_http_im_cluster_changed(void *data);


static const ngx_http_im_node_handlers_t  ngx_http_im_cluster_handlers = {
    ngx_http_im_cluster_error,
    ngx_http_im_cluster_asks,
    ngx_http_im_cluster_set_up,
    ngx_http_im_cluster_lost,
    ngx_http_im_cluster_moved
};


ngx_http_im_cluster_t *
ngx_http_im_cluster_create(ngx_http_im_nodes_t *nodes)
{
    ngx_http_im_cluster_t  *cluster;

    cluster = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_im_cluster_t));
    if (cluster == NULL) {
        return NULL;
    }

    cluster->jobs = nodes->jobs;

    nodes->handlers = &ngx_http_im_cluster_handlers;
    nodes->data = cluster;

    ngx_http_im_slot_map_init(&cluster->map, nodes,
                              ngx_http_im_cluster_changed, cluster);

    /* the rest of what may be pending is left to commands with a node */

    ngx_http_im_delay_init(&cluster->delay, &cluster->jobs->delayed,
                           (nodes->conf->max_pending + 3) / 4,
                           ngx_http_im_cluster_resend, cluster,
                           nodes->jobs->log);

    return cluster;
}


void
ngx_http_im_cluster_start(ngx_http_im_cluster_t *cluster)
{
    ngx_http_im_slot_map_start(&cluster->map);
}


void
ngx_http_im_cluster_exit(ngx_http_im_cluster_t *cluster)
{
    ngx_http_im_slot_map_exit(&cluster->map);
    ngx_http_im_delay_exit(&cluster->delay);
}


ngx_http_im_node_t *
ngx_http_im_cluster_node(ngx_http_im_cluster_t *cluster,
    ngx_http_im_cmd_t *cmd)
{
    return ngx_http_im_slot_map_node(&cluster->map, &cmd->key);
}


/* a slot without a node may get one, as that of a failed node does */

const char *
ngx_http_im_cluster_reason(ngx_http_im_cluster_t *cluster)
{
    if (cluster->jobs->delayed >= cluster->delay.max) {
        return "too many commands wait for their slots";
    }

    return ngx_http_im_slot_map_reason(&cluster->map);
}


void
ngx_http_im_cluster_wait(ngx_http_im_cluster_t *cluster,
    ngx_http_im_cmd_t *cmd)
{
    if (ngx_http_im_delay_add(&cluster->delay, cmd) != NGX_OK) {
        ngx_http_im_cluster_refuse(cmd,
                                   "too many commands wait for their slots");
        return;
    }

    ngx_http_im_slot_map_refresh(&cluster->map);
}


/* no node has executed the command: another one is to, or this one later */

static ngx_int_t
ngx_http_im_cluster_error(ngx_http_im_node_t *node, ngx_http_im_conn_t *conn,
    ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_redis_error_e  class;

    if (cmd->kind == NGX_HTTP_IM_SETUP || ngx_http_im_cmd_pool(cmd) == NULL) {
        return NGX_DECLINED;
    }

    class = ngx_http_im_redis_error_class(&cmd->reply.str);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, node->jobs->log, 0,
                   "im cmd:%p node:%p error class:%d \"%V\"",
                   cmd, node, class, &cmd->reply.str);

    switch (class) {

    case NGX_HTTP_IM_REDIS_ERROR_MOVED:
    case NGX_HTTP_IM_REDIS_ERROR_ASK:
        return ngx_http_im_cluster_redirect(node, conn, cmd, class);

    case NGX_HTTP_IM_REDIS_ERROR_AGAIN:
        return ngx_http_im_cluster_again(node, cmd);

    case NGX_HTTP_IM_REDIS_ERROR_REPLICA:
        ngx_http_im_conn_drain(conn);
        ngx_http_im_cluster_take(node, cmd);
        ngx_http_im_cluster_wait(node->data, cmd);
        return NGX_OK;

    case NGX_HTTP_IM_REDIS_ERROR_NOSCRIPT:
        ngx_http_im_redirect_undo(cmd);
        return NGX_DECLINED;

    default:
        return NGX_DECLINED;
    }
}


static ngx_int_t
ngx_http_im_cluster_redirect(ngx_http_im_node_t *node,
    ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd,
    ngx_http_im_redis_error_e class)
{
    ngx_uint_t                  ask;
    ngx_http_im_node_t         *target;
    ngx_http_im_cluster_t      *cluster;
    ngx_http_im_slots_range_t   range;

    cluster = node->data;
    ask = (class == NGX_HTTP_IM_REDIS_ERROR_ASK);

    ngx_http_im_stat_inc(cluster->jobs->stat,
                         ask ? NGX_HTTP_IM_STAT_ASK : NGX_HTTP_IM_STAT_MOVED);

    if (cmd->redirects >= NGX_HTTP_IM_CLUSTER_REDIRECTS
        || ngx_http_im_slots_redirect(&cmd->reply.str, &range) != NGX_OK
        || range.first != ngx_http_im_key_slot(&cmd->key))
    {
        return NGX_DECLINED;
    }

    target = ngx_http_im_slot_map_redirect(&cluster->map, conn, &range, ask);

    if (target == NULL) {
        return NGX_DECLINED;
    }

    cmd->redirects++;

    ngx_http_im_cluster_take(node, cmd);

    if (ask && ngx_http_im_redirect_ask(cmd, cmd->job->pool) != NGX_OK) {
        ngx_http_im_cluster_refuse(cmd, "no memory");
        return NGX_OK;
    }

    ngx_http_im_cluster_send(cluster, cmd, target);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_cluster_again(ngx_http_im_node_t *node, ngx_http_im_cmd_t *cmd)
{
    ngx_uint_t              asking;
    ngx_http_im_cluster_t  *cluster;

    cluster = node->data;
    asking = cmd->asking;

    ngx_http_im_stat_inc(cluster->jobs->stat, NGX_HTTP_IM_STAT_AGAIN);

    if (asking && ngx_strncmp(cmd->reply.str.data, "TRYAGAIN", 8) == 0
        && ngx_http_im_redirect_one_key(cmd, cmd->job->pool) == NGX_OK
        && ngx_http_im_redirect_ask(cmd, cmd->job->pool) == NGX_OK)
    {
        ngx_http_im_flow_release(&node->sched, cmd);
        cmd->replied = 0;

        ngx_http_im_cluster_send(cluster, cmd, node);
        return NGX_OK;
    }

    ngx_http_im_cluster_take(node, cmd);
    ngx_http_im_cluster_wait(cluster, cmd);

    return NGX_OK;
}


/* from a node that has refused it */

static void
ngx_http_im_cluster_take(ngx_http_im_node_t *node, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_flow_release(&node->sched, cmd);
    ngx_http_im_redirect_undo(cmd);

    cmd->replied = 0;
    cmd->moved = 1;
}


static void
ngx_http_im_cluster_send(ngx_http_im_cluster_t *cluster,
    ngx_http_im_cmd_t *cmd, ngx_http_im_node_t *node)
{
    if (!ngx_http_im_node_is_reachable(node)) {
        ngx_http_im_redirect_undo(cmd);
        ngx_http_im_cluster_wait(cluster, cmd);
        return;
    }

    cmd->flow = ngx_http_im_flow_get(&cluster->jobs->callers,
                                     cmd->job->caller, &node->sched);
    if (cmd->flow == NULL) {
        ngx_http_im_cluster_refuse(cmd, "no memory");
        return;
    }

    cmd->node = node;
    cmd->size = 0;
    cmd->reply.type = NGX_HTTP_IM_REPLY_NIL;

    ngx_http_im_node_push(node, cmd);

    ngx_post_event(&node->flush, &ngx_posted_events);
}


/* it has waited */

static void
ngx_http_im_cluster_resend(void *data, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_cluster_t *cluster = data;

    const char          *reason;
    ngx_http_im_node_t  *node;

    node = ngx_http_im_cluster_node(cluster, cmd);

    if (node) {
        cmd->redirects = 0;
        ngx_http_im_cluster_send(cluster, cmd, node);
        return;
    }

    reason = ngx_http_im_cluster_reason(cluster);

    if (reason) {
        ngx_http_im_cluster_refuse(cmd, reason);
        return;
    }

    ngx_http_im_cluster_wait(cluster, cmd);
}


/* it has waited at a node that is not a part of the cluster any more */

static void
ngx_http_im_cluster_moved(ngx_http_im_node_t *node, ngx_http_im_cmd_t *cmd)
{
    cmd->moved = 1;

    ngx_http_im_redirect_undo(cmd);
    ngx_http_im_cluster_resend(node->data, cmd);
}


static void
ngx_http_im_cluster_refuse(ngx_http_im_cmd_t *cmd, const char *reason)
{
    cmd->job->reason = reason;

    ngx_http_im_cmd_complete(cmd, NGX_HTTP_IM_CMD_REFUSED);
}


static ngx_uint_t
ngx_http_im_cluster_asks(ngx_http_im_node_t *node)
{
    ngx_http_im_cluster_t  *cluster;

    cluster = node->data;

    return ngx_http_im_slot_map_asks(&cluster->map);
}


static void
ngx_http_im_cluster_set_up(ngx_http_im_node_t *node, ngx_http_im_conn_t *conn,
    ngx_http_im_reply_t *slots)
{
    ngx_http_im_cluster_t  *cluster;

    cluster = node->data;

    ngx_http_im_slot_map_set_up(&cluster->map, conn, slots);
}


static void
ngx_http_im_cluster_lost(ngx_http_im_node_t *node, ngx_http_im_conn_t *conn)
{
    ngx_http_im_cluster_t  *cluster;

    cluster = node->data;

    ngx_http_im_slot_map_lost(&cluster->map, conn);
}


static void
ngx_http_im_cluster_changed(void *data)
{
    ngx_http_im_cluster_t  *cluster = data;

    ngx_http_im_delay_wake(&cluster->delay);
}
