
#include "ngx_http_im_slot_map.h"


/* ms between two requests for the map, at least, and without a reason */
#define NGX_HTTP_IM_SLOT_MAP_APART    1000
#define NGX_HTTP_IM_SLOT_MAP_EVERY    30000
#define NGX_HTTP_IM_SLOT_MAP_JITTER   200

#define NGX_HTTP_IM_SLOT_MAP_SWEEP    100

/* ms for which a node that is not in the map is kept after a redirection */
#define NGX_HTTP_IM_SLOT_MAP_KEEP     10000


/* in the pool of the job */

typedef struct {
    ngx_http_im_slot_map_t    *map;
    ngx_http_im_conn_t        *conn;
} ngx_http_im_slot_map_ctx_t;


static void ngx_http_im_slot_map_timer_handler(ngx_event_t *ev);
static ngx_http_im_conn_t *ngx_http_im_slot_map_conn(
    ngx_http_im_slot_map_t *map);
static ngx_int_t ngx_http_im_slot_map_fetch(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn);
static void ngx_http_im_slot_map_job_handler(ngx_http_im_job_t *job);
static void ngx_http_im_slot_map_seeds(ngx_http_im_slot_map_t *map);
static void ngx_http_im_slot_map_update(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_reply_t *reply);
static void ngx_http_im_slot_map_replace(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_reply_t *reply);
static void ngx_http_im_slot_map_clean(ngx_http_im_slot_map_t *map);
static void ngx_http_im_slot_map_sweep_handler(ngx_event_t *ev);
static ngx_http_im_node_t *ngx_http_im_slot_map_node_get(
    ngx_http_im_slot_map_t *map, ngx_http_im_conn_t *conn,
    ngx_http_im_slots_range_t *range);


void
ngx_http_im_slot_map_init(ngx_http_im_slot_map_t *map,
    ngx_http_im_nodes_t *nodes, ngx_http_im_slot_map_handler_pt handler,
    void *data)
{
    map->conf = nodes->conf;
    map->jobs = nodes->jobs;
    map->nodes = nodes;
    map->handler = handler;
    map->data = data;

    map->timer.handler = ngx_http_im_slot_map_timer_handler;
    map->timer.data = map;
    map->timer.log = map->jobs->log;
    map->timer.cancelable = 1;

    map->sweep.handler = ngx_http_im_slot_map_sweep_handler;
    map->sweep.data = map;
    map->sweep.log = map->jobs->log;
    map->sweep.cancelable = 1;
}


void
ngx_http_im_slot_map_start(ngx_http_im_slot_map_t *map)
{
    map->last = ngx_current_msec - NGX_HTTP_IM_SLOT_MAP_APART;

    ngx_http_im_slot_map_seeds(map);

    ngx_add_timer(&map->timer, NGX_HTTP_IM_SLOT_MAP_APART);
}


void
ngx_http_im_slot_map_exit(ngx_http_im_slot_map_t *map)
{
    if (map->timer.timer_set) {
        ngx_del_timer(&map->timer);
    }

    if (map->sweep.timer_set) {
        ngx_del_timer(&map->sweep);
    }
}


ngx_http_im_node_t *
ngx_http_im_slot_map_node(ngx_http_im_slot_map_t *map, const ngx_str_t *key)
{
    return map->nodes->elts[map->owner[ngx_http_im_key_slot(key)]];
}


ngx_http_im_node_t *
ngx_http_im_slot_map_redirect(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_slots_range_t *range,
    ngx_uint_t ask)
{
    ngx_http_im_node_t  *node;

    node = ngx_http_im_slot_map_node_get(map, conn, range);

    if (node == NULL) {
        return NULL;
    }

    node->used = ngx_current_msec;

    if (!ask) {
        map->owner[range->first] = (uint16_t) node->index;
        ngx_http_im_slot_map_refresh(map);
    }

    return node;
}


