
#include "ngx_http_im_limit.h"


#define NGX_HTTP_IM_LIMIT_ZONE   (10 * 1024 * 1024)


char *
ngx_http_im_limit_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_loc_conf_t  *lcf = conf;

    char                     *rc;
    ngx_str_t                *value;
    ngx_http_im_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);
    value = cf->args->elts;

    if (ngx_strncmp(value[1].data, "zone=", 5) == 0) {

        if (!(cf->cmd_type & NGX_HTTP_MAIN_CONF)) {
            return "takes \"zone=NAME:SIZE\" at http level only";
        }

        if (cf->args->nelts > 2) {
            return "takes nothing beside \"zone=NAME:SIZE\"";
        }

        return imcf->rate ? "is duplicate"
                          : ngx_http_im_rate_zone_conf(cf, &value[1],
                                                       &ngx_http_im_module,
                                                       &imcf->rate);
    }

    rc = ngx_http_im_rate_conf(&value[1],
                               (cf->args->nelts > 2) ? &value[2] : NULL,
                               lcf->limits);

    imcf->has_rate = 1;

    return rc;
}


void
ngx_http_im_limit_merge(ngx_http_im_loc_conf_t *up,
    ngx_http_im_loc_conf_t *lcf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_IM_RATE_KINDS; i++) {

        if (lcf->limits[i].rate != NGX_HTTP_IM_RATE_UNSET) {
            continue;
        }

        lcf->limits[i] = up->limits[i];

        if (lcf->limits[i].rate == NGX_HTTP_IM_RATE_UNSET) {
            lcf->limits[i].rate = 0;
        }
    }
}


ngx_int_t
ngx_http_im_limit_zone_add(ngx_conf_t *cf, ngx_http_im_main_conf_t *imcf)
{
    ngx_str_t  name = ngx_string("im_rate");

    if (imcf->rate || !imcf->has_rate) {
        return NGX_OK;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im limit zone \"%V\" is added, none is configured", &name);

    imcf->rate = ngx_http_im_rate_zone_add(cf, &name, NGX_HTTP_IM_LIMIT_ZONE,
                                           &ngx_http_im_module);

    return imcf->rate ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_im_limit_take(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_http_im_call_t         *call;
    ngx_http_im_rate_key_t      keys[NGX_HTTP_IM_RATE_KINDS];
    ngx_http_im_loc_conf_t     *lcf;
    ngx_http_im_rate_kind_e     kind;
    ngx_http_im_main_conf_t    *imcf;
    ngx_http_im_rate_charge_t  *charge;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    if (imcf->rate == NULL || !ctx->op->write
        || ctx->op->write == NGX_HTTP_IM_OP_IMPORT)
    {
        return NGX_OK;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);
    call = ctx->call;

    keys[NGX_HTTP_IM_RATE_USER].id = call->from_id.len ? call->from_id
                                                       : call->user;
    keys[NGX_HTTP_IM_RATE_CONV].id = call->conv_id;

    if (ctx->op->write == NGX_HTTP_IM_OP_WRITE_OWN) {
        keys[NGX_HTTP_IM_RATE_CONV].id.len = 0;
    }

    for (i = 0; i < NGX_HTTP_IM_RATE_KINDS; i++) {
        keys[i].limit = lcf->limits[i];
        keys[i].scope = call->scope;

        if (keys[i].limit.rate == 0
            || keys[i].id.len > NGX_HTTP_IM_RATE_ID_MAX)
        {
            keys[i].id.len = 0;
        }
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im limit user:\"%V\" conv:\"%V\" scope:%uD job:%p",
                   &keys[NGX_HTTP_IM_RATE_USER].id,
                   &keys[NGX_HTTP_IM_RATE_CONV].id, call->scope, ctx->job);

    if (ngx_http_im_rate_take(imcf->rate->data, keys, &kind,
                              &ctx->retry_after)
        != NGX_OK)
    {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_TOO_MANY_REQUESTS,
                                     (kind == NGX_HTTP_IM_RATE_USER)
                                     ? "the user \"%V\" writes too often; try "
                                       "again in %ui s"
                                     : "the conversation \"%V\" is written "
                                       "to too often; try again in %ui s",
                                     &keys[kind].id, ctx->retry_after);
    }

    if (keys[NGX_HTTP_IM_RATE_CONV].id.len) {
        charge = ngx_palloc(call->pool, sizeof(ngx_http_im_rate_charge_t));
        if (charge == NULL) {
            return NGX_ERROR;
        }

        charge->rate = imcf->rate->data;
        charge->kind = NGX_HTTP_IM_RATE_CONV;
        charge->key = keys[NGX_HTTP_IM_RATE_CONV];

        call->charge = charge;
    }

    return NGX_OK;
}


/*
 * Whoever may not write into a conversation must not use up what its members
 * may.
 */

void
ngx_http_im_limit_end(ngx_http_im_call_t *call, ngx_http_im_error_e id)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im limit end charge:%p code:%ui job:%p",
                   call->charge, (ngx_uint_t) id, call->job);

    if (call->charge == NULL || id == NGX_HTTP_IM_OK) {
        return;
    }

    if (ngx_http_im_error_code(id)->status < 500
        || id == NGX_HTTP_IM_STORE_UNAVAILABLE)
    {
        ngx_http_im_rate_give_back(call->charge);
    }
}
