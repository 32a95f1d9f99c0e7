
#include "ngx_http_im_node.h"
#include "ngx_http_im_conns.h"
#include "ngx_http_im_probe.h"
#include "ngx_http_im_retry.h"
#include "ngx_http_im_settings.h"


/*
 * So many jobs go out in one write.  More would save system calls, but Redis
 * would be idle while this worker prepares them, and this worker while Redis
 * answers all of them.
 */
#define NGX_HTTP_IM_FLUSH_JOBS      12


static void ngx_http_im_node_reply(ngx_http_im_conn_t *conn,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_node_ready(ngx_http_im_conn_t *conn);
static void ngx_http_im_node_closed(ngx_http_im_conn_t *conn,
    ngx_http_im_conn_e was, ngx_err_t err, const char *reason);
static void ngx_http_im_node_settings_checked(ngx_http_im_conn_t *conn,
    ngx_http_im_setup_t *setup);
static void ngx_http_im_node_timer_handler(ngx_event_t *ev);
static void ngx_http_im_node_settings(ngx_http_im_conn_t *conn,
    ngx_http_im_setup_t *setup);
static void ngx_http_im_node_drain(ngx_http_im_node_t *node);
static void ngx_http_im_node_moved(void *data);
static void ngx_http_im_node_conn_timer(ngx_http_im_conn_t *conn);
static void ngx_http_im_node_probed(ngx_http_im_conn_t *conn,
    ngx_uint_t replica);
static void ngx_http_im_node_flush_handler(ngx_event_t *ev);
static void ngx_http_im_node_move(ngx_http_im_node_t *node);
static void ngx_http_im_node_flush(ngx_http_im_node_t *node,
    ngx_http_im_conn_t *conn);
static void ngx_http_im_node_set_up(ngx_http_im_conn_t *conn,
    ngx_http_im_setup_t *setup);


static const ngx_http_im_conn_handlers_t  ngx_http_im_node_handlers = {
    ngx_http_im_node_reply,
    ngx_http_im_node_ready,
    ngx_http_im_node_closed,
    ngx_http_im_node_conn_timer,
    NULL
};


ngx_int_t
ngx_http_im_node_init(ngx_http_im_node_t *node, ngx_pool_t *pool,
    const ngx_http_im_redis_conf_t *conf,
    const ngx_http_im_server_t *server, ngx_http_im_jobs_t *jobs,
    u_char *buf, size_t size)
{
    ngx_http_im_endpoint_t  *endpoint;

    node->pool = pool;
    node->conf = conf;
    node->jobs = jobs;

    node->connect_log = *jobs->log;
    node->connect_log.log_level = NGX_LOG_ALERT;

    node->flush.handler = ngx_http_im_node_flush_handler;
    node->flush.data = node;
    node->flush.log = jobs->log;

    ngx_http_im_sched_init(&node->sched, &node->flush, jobs->stat,
                           &jobs->waiting);

    ngx_http_im_conn_log_init(&node->log, jobs->log);

    node->timer.handler = ngx_http_im_node_timer_handler;
    node->timer.data = node;
    node->timer.log = jobs->log;
    node->timer.cancelable = 1;

    endpoint = &node->endpoint;
    endpoint->handlers = &ngx_http_im_node_handlers;
    endpoint->data = node;
    endpoint->store = (ngx_str_t *) &conf->name;
    endpoint->role = "";
    endpoint->connect_timeout = conf->connect_timeout;
    endpoint->tls = conf->tls.enable ? (ngx_http_im_tls_t *) &conf->tls : NULL;
    endpoint->buf = buf;
    endpoint->size = size;
    endpoint->pool = pool;
    endpoint->stat = jobs->stat;
    endpoint->log = jobs->log;
    endpoint->connect_log = &node->connect_log;

    ngx_http_im_addrs_init(&endpoint->addrs, conf, server,
                           ngx_http_im_node_moved, node, jobs->log);

    if (conf->master.len) {
        node->sentinel = ngx_http_im_sentinel_create(conf, jobs,
                                                     &endpoint->addrs, buf,
                                                     size);
        if (node->sentinel == NULL) {
            return NGX_ERROR;
        }
    }

    node->conns = ngx_http_im_conns_create(endpoint, conf->connections);

    return node->conns ? NGX_OK : NGX_ERROR;
}


void
ngx_http_im_node_connect(ngx_http_im_node_t *node)
{
    ngx_int_t  i;

    ngx_http_im_sentinel_connect(node->sentinel);
    ngx_http_im_addrs_start(&node->endpoint.addrs);

    for (i = 0; i < node->conf->connections; i++) {
        ngx_http_im_conn_connect(&node->conns[i]);
    }

    if (ngx_http_im_settings_required(&node->conf->settings)) {
        ngx_add_timer(&node->timer, NGX_HTTP_IM_NODE_SETTINGS);
    }
}


void
ngx_http_im_node_exit(ngx_http_im_node_t *node)
{
    ngx_int_t  i;

    ngx_http_im_sentinel_exit(node->sentinel);
    ngx_http_im_addrs_exit(&node->endpoint.addrs);

    for (i = 0; i < node->conf->connections; i++) {
        ngx_http_im_conn_exit(&node->conns[i]);
    }

    if (node->timer.timer_set) {
        ngx_del_timer(&node->timer);
    }

    if (node->flush.posted) {
        ngx_delete_posted_event(&node->flush);
    }

    ngx_http_im_sched_close(&node->sched);
    ngx_http_im_conn_log_close(&node->log);
}


/*
 * Those of its connections that serve commands read the replies in flight
 * first; the node is freed once all are closed.
 */

void
ngx_http_im_node_remove(ngx_http_im_node_t *node)
{
    node->removed = 1;

    ngx_http_im_addrs_exit(&node->endpoint.addrs);

    if (node->timer.timer_set) {
        ngx_del_timer(&node->timer);
    }

    ngx_http_im_conns_leave(node->conns, node->conf->connections);

    ngx_post_event(&node->flush, &ngx_posted_events);
}


ngx_uint_t
ngx_http_im_node_is_idle(ngx_http_im_node_t *node)
{
    return ngx_http_im_conns_closed(node->conns, node->conf->connections)
           && node->sched.in_flight == 0 && node->sched.size == 0
           && !node->flush.posted;
}


ngx_http_im_conn_t *
ngx_http_im_node_conn_idle(ngx_http_im_node_t *node)
{
    return ngx_http_im_conns_idle(node->conns, node->conf->connections);
}


ngx_uint_t
ngx_http_im_node_is_reachable(ngx_http_im_node_t *node)
{
    return ngx_http_im_conns_reachable(node->conns, node->conf->connections,
                                       node->down);
}


const char *
ngx_http_im_node_reason(ngx_http_im_node_t *node)
{
    return ngx_http_im_settings_reason(node->unmet);
}


void
ngx_http_im_node_push(ngx_http_im_node_t *node, ngx_http_im_cmd_t *cmd)
{
    cmd->state = NGX_HTTP_IM_CMD_WAITING;

    ngx_http_im_flow_push(&node->sched, cmd);
}


/* the twelfth job of a turn is not kept waiting for the others */

void
ngx_http_im_node_submitted(ngx_http_im_node_t *node)
{
    if (++node->unflushed < NGX_HTTP_IM_FLUSH_JOBS) {
        ngx_post_event(&node->flush, &ngx_posted_events);
        return;
    }

    ngx_http_im_node_flush_handler(&node->flush);
}


/* writes what waits: at the end of a turn, and within a busy one */

static void
ngx_http_im_node_flush_handler(ngx_event_t *ev)
{
    ngx_int_t            i, n;
    ngx_http_im_conn_t  *conn;
    ngx_http_im_node_t  *node;

    node = ev->data;
    node->unflushed = 0;
    n = node->conf->connections;

    if (node->removed) {
        ngx_http_im_node_move(node);
        return;
    }

    if (node->down && !ngx_http_im_node_is_reachable(node)) {
        ngx_http_im_retry_refuse(&node->sched, ngx_http_im_node_reason(node));
        return;
    }

    for (i = 0; i < n && ngx_http_im_sched_ready(&node->sched); i++) {
        conn = &node->conns[node->next++ % n];

        if (conn->state == NGX_HTTP_IM_CONN_READY) {
            ngx_http_im_node_flush(node, conn);

        } else if (conn->paced && conn->output.alone
                   && !ngx_http_im_retry_is_alone(
                                         ngx_http_im_sched_peek(&node->sched)))
        {
            ngx_http_im_conn_hurry(conn);
        }
    }
}


/* those that wait, as far as the window lets them, go to other nodes */

static void
ngx_http_im_node_move(ngx_http_im_node_t *node)
{
    ngx_http_im_cmd_t  *cmd;

    while ((cmd = ngx_http_im_sched_next(&node->sched)) != NULL) {
        ngx_http_im_flow_release(&node->sched, cmd);

        node->handlers->moved(node, cmd);
    }
}


/* as much as the connection takes */

static void
ngx_http_im_node_flush(ngx_http_im_node_t *node, ngx_http_im_conn_t *conn)
{
    ngx_uint_t          n, alone;
    ngx_http_im_cmd_t  *cmd;

    do {
        for (n = 0; /* void */ ; n++) {

            cmd = ngx_http_im_sched_peek(&node->sched);
            if (cmd == NULL) {
                break;
            }

            alone = ngx_http_im_retry_is_alone(cmd);

            if (!ngx_http_im_conn_has_room(conn, alone)) {
                break;
            }

            (void) ngx_http_im_sched_next(&node->sched);

            ngx_http_im_conn_push(conn, cmd, alone);
        }

        if (ngx_http_im_conn_flush(conn) != NGX_OK) {
            return;
        }

    } while (n);
}


/* the connection was established, or has room again */

static void
ngx_http_im_node_ready(ngx_http_im_conn_t *conn)
{
    ngx_http_im_node_t  *node;

    node = conn->endpoint->data;

    if (conn->state == NGX_HTTP_IM_CONN_SETUP) {

        if (ngx_http_im_setup_start(conn, node->conf, node->jobs,
                                    node->handlers
                                    && node->handlers->asks(node),
                                    ngx_http_im_node_set_up)
            != NGX_OK)
        {
            ngx_http_im_conn_close(conn, 0, "no memory");
        }

        return;
    }

    if (ngx_http_im_sched_ready(&node->sched)
        || !ngx_queue_empty(&conn->setup))
    {
        ngx_http_im_node_flush(node, conn);
    }
}


static void
ngx_http_im_node_reply(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_node_t         *node;
    ngx_http_im_redis_error_e   class;

    node = conn->endpoint->data;

    /* one that was redirected is in no order with the others of its job */

    cmd->generation = node->jobs->generation;
    cmd->conn = cmd->moved ? (void *) cmd : conn;

    if (node->handlers && cmd->reply.type == NGX_HTTP_IM_REPLY_ERROR
        && node->handlers->error(node, conn, cmd) == NGX_OK)
    {
        return;
    }

    class = ngx_http_im_retry_reply(&node->sched, cmd, node->jobs);

    if (class == NGX_HTTP_IM_REDIS_ERROR_CONN
        || class == NGX_HTTP_IM_REDIS_ERROR_REPLICA)
    {
        ngx_http_im_conn_drain(conn);
    }
}


static void
ngx_http_im_node_closed(ngx_http_im_conn_t *conn, ngx_http_im_conn_e was,
    ngx_err_t err, const char *reason)
{
    ngx_http_im_node_t  *node;

    node = conn->endpoint->data;
    node->jobs->generation = ngx_current_msec;

    if (!conn->exiting) {
        ngx_http_im_conn_log_closed(&node->log, conn, was,
                                    node->unmet || conn->next, err, reason);
    }

    ngx_http_im_retry_lost(&node->sched, &conn->output.sent, reason,
                           node->jobs->log);

    ngx_http_im_setup_abort(conn);

    ngx_http_im_sentinel_ask(node->sentinel);

    if ((was != NGX_HTTP_IM_CONN_READY || conn->failed || conn->exiting
         || node->unmet)
        && !conn->next)
    {
        node->down = 1;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, node->jobs->log, 0,
                   "im node:%p conn:%p closed, down:%ui next:%ui",
                   node, conn, (ngx_uint_t) node->down,
                   (ngx_uint_t) conn->next);

    if (node->removed) {
        conn->exiting = 1;
        ngx_post_event(&node->flush, &ngx_posted_events);
        return;
    }

    if (node->down && !ngx_http_im_node_is_reachable(node)) {
        ngx_http_im_retry_refuse(&node->sched,
                                 ngx_http_im_node_reason(node));
    }

    if (node->handlers && !conn->exiting) {
        node->handlers->lost(node, conn);
    }
}


/* the replies to the setup of a new connection */

static void
ngx_http_im_node_set_up(ngx_http_im_conn_t *conn, ngx_http_im_setup_t *setup)
{
    ngx_http_im_node_t  *node;

    node = conn->endpoint->data;

    if (node->handlers) {
        node->handlers->set_up(node, conn, setup->slots);

        if (node->removed) {
            return;
        }
    }

    if (setup->error) {
        ngx_http_im_log_copy(&conn->words, setup->error,
                             NGX_HTTP_IM_CONN_WORDS);
        ngx_http_im_conn_close(conn, 0, "it refuses the setup");
        return;
    }

    ngx_http_im_node_settings(conn, setup);

    if (node->unmet) {
        ngx_http_im_conn_close(conn, 0,
                               ngx_http_im_settings_reason(node->unmet));
        ngx_http_im_node_drain(node);
        return;
    }

    ngx_http_im_conn_log_ready(&node->log, conn);
    ngx_http_im_conn_set_ready(conn);

    node->down = 0;
    node->jobs->generation = ngx_current_msec;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, node->jobs->log, 0,
                   "im node:%p conn:%p up, generation:%M",
                   node, conn, node->jobs->generation);

    ngx_post_event(&node->flush, &ngx_posted_events);
}


