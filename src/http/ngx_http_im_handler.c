
#include "ngx_http_im_handler.h"
#include "ngx_http_im_body.h"
#include "ngx_http_im_identity.h"
#include "ngx_http_im_limit.h"
#include "ngx_http_im_request.h"
#include "ngx_http_im_response.h"
#include "ngx_http_im_variable.h"


static ngx_int_t ngx_http_im_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_im_discard(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);
static void ngx_http_im_body_handler(ngx_http_request_t *r,
    ngx_http_im_body_t *body, ngx_int_t rc);
static void ngx_http_im_refuse(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    ngx_http_im_error_e id);
static void ngx_http_im_start(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx);
static ngx_int_t ngx_http_im_check(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);
static ngx_int_t ngx_http_im_create(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);
static void ngx_http_im_job_handler(ngx_http_im_job_t *job);
static void ngx_http_im_detached_handler(ngx_http_im_job_t *job);
static void ngx_http_im_finish(ngx_http_im_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_im_cleanup(void *data);


static const ngx_str_t  ngx_http_im_unsent_text =
    ngx_string("too many answers wait to be read by the client");


ngx_int_t
ngx_http_im_handler_init(ngx_conf_t *cf, ngx_http_im_main_conf_t *imcf)
{
    ngx_http_handler_pt        *handler;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handler = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }

    *handler = ngx_http_im_preaccess_handler;

    imcf->next_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_im_body_filter;

    return NGX_OK;
}


/*
 * Before modules that refuse requests or read their bodies, so that variables
 * tell of a refused request, too, whatever page it is answered with.
 */