const char *
ngx_http_im_slot_map_reason(ngx_http_im_slot_map_t *map)
{
    ngx_uint_t            i;
    const char           *reason;
    ngx_http_im_node_t   *node;
    ngx_http_im_nodes_t  *nodes;

    if (map->known) {
        return NULL;
    }

    nodes = map->nodes;
    reason = "no connection";

    for (i = nodes->first; i < nodes->n; i++) {
        node = nodes->elts[i];

        if (node && !node->removed) {

            if (ngx_http_im_node_is_reachable(node)) {
                return NULL;
            }

            reason = ngx_http_im_node_reason(node);
        }
    }

    return reason;
}


/* the setup of a connection asks while no other one can be asked */

ngx_uint_t
ngx_http_im_slot_map_asks(ngx_http_im_slot_map_t *map)
{
    if (!map->known) {
        return 1;
    }

    if (!map->stale
        || ngx_current_msec - map->last < NGX_HTTP_IM_SLOT_MAP_APART)
    {
        return 0;
    }

    map->last = ngx_current_msec;

    return 1;
}


void
ngx_http_im_slot_map_set_up(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_reply_t *reply)
{
    if (reply) {
        ngx_http_im_slot_map_update(map, conn, reply);
    }
}


void
ngx_http_im_slot_map_lost(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn)
{
    if (conn == map->conn) {
        map->conn = NULL;
    }

    ngx_http_im_slot_map_refresh(map);
}


void
ngx_http_im_slot_map_refresh(ngx_http_im_slot_map_t *map)
{
    ngx_msec_int_t  ms;

    map->stale = 1;

    ms = map->last + NGX_HTTP_IM_SLOT_MAP_APART - ngx_current_msec;
    ms = ngx_max(ms, 0) + ngx_random() % NGX_HTTP_IM_SLOT_MAP_JITTER;

    if (map->timer.timer_set) {

        if ((ngx_msec_int_t) (map->timer.timer.key
                              - (ngx_current_msec + ms)) <= 0)
        {
            return;
        }

        ngx_del_timer(&map->timer);
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, map->jobs->log, 0,
                   "im slot map asks in %Mms", (ngx_msec_t) ms);

    ngx_add_timer(&map->timer, (ngx_msec_t) ms);
}


static void
ngx_http_im_slot_map_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t              ms;
    ngx_http_im_conn_t     *conn;
    ngx_http_im_slot_map_t  *map;

    map = ev->data;
    conn = ngx_http_im_slot_map_conn(map);

    ms = NGX_HTTP_IM_SLOT_MAP_APART;

    if (conn == NULL) {
        ngx_http_im_slot_map_seeds(map);

    } else if (ngx_http_im_slot_map_fetch(map, conn) == NGX_OK
               && !map->stale)
    {
        ms = NGX_HTTP_IM_SLOT_MAP_EVERY;
    }

    ngx_add_timer(ev, ms + ngx_random() % (ms / 5));
}


/* of a node at random, but not of that which has not yet answered */

