
#include "ngx_http_im_nodes.h"
#include "ngx_http_im_conns.h"


#define NGX_HTTP_IM_NODES_READ_BUFFER   65536
#define NGX_HTTP_IM_NODES_POOL          4096

/* the longest host, brackets, a port */
#define NGX_HTTP_IM_NODES_NAME          (255 + sizeof("[]:65535"))


static ngx_http_im_node_t *ngx_http_im_nodes_create(
    ngx_http_im_nodes_t *nodes, ngx_pool_t *pool,
    const ngx_http_im_server_t *server);
static ngx_http_im_server_t *ngx_http_im_nodes_server(
    ngx_http_im_nodes_t *nodes, ngx_pool_t *pool, ngx_str_t *name,
    ngx_str_t *host, in_port_t port);
static void ngx_http_im_nodes_delete(ngx_http_im_nodes_t *nodes,
    ngx_http_im_node_t *node);


ngx_int_t
ngx_http_im_nodes_init(ngx_http_im_nodes_t *nodes,
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_jobs_t *jobs,
    ngx_uint_t max, ngx_uint_t first)
{
    nodes->conf = conf;
    nodes->jobs = jobs;
    nodes->first = first;
    nodes->n = first;
    nodes->max = max + first;

    ngx_rbtree_init(&nodes->names, &nodes->sentinel,
                    ngx_str_rbtree_insert_value);

    nodes->size = NGX_HTTP_IM_NODES_READ_BUFFER;
    nodes->buf = ngx_palloc(ngx_cycle->pool, nodes->size);
    nodes->elts = ngx_pcalloc(ngx_cycle->pool, nodes->max * sizeof(void *));

    return (nodes->buf && nodes->elts) ? NGX_OK : NGX_ERROR;
}


ngx_http_im_node_t *
ngx_http_im_nodes_add(ngx_http_im_nodes_t *nodes,
    const ngx_http_im_server_t *server)
{
    ngx_pool_t          *pool;
    ngx_http_im_node_t  *node;

    pool = ngx_create_pool(NGX_HTTP_IM_NODES_POOL, nodes->jobs->log);

    node = pool ? ngx_http_im_nodes_create(nodes, pool, server) : NULL;

    if (node == NULL && pool) {
        ngx_destroy_pool(pool);
    }

    return node;
}


static ngx_http_im_node_t *
ngx_http_im_nodes_create(ngx_http_im_nodes_t *nodes, ngx_pool_t *pool,
    const ngx_http_im_server_t *server)
{
    ngx_uint_t           i;
    ngx_http_im_node_t  *node;

    for (i = nodes->first; i < nodes->max && nodes->elts[i]; i++) {
        /* void */
    }

    if (i == nodes->max) {
        return NULL;
    }

    node = ngx_pcalloc(pool, sizeof(ngx_http_im_node_t));

    if (node == NULL
        || ngx_http_im_node_init(node, pool, nodes->conf, server, nodes->jobs,
                                 nodes->buf, nodes->size)
           != NGX_OK)
    {
        return NULL;
    }

    node->handlers = nodes->handlers;
    node->data = nodes->data;
    node->index = i;

    nodes->elts[i] = node;
    nodes->n = ngx_max(nodes->n, i + 1);
    nodes->used++;

    node->name.str = server->text;
    node->name.node.key = ngx_crc32_short(server->text.data,
                                          server->text.len);
    ngx_rbtree_insert(&nodes->names, &node->name.node);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, nodes->jobs->log, 0,
                   "im node:%p add \"%V\" number:%ui",
                   node, &server->text, i);

    return node;
}


