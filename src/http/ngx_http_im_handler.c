
#include "ngx_http_im_handler.h"
#include "ngx_http_im_response.h"


/* the call and its context, in the job's pool: ctx is NULL once it is gone */

typedef struct {
    ngx_http_im_call_t     call;
    ngx_http_im_ctx_t     *ctx;
    ngx_http_im_stat_t    *stat;
} ngx_http_im_task_t;


static ngx_int_t ngx_http_im_discard(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx, ngx_http_im_error_e id);
static ngx_uint_t ngx_http_im_is_stream(ngx_http_request_t *r);
static void ngx_http_im_body_handler(ngx_http_request_t *r);
static void ngx_http_im_body_read_handler(ngx_http_request_t *r);
static void ngx_http_im_body_read(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);
static ngx_int_t ngx_http_im_body_take(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);
static ngx_int_t ngx_http_im_body_append(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx, ngx_buf_t *b);
static void ngx_http_im_start(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx);
static ngx_str_t *ngx_http_im_caller(ngx_http_request_t *r,
    ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_prepare(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);
static ngx_int_t ngx_http_im_judge(ngx_http_request_t *r,
    ngx_http_im_ctx_t *ctx);
static void ngx_http_im_job_handler(ngx_http_im_job_t *job);
static ngx_int_t ngx_http_im_outcome(ngx_http_im_job_t *job,
    ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_run(ngx_http_im_job_t *job,
    ngx_http_im_call_t *call, ngx_http_im_step_pt step);
static void ngx_http_im_finish(ngx_http_im_ctx_t *ctx, ngx_int_t rc);
static ngx_http_im_error_e ngx_http_im_verdict(ngx_http_im_job_t *job,
    ngx_http_im_call_t *call, ngx_int_t rc);
static void ngx_http_im_log(ngx_http_im_job_t *job, ngx_http_im_call_t *call,
    ngx_int_t rc, ngx_str_t *error, ngx_log_t *log);
static void ngx_http_im_note(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx);
static void ngx_http_im_record_code(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    ngx_http_im_error_e id);
static ngx_http_im_stat_t *ngx_http_im_stat_of(ngx_http_request_t *r);
static void ngx_http_im_stat_code(ngx_http_im_stat_t *count,
    const ngx_http_im_op_t *op, ngx_uint_t code);
static void ngx_http_im_cleanup(void *data);


ngx_int_t
ngx_http_im_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_im_ctx_t       *ctx;
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_im_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_im_module);

    ctx->request = r;
    ctx->op = ngx_http_im_request_route(r, lcf, &ctx->path_id);
    ctx->conv_id = ctx->path_id;

    if (ctx->op == NULL) {
        ctx->refused = NGX_HTTP_IM_NOT_FOUND;

    } else if (r->method != NGX_HTTP_POST) {
        ctx->refused = NGX_HTTP_IM_METHOD_NOT_ALLOWED;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im uri:\"%V\" conv:\"%V\" refused:%ui",
                   &r->uri, &ctx->path_id, ctx->refused);

    if (ctx->refused && !ngx_http_im_is_stream(r)) {
        return ngx_http_im_discard(r, ctx, ctx->refused);
    }

    if (r->headers_in.content_length_n > (off_t) lcf->options.max_body_size) {
        return ngx_http_im_discard(r, ctx, NGX_HTTP_IM_BODY_TOO_LARGE);
    }

    /* so that the size of a chunked body is known while it comes */

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_im_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


const ngx_http_im_op_t *
ngx_http_im_request_route(ngx_http_request_t *r, ngx_http_im_loc_conf_t *lcf,
    ngx_str_t *conv_id)
{
    return ngx_http_im_route_uri(&r->uri, lcf->pass->prefix, conv_id);
}


/*
 * An HTTP/2 stream that is answered while its body comes is reset after the
 * answer, which some clients then do not show: its body is read before.
 */

static ngx_uint_t
ngx_http_im_is_stream(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)
    return r->stream != NULL;
#else
    return 0;
#endif
}