static ngx_int_t
ngx_http_im_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_im_ctx_t       *ctx;
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    if (lcf->pass == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

    if (ctx == NULL) {
        ctx = ngx_http_im_request_ctx_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (r != r->main || r->request_body || r->discard_body
        || r->headers_in.content_length_n <= (off_t) lcf->body_max
        || r->headers_in.content_length_n
           <= (off_t) ngx_http_im_body_max(r, ctx))
    {
        return NGX_DECLINED;
    }

    /* refused before anybody reads it */

    ngx_http_finalize_request(r, ngx_http_im_handler(r));

    return NGX_DONE;
}


ngx_int_t
ngx_http_im_handler(ngx_http_request_t *r)
{
    size_t                   max;
    ngx_http_im_ctx_t       *ctx;
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

    if (ctx == NULL) {
        ctx = ngx_http_im_request_ctx_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    max = lcf->body_max;

    if (ctx->op && ctx->op->write == NGX_HTTP_IM_OP_IMPORT) {
        max = ngx_http_im_request_read_max(r, ctx);
    }

    if (ctx->op == NULL) {
        ctx->refused = NGX_HTTP_IM_NOT_FOUND;

    } else if (r->method != NGX_HTTP_POST) {
        ctx->refused = NGX_HTTP_IM_METHOD_NOT_ALLOWED;

    } else if (r->request_body == NULL
               && r->headers_in.content_length_n > (off_t) max)
    {
        ctx->refused = NGX_HTTP_IM_BODY_TOO_LARGE;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im handler refused:%ui ctx:%p", ctx->refused, ctx);

    if (ctx->refused) {
        return ngx_http_im_discard(r, ctx);
    }

    return ngx_http_im_body_read(r, &ctx->body, max,
                                 ngx_http_im_body_handler);
}


/* refused without a look at the body */

static ngx_int_t
ngx_http_im_discard(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_int_t  rc;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im discard body len:%O code:%ui",
                   r->headers_in.content_length_n, ctx->refused);

    if (ngx_http_im_request_is_stream(r)) {
        return ngx_http_im_body_drop(r, &ctx->body, ngx_http_im_body_handler);
    }

    if (ngx_http_im_request_expects(r)) {

        /*
         * The answer to "Expect: 100-continue" is the refusal.  The client may
         * send the body or leave it out, so what follows cannot be told.
         */

        r->expect_tested = 1;
        r->keepalive = 0;

    } else {

        if (r->headers_in.content_length_n > NGX_HTTP_IM_BODY_DROP_MAX) {
            r->keepalive = 0;
        }

        rc = ngx_http_discard_request_body(r);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_http_im_record_code(r, ctx, ctx->refused);

    return ngx_http_im_response_error(r, ctx->refused, NULL);
}


static void
ngx_http_im_body_handler(ngx_http_request_t *r, ngx_http_im_body_t *body,
    ngx_int_t rc)
{
    ngx_http_im_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im body handler rc:%i len:%uz refused:%ui",
                   rc, body->len, ctx->refused);

    if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        rc = NGX_DECLINED;
    }

    switch (rc) {

    case NGX_OK:
        ngx_http_im_start(r, ctx);
        return;

    case NGX_DECLINED:

        if (r->reading_body) {
            /* the rest is not waited for */
            r->keepalive = 0;
        }

        ngx_http_im_refuse(r, ctx, ctx->refused ? ctx->refused
                                              : NGX_HTTP_IM_BODY_TOO_LARGE);
        return;

    case NGX_ERROR:
        ngx_http_im_record_code(r, ctx, NGX_HTTP_IM_INTERNAL);
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        break;

    default:                             /* nginx could not read it */
        break;
    }

    ngx_http_finalize_request(r, rc);
}


/* without a call */

static void
ngx_http_im_refuse(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    ngx_http_im_error_e id)
{
    ngx_http_im_record_code(r, ctx, id);

    ngx_http_im_body_linger(r, &ctx->body,
                            ngx_http_im_response_error(r, id, NULL));
}


static void
ngx_http_im_start(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_str_t           *caller;
    ngx_http_im_call_t  *call;

    if (ngx_http_im_create(r, ctx) != NGX_OK) {
        ngx_http_im_refuse(r, ctx, NGX_HTTP_IM_INTERNAL);
        return;
    }

    call = ctx->call;

    rc = ngx_http_im_check(r, ctx);

    if (rc == NGX_OK && !ngx_http_im_request_may_answer(r, ctx, 0)) {
        rc = ngx_http_im_error_set(call->pool, &call->error,
                                   NGX_HTTP_IM_STORE_UNAVAILABLE, "%V",
                                   &ngx_http_im_unsent_text);
        ngx_http_im_finish(ctx, rc);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_im_limit_take(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_im_call_run(call);
    }

    if (rc != NGX_AGAIN) {
        ngx_http_im_call_log(call, rc, NULL);
        ngx_http_im_finish(ctx, rc);
        return;
    }

    if (!ctx->op->write && r == r->main) {
        /* an abort need not be waited for */
        r->read_event_handler = ngx_http_test_reading;
    }

    caller = ngx_http_im_request_caller(r, call);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im submit caller:\"%V\" job:%p", caller, ctx->job);

    ngx_http_im_store_submit(ctx->job, caller);
}


/*
 * The body is judged before the caller is: 400 and 413 come before 403.
 * NGX_OK, NGX_DECLINED or NGX_ERROR, as a step of the call.
 */

static ngx_int_t
ngx_http_im_check(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               status;
    ngx_http_im_call_t      *call;
    ngx_http_im_identity_t   identity;

    call = ctx->call;

    if (ngx_http_im_identity_get(r, &identity) == NGX_ERROR) {
        return NGX_ERROR;
    }

    call->trusted = identity.trusted;
    call->user.len = identity.user.len;
    call->user.data = ngx_pstrdup(call->pool, &identity.user);

    if (call->user.data == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_im_call_check(call, ctx->body.data, ctx->body.len);

    if (rc == NGX_ERROR || identity.refused == NULL) {
        return rc;
    }

    if (rc == NGX_DECLINED) {
        status = ngx_http_im_error_code(call->error.id)->status;

        if (status == NGX_HTTP_BAD_REQUEST
            || status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE)
        {
            return rc;
        }
    }

    return ngx_http_im_error_set(call->pool, &call->error,
                                 NGX_HTTP_IM_FORBIDDEN, "%s",
                                 identity.refused);
}


/* job and call; the cleanup is the first that may fail */

static ngx_int_t
ngx_http_im_create(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_http_im_store_t      *store;
    ngx_http_im_loc_conf_t   *lcf;
    ngx_http_im_main_conf_t  *imcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);
    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    store = ngx_http_im_store_get(lcf->pass->store);
    if (store == NULL) {
        return NGX_ERROR;
    }

    ctx->cleanup = ngx_http_cleanup_add(r, 0);
    if (ctx->cleanup == NULL) {
        return NGX_ERROR;
    }

    ctx->job = ngx_http_im_store_job(store);
    if (ctx->job == NULL) {
        return NGX_ERROR;
    }

    ctx->job->handler = ngx_http_im_job_handler;
    ctx->job->data = ctx;

    ctx->cleanup->handler = ngx_http_im_cleanup;
    ctx->cleanup->data = ctx;

    ngx_http_im_stat_inc(imcf->stat, NGX_HTTP_IM_STAT_IN_FLIGHT);

    ctx->call = ngx_http_im_request_call(r, ctx->job, ctx->op, &ctx->path_id);

    return ctx->call ? NGX_OK : NGX_ERROR;
}


/* a round is over */

static void
ngx_http_im_job_handler(ngx_http_im_job_t *job)
{
    ngx_int_t           rc;
    ngx_str_t          *error;
    ngx_connection_t   *c;
    ngx_http_im_ctx_t  *ctx;

    ctx = job->data;
    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    error = ngx_http_im_store_error(job);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "im round over outcome:%ui commands:%ui job:%p",
                   (ngx_uint_t) job->outcome, job->commands, job);

    rc = ngx_http_im_call_run(ctx->call);

    if (rc == NGX_AGAIN) {
        ngx_http_im_store_submit(job, NULL);
        return;
    }

    ngx_http_im_call_log(ctx->call, rc, error);
    ngx_http_im_finish(ctx, rc);

    ngx_http_run_posted_requests(c);
}