static ngx_http_im_conn_t *
ngx_http_im_slot_map_conn(ngx_http_im_slot_map_t *map)
{
    ngx_uint_t            i, n, start;
    ngx_http_im_conn_t   *conn;
    ngx_http_im_node_t   *node;
    ngx_http_im_nodes_t  *nodes;

    nodes = map->nodes;
    n = nodes->n - nodes->first;
    start = n ? ngx_random() % n : 0;

    for (i = 0; i < n; i++) {
        node = nodes->elts[nodes->first + (start + i) % n];

        if (node && !node->removed) {
            conn = ngx_http_im_node_conn_idle(node);

            if (conn && conn != map->conn) {
                return conn;
            }
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_im_slot_map_fetch(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn)
{
    ngx_http_im_cmd_t           *cmd;
    ngx_http_im_job_t           *job;
    ngx_http_im_slot_map_ctx_t  *ctx;

    job = ngx_http_im_job_create(map->jobs);
    if (job == NULL) {
        return NGX_ERROR;
    }

    ctx = ngx_palloc(job->pool, sizeof(ngx_http_im_slot_map_ctx_t));
    cmd = ngx_http_im_cmd_add_slots(&job->pipeline);

    if (ctx == NULL || cmd == NULL) {
        ngx_http_im_job_free(job);
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, map->jobs->log, 0,
                   "im slot map asks conn:%p job:%p", conn, job);

    ngx_http_im_stat_inc(map->jobs->stat, NGX_HTTP_IM_STAT_REFRESHES);

    ctx->map = map;
    ctx->conn = conn;

    job->handler = ngx_http_im_slot_map_job_handler;
    job->data = ctx;
    job->outstanding = 1;

    cmd->job = job;
    conn->job = job;
    ngx_queue_insert_tail(&conn->setup, &cmd->queue);

    map->conn = conn;
    map->last = ngx_current_msec;

    (void) ngx_http_im_conn_flush(conn);

    return NGX_OK;
}


static void
ngx_http_im_slot_map_job_handler(ngx_http_im_job_t *job)
{
    ngx_http_im_conn_t          *conn;
    ngx_http_im_slot_map_t      *map;
    ngx_http_im_slot_map_ctx_t  *ctx;

    ctx = job->data;
    map = ctx->map;
    conn = ctx->conn;

    conn->job = NULL;

    if (map->conn == conn) {
        map->conn = NULL;
    }

    ngx_http_im_slot_map_update(map, conn, &job->pipeline.first->reply);

    ngx_http_im_job_free(job);
}


/* those that are known already open their connections again themselves */

static void
ngx_http_im_slot_map_seeds(ngx_http_im_slot_map_t *map)
{
    ngx_uint_t             i;
    ngx_http_im_node_t    *node;
    ngx_http_im_server_t  *server;

    server = map->conf->servers.elts;

    for (i = 0; i < map->conf->servers.nelts; i++) {

        if (ngx_http_im_nodes_find(map->nodes, &server[i].text)) {
            continue;
        }

        node = ngx_http_im_nodes_add(map->nodes, &server[i]);

        if (node) {
            ngx_http_im_node_connect(node);
        }
    }
}


/* a reply that tells something else than the one before replaces the map */

static void
ngx_http_im_slot_map_update(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_reply_t *reply)
{
    uint32_t                    crc;
    ngx_int_t                   rc;
    ngx_uint_t                  i, n;
    ngx_http_im_slots_range_t   range;

    ngx_crc32_init(crc);
    n = 0;

    for (i = 0; /* void */ ; i++) {
        rc = ngx_http_im_slots_range(reply, i, &range);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        n += range.last - range.first + 1;

        if (rc != NGX_OK || n > NGX_HTTP_IM_SLOTS) {
            n = 0;
            break;
        }

        ngx_crc32_update(&crc, (u_char *) &range.first,
                         2 * sizeof(ngx_uint_t));
        ngx_crc32_update(&crc, (u_char *) &range.port, sizeof(in_port_t));
        ngx_crc32_update(&crc, range.host.len ? range.host.data
                                              : conn->open.addr.name.data,
                         range.host.len ? range.host.len
                                        : conn->open.addr.name.len);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, map->jobs->log, 0,
                   "im slot map conn:%p ranges:%ui slots:%ui crc:%08xD",
                   conn, i, n, crc);

    if (n == 0) {
        return;
    }

    map->stale = 0;

    if (!map->known || crc != map->crc) {
        map->crc = crc;
        ngx_http_im_slot_map_replace(map, conn, reply);
    }

    if (map->timer.timer_set) {
        ngx_del_timer(&map->timer);
    }

    ngx_add_timer(&map->timer,
                  NGX_HTTP_IM_SLOT_MAP_EVERY
                  + ngx_random() % NGX_HTTP_IM_SLOT_MAP_APART);
}


static void
ngx_http_im_slot_map_replace(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_reply_t *reply)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, k, n, level;
    ngx_http_im_node_t         *node;
    ngx_http_im_nodes_t        *nodes;
    ngx_http_im_slots_range_t   range;

    nodes = map->nodes;

    for (i = nodes->first; i < nodes->n; i++) {
        if (nodes->elts[i]) {
            nodes->elts[i]->wanted = 0;
        }
    }

    ngx_memzero(map->owner, sizeof(map->owner));

    for (n = 0, i = 0; i < reply->nelts; i++) {
        rc = ngx_http_im_slots_range(reply, i, &range);

        node = (rc == NGX_OK) ? ngx_http_im_slot_map_node_get(map, conn,
                                                             &range)
                              : NULL;
        if (node == NULL) {
            continue;
        }

        node->wanted = 1;

        for (k = range.first; k <= range.last; k++) {
            map->owner[k] = (uint16_t) node->index;
        }

        n += range.last - range.first + 1;
    }

    level = (n < NGX_HTTP_IM_SLOTS) ? NGX_LOG_WARN : NGX_LOG_NOTICE;

    ngx_log_error(level, map->jobs->log, 0,
                  "im store \"%V\": %ui of its %ui slots are on %ui nodes, as "
                  "%V tells",
                  &map->conf->name, n, (ngx_uint_t) NGX_HTTP_IM_SLOTS,
                  ngx_http_im_nodes_wanted(nodes), conn->open.peer.name);

    map->known = 1;

    /* another server may lack what was written to the one before */

    map->jobs->generation = ngx_current_msec;

    ngx_http_im_slot_map_clean(map);
    map->handler(map->data);
}


static void
ngx_http_im_slot_map_clean(ngx_http_im_slot_map_t *map)
{
    ngx_uint_t            i;
    ngx_http_im_node_t   *node;
    ngx_http_im_nodes_t  *nodes;

    nodes = map->nodes;

    for (i = nodes->first; i < nodes->n; i++) {
        node = nodes->elts[i];

        if (node && !node->wanted && !node->removed
            && (node->used == 0 || ngx_current_msec - node->used
                                   > NGX_HTTP_IM_SLOT_MAP_KEEP))
        {
            ngx_http_im_nodes_remove(nodes, node);
        }
    }

    ngx_http_im_stat_set(map->jobs->stat, NGX_HTTP_IM_STAT_CONNECTIONS,
                         (nodes->used - nodes->removed)
                         * map->conf->connections);

    if (nodes->removed && !map->sweep.timer_set) {
        ngx_add_timer(&map->sweep, NGX_HTTP_IM_SLOT_MAP_SWEEP);
    }
}


static void
ngx_http_im_slot_map_sweep_handler(ngx_event_t *ev)
{
    ngx_http_im_slot_map_t  *map;

    map = ev->data;

    ngx_http_im_nodes_sweep(map->nodes);

    if (map->nodes->removed) {
        ngx_add_timer(ev, NGX_HTTP_IM_SLOT_MAP_SWEEP);
    }
}


/* at this address, made if it is new; NULL: there is none */

static ngx_http_im_node_t *
ngx_http_im_slot_map_node_get(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_slots_range_t *range)
{
    ngx_str_t            host;
    ngx_http_im_node_t  *node;
    u_char               addr[NGX_SOCKADDR_STRLEN];

    host = range->host;

    if (host.len == 0) {

        if (conn->open.addr.sockaddr.sockaddr.sa_family == AF_UNIX) {
            return NULL;
        }

        host.data = addr;
        host.len = ngx_sock_ntop(&conn->open.addr.sockaddr.sockaddr,
                                 conn->open.addr.socklen, addr,
                                 NGX_SOCKADDR_STRLEN, 0);
    }

    node = ngx_http_im_nodes_get(map->nodes, &host, range->port);

    if (node == NULL) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, map->jobs->log, 0,
                       "im slot map has no node for \"%V\" port:%ui",
                       &host, (ngx_uint_t) range->port);
    }

    return node;
}