ngx_http_im_node_t *
ngx_http_im_nodes_get(ngx_http_im_nodes_t *nodes, ngx_str_t *host,
    in_port_t port)
{
    u_char                 text[NGX_HTTP_IM_NODES_NAME];
    ngx_str_t              name;
    ngx_pool_t            *pool;
    ngx_http_im_node_t    *node;
    ngx_http_im_server_t  *server;

    name.data = text;
    name.len = ngx_snprintf(text, sizeof(text),
                            ngx_strlchr(host->data, host->data + host->len,
                                        ':')
                            ? "[%V]:%ui" : "%V:%ui", host, (ngx_uint_t) port)
               - text;

    node = ngx_http_im_nodes_find(nodes, &name);

    if (node) {
        return node;
    }

    pool = ngx_create_pool(NGX_HTTP_IM_NODES_POOL, nodes->jobs->log);
    if (pool == NULL) {
        return NULL;
    }

    server = ngx_http_im_nodes_server(nodes, pool, &name, host, port);

    node = server ? ngx_http_im_nodes_create(nodes, pool, server) : NULL;

    if (node == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_http_im_node_connect(node);

    return node;
}


/* a name needs a resolver, which is asked when the node connects */

static ngx_http_im_server_t *
ngx_http_im_nodes_server(ngx_http_im_nodes_t *nodes, ngx_pool_t *pool,
    ngx_str_t *name, ngx_str_t *host, in_port_t port)
{
    ngx_int_t              rc;
    ngx_addr_t            *addr;
    ngx_http_im_server_t  *server;

    server = ngx_pcalloc(pool, sizeof(ngx_http_im_server_t));
    addr = ngx_pcalloc(pool, sizeof(ngx_addr_t));

    if (server == NULL || addr == NULL) {
        return NULL;
    }

    server->port = port;
    server->text.len = name->len;
    server->text.data = ngx_pstrdup(pool, name);

    if (server->text.data == NULL) {
        return NULL;
    }

    rc = ngx_parse_addr(pool, addr, host->data, host->len);

    if (rc == NGX_OK) {
        ngx_inet_set_port(addr->sockaddr, port);

        server->addrs = addr;
        server->naddrs = 1;

        return server;
    }

    if (rc != NGX_DECLINED || nodes->conf->resolver == NULL) {
        ngx_log_error(NGX_LOG_WARN, nodes->jobs->log, 0,
                      "im store \"%V\": a node has the name \"%V\", which "
                      "needs \"resolver\" at http level",
                      &nodes->conf->name, host);
        return NULL;
    }

    server->host.len = host->len;
    server->host.data = ngx_pstrdup(pool, host);

    return server->host.data ? server : NULL;
}


ngx_http_im_node_t *
ngx_http_im_nodes_find(ngx_http_im_nodes_t *nodes, ngx_str_t *name)
{
    return (ngx_http_im_node_t *)
               ngx_str_rbtree_lookup(&nodes->names, name,
                                     ngx_crc32_short(name->data, name->len));
}


ngx_uint_t
ngx_http_im_nodes_wanted(ngx_http_im_nodes_t *nodes)
{
    ngx_uint_t  i, n;

    for (n = 0, i = nodes->first; i < nodes->n; i++) {
        n += (nodes->elts[i] && nodes->elts[i]->wanted);
    }

    return n;
}


void
ngx_http_im_nodes_remove(ngx_http_im_nodes_t *nodes, ngx_http_im_node_t *node)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, nodes->jobs->log, 0,
                   "im node:%p remove \"%V\"", node, &node->name.str);

    ngx_rbtree_delete(&nodes->names, &node->name.node);

    nodes->removed++;

    ngx_http_im_node_remove(node);
}


void
ngx_http_im_nodes_sweep(ngx_http_im_nodes_t *nodes)
{
    ngx_uint_t           i;
    ngx_http_im_node_t  *node;

    for (i = nodes->first; nodes->removed && i < nodes->n; i++) {
        node = nodes->elts[i];

        if (node && node->removed && ngx_http_im_node_is_idle(node)) {
            nodes->removed--;

            ngx_http_im_callers_forget(&nodes->jobs->callers, &node->sched);
            ngx_http_im_nodes_delete(nodes, node);
        }
    }
}


static void
ngx_http_im_nodes_delete(ngx_http_im_nodes_t *nodes, ngx_http_im_node_t *node)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, nodes->jobs->log, 0,
                   "im node:%p free \"%V\"", node, &node->name.str);

    nodes->elts[node->index] = NULL;
    nodes->used--;

    while (nodes->n > nodes->first && nodes->elts[nodes->n - 1] == NULL) {
        nodes->n--;
    }

    ngx_http_im_node_exit(node);

    ngx_destroy_pool(node->pool);
}


void
ngx_http_im_nodes_exit(ngx_http_im_nodes_t *nodes)
{
    ngx_uint_t  i;

    for (i = nodes->first; i < nodes->n; i++) {
        if (nodes->elts[i]) {
            ngx_http_im_node_exit(nodes->elts[i]);
        }
    }
}


void
ngx_http_im_nodes_free(ngx_http_im_nodes_t *nodes)
{
    ngx_uint_t  i;

    for (i = nodes->first; i < nodes->n; i++) {
        if (nodes->elts[i]) {
            ngx_destroy_pool(nodes->elts[i]->pool);
        }
    }
}


void
ngx_http_im_nodes_read(ngx_http_im_nodes_t *nodes)
{
    ngx_uint_t  i;

    for (i = nodes->first; i < nodes->n; i++) {
        if (nodes->elts[i]) {
            ngx_http_im_conns_read(nodes->elts[i]->conns,
                                   nodes->conf->connections);
        }
    }
}


ngx_msec_t
ngx_http_im_nodes_check(ngx_http_im_nodes_t *nodes)
{
    ngx_uint_t  i;
    ngx_msec_t  left, next;

    next = NGX_TIMER_INFINITE;

    for (i = nodes->first; i < nodes->n; i++) {
        if (nodes->elts[i]) {
            left = ngx_http_im_conns_check(nodes->elts[i]->conns,
                                           nodes->conf->connections,
                                           nodes->conf->timeout);
            next = ngx_min(next, left);
        }
    }

    return next;
}
