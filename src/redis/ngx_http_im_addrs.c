
#include "ngx_http_im_addrs.h"


#define NGX_HTTP_IM_ADDRS_TTL_MIN   1         /* s */
#define NGX_HTTP_IM_ADDRS_TTL_MAX   86400
#define NGX_HTTP_IM_ADDRS_RETRY     5         /* when it was not resolved */


static void ngx_http_im_addrs_timer_handler(ngx_event_t *ev);
static void ngx_http_im_addrs_resolve(ngx_http_im_addrs_t *addrs);
static void ngx_http_im_addrs_resolve_handler(ngx_resolver_ctx_t *ctx);
static void ngx_http_im_addrs_update(ngx_http_im_addrs_t *addrs,
    ngx_resolver_ctx_t *ctx);
static void ngx_http_im_addr_set(ngx_http_im_addr_t *addr,
    struct sockaddr *sockaddr, socklen_t socklen);
static void ngx_http_im_addr_copy(ngx_http_im_addr_t *dst,
    ngx_http_im_addr_t *src);
static ngx_uint_t ngx_http_im_addr_eq(ngx_http_im_addr_t *a,
    ngx_http_im_addr_t *b);


void
ngx_http_im_addrs_init(ngx_http_im_addrs_t *addrs,
    const ngx_http_im_redis_conf_t *conf, const ngx_http_im_server_t *server,
    ngx_http_im_addrs_handler_pt handler, void *data, ngx_log_t *log)
{
    ngx_uint_t  i;

    addrs->conf = conf;
    addrs->server = server;
    addrs->handler = handler;
    addrs->data = data;
    addrs->log = log;

    addrs->timer.handler = ngx_http_im_addrs_timer_handler;
    addrs->timer.data = addrs;
    addrs->timer.log = log;
    addrs->timer.cancelable = 1;

    addrs->n = ngx_min(server->naddrs, NGX_HTTP_IM_ADDRS_MAX);

    for (i = 0; i < addrs->n; i++) {
        ngx_http_im_addr_set(&addrs->addr[i], server->addrs[i].sockaddr,
                             server->addrs[i].socklen);
    }
}


void
ngx_http_im_addrs_start(ngx_http_im_addrs_t *addrs)
{
    addrs->asked = ngx_current_msec - 1000 * NGX_HTTP_IM_ADDRS_TTL_MIN;

    ngx_http_im_addrs_resolve(addrs);
}


void
ngx_http_im_addrs_set(ngx_http_im_addrs_t *addrs,
    const ngx_http_im_server_t *server, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    ngx_http_im_addrs_exit(addrs);

    addrs->server = server;
    addrs->failures = 0;
    addrs->current = 0;
    addrs->n = 0;

    if (sockaddr == NULL) {
        ngx_http_im_addrs_start(addrs);
        return;
    }

    addrs->n = 1;
    ngx_http_im_addr_set(&addrs->addr[0], sockaddr, socklen);

    addrs->handler(addrs->data);
}


void
ngx_http_im_addrs_exit(ngx_http_im_addrs_t *addrs)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = addrs->ctx;

    if (ctx) {
        addrs->ctx = NULL;
        ngx_resolve_name_done(ctx);
    }

    if (addrs->timer.timer_set) {
        ngx_del_timer(&addrs->timer);
    }
}


ngx_int_t
ngx_http_im_addrs_get(ngx_http_im_addrs_t *addrs, ngx_http_im_addr_t *addr)
{
    if (addrs->n == 0) {
        ngx_memzero(addr, sizeof(ngx_http_im_addr_t));
        addr->name = addrs->server->text;

        return NGX_DECLINED;
    }

    ngx_http_im_addr_copy(addr, &addrs->addr[addrs->current]);

    return NGX_OK;
}


ngx_uint_t
ngx_http_im_addrs_is_current(ngx_http_im_addrs_t *addrs,
    ngx_http_im_addr_t *addr)
{
    return addrs->n && ngx_http_im_addr_eq(addr, &addrs->addr[addrs->current]);
}


ngx_int_t
ngx_http_im_addrs_failed(ngx_http_im_addrs_t *addrs, ngx_http_im_addr_t *addr,
    ngx_uint_t *tried)
{
    ngx_int_t  rc;

    /* another connection may have gone on to the next one already */

    if (ngx_http_im_addrs_is_current(addrs, addr)) {
        addrs->current = (addrs->current + 1) % addrs->n;
    }

    rc = (++*tried < addrs->n) ? NGX_OK : NGX_DECLINED;

    if (rc == NGX_DECLINED) {
        *tried = 0;
        ngx_http_im_addrs_resolve(addrs);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, addrs->log, 0,
                   "im addrs:%p %V failed: %i, next:%ui",
                   addrs, &addr->name, rc, addrs->current);

    return rc;
}


static void
ngx_http_im_addrs_timer_handler(ngx_event_t *ev)
{
    ngx_http_im_addrs_resolve(ev->data);
}


/* nginx answers from its cache until the TTL is over; not more often, too */