/* refused without a look at the body */

static ngx_int_t
ngx_http_im_discard(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    ngx_http_im_error_e id)
{
    ngx_int_t  rc;

    /* a client that asks whether to go on gets the refusal for an answer */

    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_im_record_code(r, ctx, id);

    return ngx_http_im_response_error(r, id, NULL);
}


static void
ngx_http_im_body_handler(ngx_http_request_t *r)
{
    ngx_http_im_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

    r->read_event_handler = ngx_http_im_body_read_handler;

    ngx_http_im_body_read(r, ctx);
}


static void
ngx_http_im_body_read_handler(ngx_http_request_t *r)
{
    ngx_http_im_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_im_module);

    ngx_http_im_body_read(r, ctx);
}


static void
ngx_http_im_body_read(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_int_t  rc;

    for ( ;; ) {

        rc = ngx_http_im_body_take(r, ctx);

        if (rc == NGX_DECLINED) {
            ngx_http_im_record_code(r, ctx, NGX_HTTP_IM_BODY_TOO_LARGE);

            ngx_http_finalize_request(r, ngx_http_im_response_error(r,
                                          NGX_HTTP_IM_BODY_TOO_LARGE, NULL));
            return;
        }

        if (rc != NGX_OK) {
            ngx_http_im_record_code(r, ctx, NGX_HTTP_IM_INTERNAL);
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }

        if (!r->reading_body) {
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_finalize_request(r, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_im_start(r, ctx);
}


/*
 * Moves what has come to ctx->body; NGX_DECLINED when it is too much.  Most
 * bodies come as one buffer and are not copied.
 */

static ngx_int_t
ngx_http_im_body_take(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_buf_t               *b;
    ngx_chain_t             *cl;
    ngx_http_im_loc_conf_t  *lcf;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    cl = r->request_body->bufs;

    if (!r->reading_body && ctx->body == NULL && cl->next == NULL
        && !cl->buf->in_file)
    {
        ctx->body = cl->buf->pos;
        ctx->size = cl->buf->last - cl->buf->pos;

        return (ctx->size > lcf->options.max_body_size) ? NGX_DECLINED
                                                        : NGX_OK;
    }

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (ctx->size + ngx_buf_size(b) > lcf->options.max_body_size) {
            return NGX_DECLINED;
        }

        rc = ngx_http_im_body_append(r, ctx, b);
        if (rc != NGX_OK) {
            return rc;
        }

        if (r->request_body->temp_file == NULL && r->reading_body) {
            b->pos = b->last;
        }
    }

    if (r->reading_body) {
        r->request_body->bufs = NULL;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_body_append(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    ngx_buf_t *b)
{
    u_char   *body;
    size_t    size;
    ssize_t   n;

    size = ngx_buf_size(b);

    if (ctx->size + size > ctx->room) {
        ctx->room = ngx_max(2 * (ctx->size + size), 1024);

        body = ngx_pnalloc(r->pool, ctx->room);
        if (body == NULL) {
            return NGX_ERROR;
        }

        if (ctx->size) {
            ngx_memcpy(body, ctx->body, ctx->size);
        }

        ctx->body = body;
    }

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(ctx->body + ctx->size, b->pos, size);

    } else if (size) {

        /* another module has read the body to a file, in the page cache yet */

        n = ngx_read_file(b->file, ctx->body + ctx->size, size, b->file_pos);

        if (n != (ssize_t) size) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "im could read %z of %uz bytes of a body in \"%V\"",
                          n, size, &b->file->name);
            return NGX_ERROR;
        }
    }

    ctx->size += size;

    return NGX_OK;
}


static void
ngx_http_im_start(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->refused) {
        ngx_http_im_record_code(r, ctx, ctx->refused);
        ngx_http_finalize_request(r, ngx_http_im_response_error(r,
                                                        ctx->refused, NULL));
        return;
    }

    if (ngx_http_im_prepare(r, ctx) != NGX_OK) {
        ngx_http_im_record_code(r, ctx, NGX_HTTP_IM_INTERNAL);
        ngx_http_finalize_request(r, ngx_http_im_response_error(r,
                                                NGX_HTTP_IM_INTERNAL, NULL));
        return;
    }

    rc = ngx_http_im_judge(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_im_run(ctx->job, ctx->call, ctx->op->start);
    }

    if (rc != NGX_AGAIN) {
        ngx_http_im_log(ctx->job, ctx->call, rc, NULL, r->connection->log);
        ngx_http_im_finish(ctx, rc);
        return;
    }

    if (!ctx->op->write && r == r->main) {
        /* an abort need not be waited for */
        r->read_event_handler = ngx_http_test_reading;
    }

    ngx_http_im_store_submit(ctx->job, ngx_http_im_caller(r, ctx->call));
}


