
#include "ngx_http_im_server.h"


/* how ngx_parse_url() says that there is no such name */
#define NGX_HTTP_IM_NOT_FOUND   "host not found"


static ngx_int_t ngx_http_im_server_init(ngx_conf_t *cf,
    ngx_http_im_server_t *server, ngx_url_t *u);


ngx_int_t
ngx_http_im_server_add(ngx_conf_t *cf, ngx_array_t *servers,
    ngx_str_t *value)
{
    ngx_url_t              u;
    ngx_http_im_server_t  *server;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.default_port = 6379;

    server = ngx_array_push(servers);
    if (server == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_im_server_t));

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {

        /* only its name was not found: a resolver may find it */

        if (u.host.len && u.err
            && ngx_strcmp(u.err, NGX_HTTP_IM_NOT_FOUND) == 0)
        {
            u.naddrs = 0;

            ngx_log_debug1(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                           "im server \"%V\" is left to a resolver", &u.host);

            return ngx_http_im_server_init(cf, server, &u);
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in the address \"%V\" of a store; "
                           "write host:port or unix:/path",
                           u.err ? u.err : "error", value);
        return NGX_ERROR;
    }

    if (u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no host in the address \"%V\" of a store", value);
        return NGX_ERROR;
    }

    return ngx_http_im_server_init(cf, server, &u);
}


static ngx_int_t
ngx_http_im_server_init(ngx_conf_t *cf, ngx_http_im_server_t *server,
    ngx_url_t *u)
{
    server->text = u->url;
    server->addrs = u->addrs;
    server->naddrs = u->naddrs;
    server->port = u->port;
    server->file = cf->conf_file->file.name.data;
    server->line = cf->conf_file->line;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im server \"%V\" addresses:%ui", &u->url, u->naddrs);

    if (u->family == AF_UNIX || u->url.data[0] == '['
        || ngx_inet_addr(u->host.data, u->host.len) != INADDR_NONE)
    {
        server->text = u->addrs[0].name;
        return NGX_OK;
    }

    server->host = u->host;
    server->text.len = u->host.len + sizeof(":65535") - 1;
    server->text.data = ngx_pnalloc(cf->pool, server->text.len);

    if (server->text.data == NULL) {
        return NGX_ERROR;
    }

    server->text.len = ngx_sprintf(server->text.data, "%V:%ui", &u->host,
                                   (ngx_uint_t) u->port)
                       - server->text.data;

    return NGX_OK;
}


ngx_int_t
ngx_http_im_server_check(ngx_conf_t *cf, ngx_array_t *servers)
{
    ngx_uint_t             i;
    ngx_http_im_server_t  *server;

    server = servers->elts;

    for (i = 0; i < servers->nelts; i++) {

        if (server[i].naddrs == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          NGX_HTTP_IM_NOT_FOUND " in the address \"%V\" of a "
                          "store; write host:port or unix:/path, or set "
                          "\"resolver\" at http level, in %s:%ui",
                          &server[i].text, server[i].file, server[i].line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