static void
ngx_http_im_addrs_resolve(ngx_http_im_addrs_t *addrs)
{
    ngx_resolver_ctx_t  *ctx;

    if (addrs->server->host.len == 0 || addrs->conf->resolver == NULL
        || addrs->ctx
        || ngx_current_msec - addrs->asked < 1000 * NGX_HTTP_IM_ADDRS_TTL_MIN)
    {
        return;
    }

    addrs->asked = ngx_current_msec;

    ctx = ngx_resolve_start(addrs->conf->resolver, NULL);

    if (ctx == NGX_NO_RESOLVER) {
        return;
    }

    if (ctx) {
        ctx->name = addrs->server->host;
        ctx->handler = ngx_http_im_addrs_resolve_handler;
        ctx->data = addrs;
        ctx->timeout = addrs->conf->resolver_timeout;
        ctx->cancelable = 1;

        /* the handler may be called from within */

        addrs->ctx = ctx;

        if (ngx_resolve_name(ctx) == NGX_OK) {
            return;
        }

        addrs->ctx = NULL;
    }

    ngx_add_timer(&addrs->timer, 1000 * NGX_HTTP_IM_ADDRS_RETRY);
}


static void
ngx_http_im_addrs_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    time_t                sec;
    ngx_uint_t            level;
    ngx_http_im_addrs_t  *addrs;

    addrs = ctx->data;
    addrs->ctx = NULL;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, addrs->log, 0,
                   "im addrs:%p \"%V\" resolved: %i, addresses:%ui",
                   addrs, &ctx->name, ctx->state, ctx->naddrs);

    if (ctx->state || ctx->naddrs == 0) {
        level = addrs->failures ? NGX_LOG_INFO : NGX_LOG_WARN;

        ngx_log_error(level, addrs->log, 0,
                      "im store \"%V\": \"%V\" could not be resolved "
                      "(%i: %s), its known addresses are used",
                      &addrs->conf->name, &ctx->name, ctx->state,
                      ngx_resolver_strerror(ctx->state));

        addrs->failures++;
        sec = NGX_HTTP_IM_ADDRS_RETRY;

    } else {
        sec = ctx->valid - ngx_time();
        sec = ngx_min(ngx_max(sec, NGX_HTTP_IM_ADDRS_TTL_MIN),
                      NGX_HTTP_IM_ADDRS_TTL_MAX);

        addrs->failures = 0;
    }

    ngx_add_timer(&addrs->timer, (ngx_msec_t) sec * 1000);

    if (addrs->failures == 0) {
        ngx_http_im_addrs_update(addrs, ctx);
    }

    ngx_resolve_name_done(ctx);
}


/* in an order of their own, as the resolver turns them */

static void
ngx_http_im_addrs_update(ngx_http_im_addrs_t *addrs, ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t           i, k, n;
    ngx_sockaddr_t       sa;
    ngx_http_im_addr_t   used, new, *addr;

    n = addrs->n;
    (void) ngx_http_im_addrs_get(addrs, &used);

    addr = addrs->addr;
    addrs->n = ngx_min(ctx->naddrs, NGX_HTTP_IM_ADDRS_MAX);

    for (i = 0; i < addrs->n; i++) {
        ngx_memcpy(&sa, ctx->addrs[i].sockaddr, ctx->addrs[i].socklen);
        ngx_inet_set_port(&sa.sockaddr, addrs->server->port);

        ngx_http_im_addr_set(&new, &sa.sockaddr, ctx->addrs[i].socklen);

        for (k = i; k && ngx_memn2cmp(new.name.data, addr[k - 1].name.data,
                                      new.name.len, addr[k - 1].name.len)
                         < 0; k--)
        {
            ngx_http_im_addr_copy(&addr[k], &addr[k - 1]);
        }

        ngx_http_im_addr_copy(&addr[k], &new);
    }

    for (i = 0; n && i < addrs->n; i++) {
        if (ngx_http_im_addr_eq(&addr[i], &used)) {
            addrs->current = i;
            return;
        }
    }

    addrs->current = 0;

    ngx_log_error(NGX_LOG_NOTICE, addrs->log, 0,
                  "im store \"%V\": \"%V\" has moved from %V to %V",
                  &addrs->conf->name, &addrs->server->text, &used.name,
                  &addr[0].name);

    addrs->handler(addrs->data);
}


static void
ngx_http_im_addr_set(ngx_http_im_addr_t *addr, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    ngx_memcpy(&addr->sockaddr, sockaddr, socklen);

    addr->socklen = socklen;
    addr->name.data = addr->text;
    addr->name.len = ngx_sock_ntop(sockaddr, socklen, addr->text,
                                   NGX_SOCKADDR_STRLEN, 1);
}


static void
ngx_http_im_addr_copy(ngx_http_im_addr_t *dst, ngx_http_im_addr_t *src)
{
    *dst = *src;
    dst->name.data = dst->text;
}


static ngx_uint_t
ngx_http_im_addr_eq(ngx_http_im_addr_t *a, ngx_http_im_addr_t *b)
{
    return a->socklen
           && ngx_cmp_sockaddr(&a->sockaddr.sockaddr, a->socklen,
                               &b->sockaddr.sockaddr, b->socklen, 1)
              == NGX_OK;
}


ngx_uint_t
ngx_http_im_addrs_next(ngx_http_im_addrs_t *addrs, ngx_http_im_addr_t *addr,
    ngx_uint_t *tried, ngx_uint_t ready)
{
    ngx_uint_t  i;

    if (ready) {
        return !ngx_http_im_addrs_is_current(addrs, addr);
    }

    /* one that is an address of the server no more is no reason to wait */

    for (i = 0; i < addrs->n; i++) {
        if (ngx_http_im_addr_eq(addr, &addrs->addr[i])) {
            break;
        }
    }

    if (addrs->n && i == addrs->n) {
        *tried = 0;
        return 1;
    }

    return ngx_http_im_addrs_failed(addrs, addr, tried) == NGX_OK;
}
