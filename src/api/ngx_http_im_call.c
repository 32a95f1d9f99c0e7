
#include "ngx_http_im_call.h"
#include "ngx_http_im_id.h"


static ngx_int_t ngx_http_im_call_round_failed(ngx_http_im_call_t *call);


ngx_http_im_call_t *
ngx_http_im_call_create(ngx_http_im_call_env_t *env, ngx_http_im_job_t *job,
    const ngx_http_im_op_t *op, ngx_str_t *conv_id)
{
    ngx_http_im_call_t  *call;

    call = ngx_pcalloc(job->pool, sizeof(ngx_http_im_call_t));
    if (call == NULL) {
        return NULL;
    }

    call->op = op;
    call->job = job;
    call->pool = job->pool;
    call->pipeline = &job->pipeline;
    call->log = env->log;

    call->options = env->options;
    call->scripts = env->scripts;
    call->cache = env->cache;
    call->scope = env->scope;
    call->unique = env->unique;
    call->timeout = env->timeout;

    call->next = op->start;

    ngx_http_im_writer_init(&call->writer, call->pool, 0);

    call->args = ngx_pcalloc(call->pool, op->size);
    if (call->args == NULL) {
        return NULL;
    }

    if (conv_id->len) {
        call->conv_id.len = conv_id->len;
        call->conv_id.data = ngx_pstrdup(call->pool, conv_id);

        if (call->conv_id.data == NULL) {
            return NULL;
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call \"%V\" create job:%p", &op->name, job);

    return call;
}


ngx_int_t
ngx_http_im_call_check(ngx_http_im_call_t *call, u_char *body, size_t len)
{
    ngx_int_t  rc;

    rc = ngx_http_im_field_read(call->pool, body, len, call->op->fields,
                                call->options->group_max_members,
                                call->args, &call->error);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call fields of %uz bytes rc:%i job:%p",
                   len, rc, call->job);

    if (rc == NGX_OK && call->op->check) {
        rc = call->op->check(call);
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call check rc:%i user:\"%V\" from:\"%V\" conv:\"%V\" "
                   "job:%p", rc, &call->user, &call->from_id, &call->conv_id,
                   call->job);

    return rc;
}


ngx_int_t
ngx_http_im_call_run(ngx_http_im_call_t *call)
{
    ngx_int_t  rc;

    if (call->job->outcome != NGX_HTTP_IM_JOB_OK) {
        return ngx_http_im_call_round_failed(call);
    }

    ngx_http_im_pipeline_init(call->pipeline, call->pool);

    rc = call->next(call);

    if (call->pipeline->failed || call->writer.failed) {
        rc = NGX_ERROR;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call \"%V\" run rc:%i commands:%ui job:%p",
                   &call->op->name, rc, call->pipeline->n, call->job);

    return rc;
}


static ngx_int_t
ngx_http_im_call_round_failed(ngx_http_im_call_t *call)
{
    ngx_http_im_job_t    *job;
    ngx_http_im_error_e   id;

    job = call->job;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call round failed outcome:%ui wrote:%ui job:%p",
                   (ngx_uint_t) job->outcome, (ngx_uint_t) job->wrote, job);

    if (job->outcome == NGX_HTTP_IM_JOB_UNKNOWN || job->wrote) {
        id = call->op->write ? NGX_HTTP_IM_OUTCOME_UNKNOWN
                             : NGX_HTTP_IM_STORE_TIMEOUT;

    } else if (job->outcome == NGX_HTTP_IM_JOB_TIMEOUT) {
        id = call->op->write ? NGX_HTTP_IM_STORE_UNAVAILABLE
                             : NGX_HTTP_IM_STORE_TIMEOUT;

    } else {
        id = NGX_HTTP_IM_STORE_UNAVAILABLE;
    }

    return ngx_http_im_call_error(call, id);
}


ngx_http_im_error_e
ngx_http_im_call_code(ngx_http_im_call_t *call, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        return NGX_HTTP_IM_OK;
    }

    if (rc == NGX_DECLINED) {
        return call->error.id;
    }

    /* out of memory after a write, or while its answer was made */

    return (call->job->wrote && call->op->write) ? NGX_HTTP_IM_OUTCOME_UNKNOWN
                                                 : NGX_HTTP_IM_INTERNAL;
}


void
ngx_http_im_call_log(ngx_http_im_call_t *call, ngx_int_t rc,
    ngx_str_t *error)
{
    ngx_str_t                  none = ngx_string("-");
    const char                *reason;
    const ngx_http_im_code_t  *code;

    code = ngx_http_im_error_code(ngx_http_im_call_code(call, rc));

    if (code->status < 500) {
        return;
    }

    reason = call->job->reason;

    ngx_http_im_store_log(call->job, call->log,
                          "im %V: call: %V, from: \"%V\", conv: \"%V\", "
                          "store: %s, reply: \"%V\"",
                          &code->code, &call->op->name, &call->from_id,
                          &call->conv_id, reason ? reason : "answered",
                          error ? error : &none);
}


void
ngx_http_im_call_detach(ngx_http_im_call_t *call, ngx_log_t *log)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call \"%V\" detach job:%p",
                   &call->op->name, call->job);

    call->log = log;

    ngx_http_im_writer_init(&call->writer, call->pool, 0);
}


ngx_int_t
ngx_http_im_call_continue(ngx_http_im_call_t *call, ngx_http_im_step_pt step)
{
    /* a pipeline that has failed may be empty: the call ends in run() */

    if (call->pipeline->n == 0 && !call->pipeline->failed) {
        return step(call);
    }

    call->next = step;

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_im_call_error(ngx_http_im_call_t *call, ngx_http_im_error_e id)
{
    /* who is not in a 1:1 must not learn that there is one */

    if (id == NGX_HTTP_IM_NOT_MEMBER && call->pair && call->user.len) {
        id = NGX_HTTP_IM_CONV_NOT_FOUND;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call error \"%V\" job:%p",
                   &ngx_http_im_error_code(id)->code, call->job);

    return ngx_http_im_error_set(call->pool, &call->error, id, NULL);
}


ngx_int_t
ngx_http_im_call_store_error(ngx_http_im_call_t *call)
{
    return ngx_http_im_call_error(call, NGX_HTTP_IM_STORE_ERROR);
}


ngx_int_t
ngx_http_im_call_contradiction(ngx_http_im_call_t *call, const char *reason)
{
    call->job->reason = reason;

    return ngx_http_im_call_store_error(call);
}


ngx_int_t
ngx_http_im_call_check_user_id(ngx_http_im_call_t *call, const char *field,
    ngx_str_t *id)
{
    if (ngx_http_im_id_user_valid(id)) {
        return NGX_OK;
    }

    return ngx_http_im_error_set(call->pool, &call->error,
                                 NGX_HTTP_IM_BAD_REQUEST,
                                 "%s must be " NGX_HTTP_IM_ID_USER_FORM,
                                 field);
}


ngx_int_t
ngx_http_im_call_check_user(ngx_http_im_call_t *call, const char *field,
    ngx_str_t *id)
{
    if (call->user.len == 0 || ngx_http_im_str_eq(&call->user, id)) {
        return NGX_OK;
    }

    return ngx_http_im_error_set(call->pool, &call->error,
                                 NGX_HTTP_IM_FORBIDDEN,
                                 "%s must be the caller's own id", field);
}
