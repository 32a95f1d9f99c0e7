
#include "ngx_http_im_request.h"
#include "ngx_http_im_body.h"
#include "ngx_http_im_identity.h"
#include "ngx_http_im_route.h"


static void ngx_http_im_request_cleanup(void *data);
static ngx_int_t ngx_http_im_request_holder_set(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);


ngx_http_im_ctx_t *
ngx_http_im_request_ctx_create(ngx_http_request_t *r)
{
    ngx_http_im_ctx_t       *ctx;
    ngx_pool_cleanup_t      *cln;
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    cln = ngx_pool_cleanup_add(r->pool, 0);
    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_im_ctx_t));

    if (cln == NULL || ctx == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_im_request_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_im_module);

    ctx->request = r;
    ctx->op = ngx_http_im_request_route(r, lcf, &ctx->path_id);
    ctx->conv_id = ctx->path_id;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im request uri:\"%V\" conv:\"%V\" ctx:%p",
                   &r->uri, &ctx->path_id, ctx);

    return ctx;
}


ngx_http_im_ctx_t *
ngx_http_im_request_ctx_find(ngx_http_request_t *r)
{
    ngx_http_im_ctx_t   *ctx;
    ngx_pool_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

    if (ctx || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_im_request_cleanup) {
            continue;
        }

        /* subrequests have the same pool */

        ctx = cln->data;

        if (ctx->request == r) {
            ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "im request internal, has ctx:%p", ctx);

            return ctx;
        }
    }

    return NULL;
}


static void
ngx_http_im_request_cleanup(void *data)
{
    ngx_http_im_ctx_t  *ctx = data;

    ngx_http_im_body_end(&ctx->body);

    if (ctx->holder) {
        ngx_http_im_unsent_subtract(ctx->holder, ctx->unsent);
    }
}


const ngx_http_im_op_t *
ngx_http_im_request_route(ngx_http_request_t *r, ngx_http_im_loc_conf_t *lcf,
    ngx_str_t *conv_id)
{
    const ngx_http_im_op_t  *op;

    op = ngx_http_im_route_uri(&r->uri, lcf->pass->prefix, conv_id);

    return (op && op->write == NGX_HTTP_IM_OP_IMPORT && !lcf->import) ? NULL
                                                                      : op;
}


size_t
ngx_http_im_request_read_max(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    size_t                   max;
    ngx_http_im_identity_t   identity;
    ngx_http_im_loc_conf_t  *lcf;

    max = ngx_http_im_body_max(r, ctx);

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    if (ngx_http_im_identity_get(r, &identity) == NGX_OK && identity.trusted) {
        return max;
    }

    return ngx_min(max, lcf->body_max);
}


ngx_uint_t
ngx_http_im_request_is_stream(ngx_http_request_t *r)
{
    return r->http_version >= NGX_HTTP_VERSION_20;
}


ngx_uint_t
ngx_http_im_request_expects(ngx_http_request_t *r)
{
    if (r->headers_in.expect == NULL || r->expect_tested
        || r->http_version != NGX_HTTP_VERSION_11)
    {
        return 0;
    }

    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}


ngx_http_im_call_t *
ngx_http_im_request_call(ngx_http_request_t *r, ngx_http_im_job_t *job,
    const ngx_http_im_op_t *op, ngx_str_t *conv_id)
{
    ngx_http_im_call_t       *call;
    ngx_http_im_call_env_t    env;
    ngx_http_im_loc_conf_t   *lcf;
    ngx_http_im_main_conf_t  *imcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);
    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    env.options = &lcf->options;
    env.scripts = imcf->scripts;
    env.cache = imcf->cache ? imcf->cache->data : NULL;
    env.scope = lcf->scope + lcf->pass->store->scope;
    env.unique = &imcf->unique;
    env.timeout = lcf->pass->store->timeout;
    env.log = r->connection->log;

    call = ngx_http_im_call_create(&env, job, op, conv_id);

    if (call) {
        call->writer.pool = r->pool;
    }

    return call;
}


ngx_str_t *
ngx_http_im_request_caller(ngx_http_request_t *r, ngx_http_im_call_t *call)
{
    return call->user.len ? &call->user
         : call->from_id.len ? &call->from_id
         : call->conv_id.len ? &call->conv_id
         : &r->connection->addr_text;
}


static ngx_int_t
ngx_http_im_request_holder_set(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    u_char            *p;
    ngx_str_t         *user;
    ngx_connection_t  *c;

    user = &ctx->call->user;

    p = ngx_pnalloc(r->pool, 2 + ngx_max(user->len, NGX_ATOMIC_T_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->holder_key.data = p;

    if (user->len) {
        p = ngx_cpymem(p, "u:", 2);
        p = ngx_cpymem(p, user->data, user->len);

    } else {
        c = r->connection;

        /* of HTTP/2, the number is that of the client's connection */

#if (NGX_HTTP_V3)
        if (c->quic) {
            c = c->quic->parent;
        }
#endif

        p = ngx_sprintf(p, "c:%uA", c->number);
    }

    ctx->holder_key.len = p - ctx->holder_key.data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_im_request_may_answer(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    size_t length)
{
    ngx_uint_t                allowed;
    ngx_http_im_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    if (imcf->unsent.size == 0) {
        return 1;
    }

    if (ctx->holder_key.len == 0
        && ngx_http_im_request_holder_set(r, ctx) != NGX_OK)
    {
        return 0;
    }

    allowed = ngx_http_im_unsent_allows(&imcf->unsent, &ctx->holder_key,
                                        length + NGX_HTTP_IM_UNSENT_REQUEST,
                                        r->connection->log);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im unsent \"%V\" length:%uz all:%uz allowed:%ui",
                   &ctx->holder_key, length, imcf->unsent.size, allowed);

    return allowed;
}


void
ngx_http_im_request_unsent_add(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    size_t length)
{
    ngx_http_im_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    if (ctx->holder_key.len == 0
        && ngx_http_im_request_holder_set(r, ctx) != NGX_OK)
    {
        return;
    }

    ctx->unsent = length + ctx->body.len + NGX_HTTP_IM_UNSENT_REQUEST;
    ctx->holder = ngx_http_im_unsent_add(&imcf->unsent, &ctx->holder_key,
                                         ctx->unsent, r->connection->log);
}


void
ngx_http_im_record_code(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    ngx_http_im_error_e id)
{
    ctx->code = ngx_http_im_error_code(id);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im record code:\"%V\" status:%ui",
                   &ctx->code->code, ctx->code->status);

    ngx_http_im_stat_code(ngx_http_im_request_stat(r), ctx->op, id);
}


ngx_http_im_stat_t *
ngx_http_im_request_stat(ngx_http_request_t *r)
{
    ngx_http_im_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    return imcf->stat;
}


void
ngx_http_im_stat_code(ngx_http_im_stat_t *stat, const ngx_http_im_op_t *op,
    ngx_uint_t code)
{
    ngx_http_im_stat_inc(stat, ngx_http_im_stat_cell(
                                         ngx_http_im_route_number(op), code));
}
