
#include "ngx_http_im_variable.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_request.h"


static ngx_int_t ngx_http_im_variable_call(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_im_variable_code(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_im_variable_from_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_im_variable_conv_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_im_variable_store_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_im_variable_store_commands(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static const ngx_http_im_op_t *ngx_http_im_variable_route(
    ngx_http_request_t *r, ngx_str_t *conv_id);
static ngx_int_t ngx_http_im_variable_set(ngx_http_variable_value_t *v,
    const ngx_str_t *value);
static ngx_int_t ngx_http_im_variable_id(ngx_http_variable_value_t *v,
    ngx_str_t *id, ngx_uint_t valid);


static ngx_http_variable_t  ngx_http_im_vars[] = {

    { ngx_string("im_call"), NULL, ngx_http_im_variable_call, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("im_code"), NULL, ngx_http_im_variable_code, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("im_from_id"), NULL, ngx_http_im_variable_from_id, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("im_conv_id"), NULL, ngx_http_im_variable_conv_id, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("im_store_time"), NULL, ngx_http_im_variable_store_time, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("im_store_commands"), NULL,
      ngx_http_im_variable_store_commands, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_im_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_im_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


void
ngx_http_im_variables_set(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_str_t           *conv_id;
    ngx_http_im_call_t  *call;

    call = ctx->call;

    ctx->from_id.data = ngx_pstrdup(r->pool, &call->from_id);
    ctx->from_id.len = ctx->from_id.data ? call->from_id.len : 0;

    conv_id = call->name_id.len ? &call->name_id : &call->conv_id;

    ctx->conv_id.data = ngx_pstrdup(r->pool, conv_id);
    ctx->conv_id.len = ctx->conv_id.data ? conv_id->len : 0;

    ctx->commands = ctx->job->commands;

    if (ctx->commands) {
        ctx->store_time = ngx_current_msec - ctx->job->start;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im variables commands:%ui time:%M job:%p",
                   ctx->commands, ctx->store_time, ctx->job);
}


static ngx_int_t
ngx_http_im_variable_set(ngx_http_variable_value_t *v, const ngx_str_t *value)
{
    if (value->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = value->data;
    v->len = value->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* what a caller has written is shown only if it has the form of an id */

static ngx_int_t
ngx_http_im_variable_id(ngx_http_variable_value_t *v, ngx_str_t *id,
    ngx_uint_t valid)
{
    if (!valid) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_im_variable_set(v, id);
}


/*
 * What the URI tells is known before the content phase, so that limits can
 * be keyed by it.
 */

static const ngx_http_im_op_t *
ngx_http_im_variable_route(ngx_http_request_t *r, ngx_str_t *conv_id)
{
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    ngx_str_null(conv_id);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im variable of a request without ctx, uri:\"%V\" pass:%p",
                   &r->uri, lcf->pass);

    return lcf->pass ? ngx_http_im_request_route(r, lcf, conv_id) : NULL;
}


static ngx_int_t
ngx_http_im_variable_call(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                conv_id;
    ngx_http_im_ctx_t       *ctx;
    const ngx_http_im_op_t  *op;

    ctx = ngx_http_im_request_ctx_find(r);

    op = ctx ? ctx->op : ngx_http_im_variable_route(r, &conv_id);

    if (op == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_im_variable_set(v, &op->name);
}


static ngx_int_t
ngx_http_im_variable_code(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_im_ctx_t  *ctx;

    ctx = ngx_http_im_request_ctx_find(r);

    if (ctx == NULL || ctx->code == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_im_variable_set(v, &ctx->code->code);
}


static ngx_int_t
ngx_http_im_variable_from_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_im_ctx_t  *ctx;

    ctx = ngx_http_im_request_ctx_find(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_im_variable_id(v, &ctx->from_id,
                                   ngx_http_im_id_user_valid(&ctx->from_id));
}


static ngx_int_t
ngx_http_im_variable_conv_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t           conv_id;
    ngx_http_im_ctx_t  *ctx;

    ctx = ngx_http_im_request_ctx_find(r);

    if (ctx) {
        return ngx_http_im_variable_id(v, &ctx->conv_id,
                                   ngx_http_im_id_conv_valid(&ctx->conv_id));
    }

    (void) ngx_http_im_variable_route(r, &conv_id);

    return ngx_http_im_variable_id(v, &conv_id,
                                   ngx_http_im_id_conv_valid(&conv_id));
}


static ngx_int_t
ngx_http_im_variable_store_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char             *p;
    ngx_http_im_ctx_t  *ctx;

    ctx = ngx_http_im_request_ctx_find(r);

    if (ctx == NULL || ctx->commands == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, "%T.%03M", (time_t) (ctx->store_time / 1000),
                         ctx->store_time % 1000)
             - p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_variable_store_commands(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char             *p;
    ngx_http_im_ctx_t  *ctx;

    ctx = ngx_http_im_request_ctx_find(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, "%ui", ctx->commands) - p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_im_conv_id_set(ngx_http_request_t *r, ngx_str_t *res,
    ngx_http_variable_value_t *v)
{
    ngx_str_t  a, b;

    a.data = v[0].data;
    a.len = v[0].len;
    b.data = v[1].data;
    b.len = v[1].len;

    ngx_str_null(res);

    if (!ngx_http_im_id_user_valid(&a) || !ngx_http_im_id_user_valid(&b)) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "im conv id not set, no user ids len:%uz and %uz",
                       a.len, b.len);

        return NGX_OK;
    }

    return ngx_http_im_conv_pair_id(r->pool, &a, &b, res);
}