/* the same once the request is gone: there is a call, and nothing to answer */

static void
ngx_http_im_detached_handler(ngx_http_im_job_t *job)
{
    ngx_int_t            rc;
    ngx_str_t           *error;
    ngx_http_im_call_t  *call;
    ngx_http_im_stat_t  *stat;

    call = job->data;
    stat = call->data;

    error = ngx_http_im_store_error(job);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im round over without request outcome:%ui job:%p",
                   (ngx_uint_t) job->outcome, job);

    rc = ngx_http_im_call_run(call);

    if (rc == NGX_AGAIN) {
        ngx_http_im_store_submit(job, NULL);
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im finish without request rc:%i job:%p", rc, job);

    ngx_http_im_call_log(call, rc, error);

    ngx_http_im_stat_code(stat, call->op, ngx_http_im_call_code(call, rc));
    ngx_http_im_limit_end(call, ngx_http_im_call_code(call, rc));
    ngx_http_im_stat_add(stat, NGX_HTTP_IM_STAT_IN_FLIGHT, -1);

    ngx_http_im_store_release(job);
}


/* the only place where a request that has a call ends */

static void
ngx_http_im_finish(ngx_http_im_ctx_t *ctx, ngx_int_t rc)
{
    off_t                 length;
    ngx_str_t            *text;
    ngx_http_request_t   *r;
    ngx_http_im_call_t   *call;
    ngx_http_im_error_e   id;

    r = ctx->request;
    call = ctx->call;

    ngx_http_im_variables_set(r, ctx);

    length = (rc == NGX_OK) ? ngx_http_im_response_close(call) : 0;

    if (length == NGX_ERROR) {
        rc = NGX_ERROR;
    }

    id = ngx_http_im_call_code(call, rc);
    text = (rc == NGX_DECLINED && call->error.text.len) ? &call->error.text
                                                        : NULL;

    if (rc == NGX_OK && !ctx->op->write
        && !ngx_http_im_request_may_answer(r, ctx,
                                   ngx_http_im_response_size(call, length)))
    {
        ngx_http_im_response_free(call);

        id = NGX_HTTP_IM_STORE_UNAVAILABLE;
        text = (ngx_str_t *) &ngx_http_im_unsent_text;
    }

    if (id == NGX_HTTP_IM_OK) {

        /* $im_code in a header of the answer */

        ctx->code = ngx_http_im_error_code(id);

        rc = ngx_http_im_response(r, call, length);

        if (rc == NGX_ERROR && !r->header_sent) {
            id = ngx_http_im_call_code(call, rc);

        } else if (rc == NGX_AGAIN) {
            ngx_http_im_request_unsent_add(r, ctx,
                                   ngx_http_im_response_size(call, length));
        }
    }

    ngx_http_im_record_code(r, ctx, id);
    ngx_http_im_limit_end(call, id);

    if (id != NGX_HTTP_IM_OK) {
        rc = ngx_http_im_response_error(r, id, text);

        if (rc == NGX_HTTP_INTERNAL_SERVER_ERROR
            && id != NGX_HTTP_IM_INTERNAL)
        {
            /* no answer is better than one that means something else */
            rc = NGX_ERROR;
        }
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im finish code:\"%V\" rc:%i commands:%ui job:%p",
                   &ctx->code->code, rc, ctx->commands, ctx->job);

    ctx->cleanup->handler = NULL;
    ctx->call = NULL;

    ngx_http_im_stat_add(ngx_http_im_request_stat(r),
                         NGX_HTTP_IM_STAT_IN_FLIGHT, -1);
    ngx_http_im_store_release(ctx->job);
    ctx->job = NULL;

    ngx_http_finalize_request(r, rc);
}


/* the request ends before its call: a write is finished without it */

static void
ngx_http_im_cleanup(void *data)
{
    ngx_http_im_ctx_t  *ctx = data;

    ngx_uint_t           detach;
    ngx_http_im_job_t   *job;
    ngx_http_im_call_t  *call;
    ngx_http_im_stat_t  *stat;

    job = ctx->job;
    call = ctx->call;
    stat = ngx_http_im_request_stat(ctx->request);

    detach = (call && ctx->op->write && job->timed);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im cleanup detach:%ui commands:%ui job:%p",
                   detach, job->outstanding, job);

    if (detach) {
        ngx_http_im_call_detach(call, ngx_cycle->log);

        call->data = stat;
        job->handler = ngx_http_im_detached_handler;
        job->data = call;

    } else {

        if (ctx->code == NULL) {
            ngx_http_im_stat_code(stat, ctx->op, NGX_HTTP_IM_STAT_ABORTED);
        }

        ngx_http_im_stat_add(stat, NGX_HTTP_IM_STAT_IN_FLIGHT, -1);
        ngx_http_im_store_release(job);
    }

    ctx->code = NULL;
    ctx->job = NULL;
    ctx->call = NULL;
}
