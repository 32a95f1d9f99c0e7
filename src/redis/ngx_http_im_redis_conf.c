
#include "ngx_http_im_redis_conf.h"
#include "ngx_http_im_reply.h"
#include "ngx_http_im_server.h"


/* of a stored text, what is not the text, and more */
#define NGX_HTTP_IM_REDIS_CONF_ROW  1024


static ngx_int_t ngx_http_im_redis_conf_check_servers(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store);
static ngx_int_t ngx_http_im_redis_conf_sentinel(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store);


ngx_http_im_redis_conf_t *
ngx_http_im_redis_conf_create(ngx_conf_t *cf, ngx_array_t *stores,
    ngx_str_t *name)
{
    ngx_http_im_redis_conf_t  *store, **new;

    store = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_redis_conf_t));
    new = ngx_array_push(stores);

    if (store == NULL || new == NULL
        || ngx_array_init(&store->servers, cf->pool, 1,
                          sizeof(ngx_http_im_server_t))
           != NGX_OK
        || ngx_array_init(&store->prefixes, cf->pool, 1, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    *new = store;

    store->name = *name;
    store->cluster = NGX_CONF_UNSET;
    store->database = NGX_CONF_UNSET;
    store->connections = NGX_CONF_UNSET;
    store->max_pending = NGX_CONF_UNSET;
    store->connect_timeout = NGX_CONF_UNSET_MSEC;
    store->timeout = NGX_CONF_UNSET_MSEC;

    ngx_http_im_tls_create(&store->tls);

    return store;
}


char *
ngx_http_im_redis_conf_complete(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store)
{
    ngx_uint_t             i;
    ngx_array_t           *servers;
    ngx_http_im_server_t  *server;

    if (ngx_http_im_redis_conf_check_servers(cf, store) != NGX_OK
        || ngx_http_im_auth_complete(cf, &store->auth, "", &store->name)
           != NGX_OK
        || ngx_http_im_auth_complete(cf, &store->sentinel_auth, "sentinel_",
                                     &store->name)
           != NGX_OK
        || ngx_http_im_tls_complete(cf, &store->tls, &store->name) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(store->cluster, 0);
    ngx_conf_init_value(store->database, 0);

    if (store->cluster && store->database) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"database\" in im_redis \"%V\": a cluster has "
                           "only database 0; remove it", &store->name);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(store->connections, 1);
    ngx_conf_init_value(store->max_pending, 16384);
    ngx_conf_init_msec_value(store->connect_timeout, 1000);
    ngx_conf_init_msec_value(store->timeout, 2000);

    servers = store->master.len ? &store->sentinels : &store->servers;
    server = servers->elts;

    store->scope = store->database
                   + ngx_murmur_hash2(store->master.data, store->master.len);

    for (i = 0; i < servers->nelts; i++) {
        store->scope = store->scope * 31
                       + ngx_murmur_hash2(server[i].text.data,
                                          server[i].text.len);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im redis \"%V\" servers:%ui connections:%i timeout:%M",
                   &store->name, servers->nelts, store->connections,
                   store->timeout);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_im_redis_conf_check_servers(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store)
{
    ngx_http_im_server_t  *server;

    server = store->servers.elts;

    if (store->servers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"server\" in im_redis \"%V\"; add "
                           "\"server host:port;\" or \"server unix:/path;\"",
                           &store->name);
        return NGX_ERROR;
    }

    if (store->master.len) {
        return ngx_http_im_redis_conf_sentinel(cf, store);
    }

    if (store->sentinel_auth.username.len || store->sentinel_auth.password.len
        || store->sentinel_auth.file.len)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "credentials of Sentinels without \"sentinel\" in "
                           "im_redis \"%V\"; add \"sentinel MASTER\"",
                           &store->name);
        return NGX_ERROR;
    }

    if (store->tls.enable == 1 && server->naddrs
        && server->addrs->sockaddr->sa_family == AF_UNIX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ssl on\" and a unix socket in im_redis \"%V\": "
                           "Redis has TLS on TCP ports only", &store->name);
        return NGX_ERROR;
    }

    if (store->servers.nelts > 1 && store->cluster != 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "a second \"server\" in im_redis \"%V\": these would "
                      "be two stores with different data; remove one, in "
                      "%s:%ui",
                      &store->name, server[1].file, server[1].line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the servers are Sentinels; the server is where they say */

static ngx_int_t
ngx_http_im_redis_conf_sentinel(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store)
{
    ngx_http_im_server_t  *server;

    if (store->cluster == 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "both \"sentinel\" and \"cluster on\" in im_redis "
                           "\"%V\"; remove one: a cluster has no Sentinels",
                           &store->name);
        return NGX_ERROR;
    }

    store->sentinels = store->servers;

    if (ngx_array_init(&store->servers, cf->pool, 1,
                       sizeof(ngx_http_im_server_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    server = ngx_array_push(&store->servers);
    if (server == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_im_server_t));

    server->text = store->master;

    return NGX_OK;
}


char *
ngx_http_im_redis_conf_prefix(ngx_array_t *stores, ngx_str_t *name,
    ngx_str_t *prefix, size_t reply)
{
    ngx_str_t                 *known;
    ngx_uint_t                 i;
    ngx_http_im_redis_conf_t  *store;

    store = ngx_http_im_redis_conf_find(stores, name);

    if (store == NULL) {
        return NGX_CONF_OK;
    }

    store->reply_max = ngx_max(store->reply_max, reply);
    known = store->prefixes.elts;

    for (i = 0; i < store->prefixes.nelts; i++) {
        if (known[i].len == prefix->len
            && ngx_strncmp(known[i].data, prefix->data, prefix->len) == 0)
        {
            return NGX_CONF_OK;
        }
    }

    known = ngx_array_push(&store->prefixes);
    if (known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = *prefix;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_im_redis_conf_resolver(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store, ngx_resolver_t *resolver,
    ngx_msec_t timeout)
{
    /* nginx makes one without name servers, where none is configured */

    if (resolver == NULL || resolver->connections.nelts == 0) {
        return ngx_http_im_server_check(cf, store->master.len
                                            ? &store->sentinels
                                            : &store->servers);
    }

    store->resolver = resolver;
    store->resolver_timeout = (timeout == NGX_CONF_UNSET_MSEC) ? 30000
                                                               : timeout;
    return NGX_OK;
}


ngx_http_im_redis_conf_t *
ngx_http_im_redis_conf_pass(ngx_conf_t *cf, ngx_array_t *stores,
    ngx_str_t *value)
{
    ngx_http_im_redis_conf_t  *store;

    store = ngx_http_im_redis_conf_find(stores, value);

    if (store) {
        return store;
    }

    store = ngx_http_im_redis_conf_create(cf, stores, value);

    if (store == NULL
        || ngx_http_im_server_add(cf, &store->servers, value) != NGX_OK
        || ngx_http_im_redis_conf_complete(cf, store) != NGX_CONF_OK)
    {
        return NULL;
    }

    return store;
}


ngx_http_im_redis_conf_t *
ngx_http_im_redis_conf_find(ngx_array_t *stores, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_im_redis_conf_t  **store;

    store = stores->elts;

    for (i = 0; i < stores->nelts; i++) {
        if (store[i]->name.len == name->len
            && ngx_strncmp(store[i]->name.data, name->data, name->len) == 0)
        {
            return store[i];
        }
    }

    return NULL;
}


/* a text is stored as JSON has it, where a byte may take six */

ngx_int_t
ngx_http_im_redis_conf_fits(ngx_conf_t *cf, ngx_uint_t page, size_t text,
    ngx_uint_t list, ngx_uint_t members)
{
    size_t       row;
    const char  *name;

    row = 6 * ngx_min(text, NGX_HTTP_IM_REPLY_MAX_BULK)
          + NGX_HTTP_IM_REDIS_CONF_ROW;

    name = (row > NGX_HTTP_IM_REPLY_MAX_BULK) ? "im_max_message_size"
           : (page > NGX_HTTP_IM_REPLY_MAX_SIZE / row) ? "im_page_size_max"
           : (list > NGX_HTTP_IM_REPLY_MAX_ELTS / 2) ? "im_list_max"
           : (members > NGX_HTTP_IM_REPLY_MAX_ELTS / 2)
             ? "im_group_max_members"
           : NULL;

    if (name == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "a reply of the store may have %ui bytes, %ui of each "
                       "text, which may be stored six times as long, and %ui "
                       "elements; lower \"%s\"",
                       (ngx_uint_t) NGX_HTTP_IM_REPLY_MAX_SIZE,
                       (ngx_uint_t) NGX_HTTP_IM_REPLY_MAX_BULK,
                       (ngx_uint_t) NGX_HTTP_IM_REPLY_MAX_ELTS, name);

    return NGX_ERROR;
}