static void
ngx_http_im_node_timer_handler(ngx_event_t *ev)
{
    ngx_int_t            i;
    ngx_http_im_conn_t  *conn;
    ngx_http_im_node_t  *node;

    node = ev->data;

    ngx_add_timer(ev, NGX_HTTP_IM_NODE_SETTINGS);

    for (i = 0; i < node->conf->connections; i++) {
        conn = &node->conns[i];

        if (conn->state == NGX_HTTP_IM_CONN_READY && conn->job == NULL
            && !conn->draining)
        {
            (void) ngx_http_im_setup_check(conn, node->conf, node->jobs,
                                    ngx_http_im_node_settings_checked);
        }
    }
}


static void
ngx_http_im_node_settings_checked(ngx_http_im_conn_t *conn,
    ngx_http_im_setup_t *setup)
{
    ngx_http_im_node_t  *node;

    node = conn->endpoint->data;

    ngx_http_im_node_settings(conn, setup);

    if (node->unmet) {
        ngx_http_im_node_drain(node);
    }
}


static void
ngx_http_im_node_settings(ngx_http_im_conn_t *conn,
    ngx_http_im_setup_t *setup)
{
    ngx_http_im_node_t  *node;

    node = conn->endpoint->data;

    ngx_http_im_settings_log(&node->conf->name, conn->open.peer.name,
                             setup->evicts && !node->evicts,
                             setup->unmet, node->unmet, setup->refused,
                             node->jobs->log);

    if (setup->limit && setup->limit != node->limit) {
        ngx_http_im_settings_log_limit(&node->conf->name,
                                       conn->open.peer.name, setup->limit,
                                       node->conf->reply_max,
                                       node->jobs->log);
    }

    node->limit = setup->limit;
    node->evicts = setup->evicts;
    node->unmet = setup->unmet;
}