/*
 * Who is to be served no more than others.  A backend asks for many users, so
 * its address comes last.
 */

static ngx_str_t *
ngx_http_im_caller(ngx_http_request_t *r, ngx_http_im_call_t *call)
{
    return call->user.len ? &call->user
         : call->from_id.len ? &call->from_id
         : call->conv_id.len ? &call->conv_id
         : &r->connection->addr_text;
}


static ngx_int_t
ngx_http_im_prepare(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_http_im_job_t        *job;
    ngx_http_im_call_t       *call;
    ngx_http_im_task_t       *task;
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

    job = ngx_http_im_store_job(store);
    if (job == NULL) {
        return NGX_ERROR;
    }

    ctx->job = job;
    ctx->cleanup->handler = ngx_http_im_cleanup;
    ctx->cleanup->data = ctx;

    ngx_http_im_stat_inc(imcf->stat, NGX_HTTP_IM_STAT_IN_FLIGHT);

    task = ngx_pcalloc(job->pool, sizeof(ngx_http_im_task_t));
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->ctx = ctx;
    task->stat = imcf->stat;

    call = &task->call;
    call->op = ctx->op;
    call->options = &lcf->options;
    call->scripts = lcf->pass->store->scripts;
    call->pool = job->pool;
    call->pipeline = &job->pipeline;
    call->random = &imcf->random;
    call->cache = imcf->cache ? imcf->cache->data : NULL;
    call->scope = lcf->scope + lcf->pass->store->scope;

    ngx_http_im_writer_init(&call->writer, r->pool, 0);

    job->handler = ngx_http_im_job_handler;
    job->data = task;

    ctx->call = call;

    call->args = ngx_pcalloc(job->pool, ctx->op->size);
    if (call->args == NULL) {
        return NGX_ERROR;
    }

    if (ctx->path_id.len) {
        call->conv_id.len = ctx->path_id.len;
        call->conv_id.data = ngx_pstrdup(job->pool, &ctx->path_id);

        if (call->conv_id.data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* everything that can be refused without asking the store */

static ngx_int_t
ngx_http_im_judge(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                user;
    ngx_http_im_call_t      *call;
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);
    call = ctx->call;

    if (lcf->user) {

        if (ngx_http_complex_value(r, lcf->user, &user) != NGX_OK) {
            return NGX_ERROR;
        }

        if (user.len) {
            call->user.len = user.len;
            call->user.data = ngx_pstrdup(call->pool, &user);

            if (call->user.data == NULL) {
                return NGX_ERROR;
            }
        }
    }

    rc = ngx_http_im_field_read(call->pool, ctx->body, ctx->size,
                                ctx->op->fields, call->args, &call->error);

    if (rc == NGX_OK && ctx->op->check) {
        rc = ctx->op->check(call);
    }

    return rc;
}


/* a step, and whether it could say all it wanted */

static ngx_int_t
ngx_http_im_run(ngx_http_im_job_t *job, ngx_http_im_call_t *call,
    ngx_http_im_step_pt step)
{
    ngx_int_t  rc;

    ngx_http_im_pipeline_init(&job->pipeline, job->pool);

    rc = step(call);

    if (job->pipeline.failed || call->writer.failed) {
        return NGX_ERROR;
    }

    return rc;
}


/* a round is over */

static void
ngx_http_im_job_handler(ngx_http_im_job_t *job)
{
    ngx_int_t            rc;
    ngx_str_t           *error;
    ngx_connection_t    *c;
    ngx_http_im_ctx_t   *ctx;
    ngx_http_im_call_t  *call;
    ngx_http_im_task_t  *task;

    task = job->data;
    call = &task->call;
    ctx = task->ctx;

    c = NULL;

    if (ctx) {
        c = ctx->request->connection;
        ngx_http_set_log_request(c->log, ctx->request);
    }

    error = ngx_http_im_store_error(job);

    rc = (job->outcome == NGX_HTTP_IM_JOB_OK)
         ? ngx_http_im_run(job, call, call->next)
         : ngx_http_im_outcome(job, call);

    if (rc == NGX_AGAIN) {
        ngx_http_im_store_submit(job, NULL);
        return;
    }

    ngx_http_im_log(job, call, rc, error, c ? c->log : ngx_cycle->log);

    if (ctx == NULL) {
        ngx_http_im_stat_code(task->stat, call->op,
                              ngx_http_im_verdict(job, call, rc));
        ngx_http_im_stat_add(task->stat, NGX_HTTP_IM_STAT_IN_FLIGHT, -1);
        ngx_http_im_store_release(job);
        return;
    }

    ngx_http_im_finish(ctx, rc);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_im_outcome(ngx_http_im_job_t *job, ngx_http_im_call_t *call)
{
    ngx_http_im_error_e  id;

    if (job->outcome == NGX_HTTP_IM_JOB_UNKNOWN || job->wrote) {
        id = call->op->write ? NGX_HTTP_IM_OUTCOME_UNKNOWN
                             : NGX_HTTP_IM_STORE_TIMEOUT;

    } else if (job->outcome == NGX_HTTP_IM_JOB_TIMEOUT) {
        id = call->op->write ? NGX_HTTP_IM_STORE_UNAVAILABLE
                             : NGX_HTTP_IM_STORE_TIMEOUT;

    } else {
        id = NGX_HTTP_IM_STORE_UNAVAILABLE;
    }

    return ngx_http_im_error_set(call->pool, &call->error, id, NULL);
}


/* what a call's last step comes to */

static ngx_http_im_error_e
ngx_http_im_verdict(ngx_http_im_job_t *job, ngx_http_im_call_t *call,
    ngx_int_t rc)
{
    if (rc == NGX_OK) {
        return NGX_HTTP_IM_OK;
    }

    if (rc == NGX_DECLINED) {
        return call->error.id;
    }

    /* no memory for what comes after a write, or for its answer */

    return (job->wrote && call->op->write) ? NGX_HTTP_IM_OUTCOME_UNKNOWN
                                           : NGX_HTTP_IM_INTERNAL;
}


/* one line for a failure of ours, none for a caller's */

static void
ngx_http_im_log(ngx_http_im_job_t *job, ngx_http_im_call_t *call,
    ngx_int_t rc, ngx_str_t *error, ngx_log_t *log)
{
    ngx_str_t                  none = ngx_string("-");
    const ngx_http_im_code_t  *code;

    code = ngx_http_im_error_code(ngx_http_im_verdict(job, call, rc));

    if (code->status < 500) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "im %V: call: %V, from: \"%V\", conv: \"%V\", store: %s, "
                  "reply: \"%V\"",
                  &code->code, &call->op->name, &call->from_id,
                  &call->conv_id, job->reason ? job->reason : "answered",
                  error ? error : &none);
}


/* the only place where a request that asked the store ends */

static void
ngx_http_im_finish(ngx_http_im_ctx_t *ctx, ngx_int_t rc)
{
    ngx_str_t             text;
    ngx_http_request_t   *r;
    ngx_http_im_error_e   id;

    r = ctx->request;

    ngx_http_im_note(r, ctx);

    id = ngx_http_im_verdict(ctx->job, ctx->call, rc);
    ngx_str_null(&text);

    if (rc == NGX_OK) {
        rc = ngx_http_im_response(r, ctx->call);

        if (rc == NGX_ERROR && !r->header_sent) {
            id = ngx_http_im_verdict(ctx->job, ctx->call, rc);
        }

    } else if (rc == NGX_DECLINED) {
        text = ctx->call->error.text;
    }

    ngx_http_im_record_code(r, ctx, id);

    if (id != NGX_HTTP_IM_OK) {
        rc = ngx_http_im_response_error(r, id, text.len ? &text : NULL);

        if (rc == NGX_HTTP_INTERNAL_SERVER_ERROR
            && id != NGX_HTTP_IM_INTERNAL)
        {
            /* no answer is better than one that means something else */
            rc = NGX_ERROR;
        }
    }

    ctx->cleanup->handler = NULL;
    ctx->call = NULL;

    ngx_http_im_stat_add(ngx_http_im_stat_of(r),
                         NGX_HTTP_IM_STAT_IN_FLIGHT, -1);
    ngx_http_im_store_release(ctx->job);
    ctx->job = NULL;

    ngx_http_finalize_request(r, rc);
}


/* what a request comes to, once for each: for the log and the figures */

static void
ngx_http_im_record_code(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx,
    ngx_http_im_error_e id)
{
    ctx->code = ngx_http_im_error_code(id);

    ngx_http_im_stat_code(ngx_http_im_stat_of(r), ctx->op, id);
}


static ngx_http_im_stat_t *
ngx_http_im_stat_of(ngx_http_request_t *r)
{
    ngx_http_im_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    return imcf->stat;
}


static void
ngx_http_im_stat_code(ngx_http_im_stat_t *count,
    const ngx_http_im_op_t *op, ngx_uint_t code)
{
    ngx_http_im_stat_inc(count, ngx_http_im_stat_cell(
                                         ngx_http_im_route_number(op), code));
}


/* for the log phase, which comes after the call is gone */

static void
ngx_http_im_note(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    ngx_http_im_call_t  *call;

    call = ctx->call;

    ctx->from_id.data = ngx_pstrdup(r->pool, &call->from_id);
    ctx->from_id.len = ctx->from_id.data ? call->from_id.len : 0;

    ctx->conv_id.data = ngx_pstrdup(r->pool, &call->conv_id);
    ctx->conv_id.len = ctx->conv_id.data ? call->conv_id.len : 0;

    ctx->commands = ctx->job->commands;

    if (ctx->commands) {
        ctx->store_time = ngx_current_msec - ctx->job->start;
    }
}


/* the request goes before its call */

static void
ngx_http_im_cleanup(void *data)
{
    ngx_http_im_ctx_t  *ctx = data;

    ngx_uint_t           counted;
    ngx_http_im_job_t   *job;
    ngx_http_im_task_t  *task;
    ngx_http_im_stat_t    *stat;

    job = ctx->job;
    task = job->data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im request gone, job:%p commands:%ui",
                   job, job->outstanding);

    stat = ngx_http_im_stat_of(ctx->request);
    counted = (ctx->code != NULL);

    ctx->code = NULL;
    ctx->job = NULL;
    ctx->call = NULL;

    if (task == NULL || !ctx->op->write || !job->timed) {

        if (!counted) {
            ngx_http_im_stat_code(stat, ctx->op, NGX_HTTP_IM_STAT_ABORTED);
        }

        ngx_http_im_stat_add(stat, NGX_HTTP_IM_STAT_IN_FLIGHT, -1);
        ngx_http_im_store_release(job);
        return;
    }

    /* it goes on, and is counted when it is done */

    task->ctx = NULL;
    task->call.writer.pool = job->pool;
    task->call.writer.first = NULL;
    task->call.writer.last = NULL;
    task->call.writer.pos = NULL;
    task->call.writer.end = NULL;
}