/* all connections lead to the same server: none is used any more */

static void
ngx_http_im_node_drain(ngx_http_im_node_t *node)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, node->jobs->log, 0,
                   "im node:%p drain, unmet:%xi", node, node->unmet);

    ngx_http_im_conns_drain(node->conns, node->conf->connections);
}


/* the name of the server leads to another one, or to one at last */

static void
ngx_http_im_node_moved(void *data)
{
    ngx_http_im_node_t  *node = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, node->jobs->log, 0,
                   "im node:%p has another address, down:%ui",
                   node, (ngx_uint_t) node->down);

    ngx_http_im_conns_reopen(node->conns, node->conf->connections,
                             node->sentinel != NULL);
}


static void
ngx_http_im_node_conn_timer(ngx_http_im_conn_t *conn)
{
    ngx_http_im_node_t  *node;

    node = conn->endpoint->data;

    ngx_http_im_probe_timer(conn, node->jobs, node->conf->timeout,
                            ngx_http_im_node_probed);
}


/*
 * A server that has become a replica has not what others write now.  The
 * setup of the next connection tells that it must not be used.
 */

static void
ngx_http_im_node_probed(ngx_http_im_conn_t *conn, ngx_uint_t replica)
{
    ngx_http_im_node_t  *node;

    node = conn->endpoint->data;

    if (replica) {
        ngx_http_im_node_drain(node);

        if (node->handlers) {
            node->handlers->lost(node, conn);
        }
    }
}
