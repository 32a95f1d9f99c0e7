
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
    call->random = env->random;

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


ngx_http_im_cmd_t *
ngx_http_im_call_cmd(ngx_http_im_call_t *call, ngx_uint_t kind,
    ngx_http_im_key_e what, ngx_str_t *id, ngx_str_t *argv, ngx_uint_t argc)
{
    if (ngx_http_im_key(call->pool, &argv[1], &call->options->key_prefix,
                        what, id)
        != NGX_OK)
    {
        call->pipeline->failed = 1;
        return NULL;
    }

    return ngx_http_im_cmd_add(call->pipeline, kind, 1, argv, argc);
}


ngx_http_im_cmd_t *
ngx_http_im_call_script(ngx_http_im_call_t *call, ngx_uint_t kind,
    ngx_http_im_script_e script, ngx_str_t *id, const ngx_http_im_key_e *keys,
    ngx_uint_t nkeys, ngx_str_t *argv, ngx_uint_t argc)
{
    u_char       count;
    ngx_str_t   *all;
    ngx_uint_t   i;

    all = ngx_palloc(call->pool, (1 + nkeys + argc) * sizeof(ngx_str_t));
    if (all == NULL) {
        call->pipeline->failed = 1;
        return NULL;
    }

    /* no script has more than nine keys */

    count = (u_char) ('0' + nkeys);

    all[0].data = &count;
    all[0].len = 1;

    for (i = 0; i < nkeys; i++) {
        if (ngx_http_im_key(call->pool, &all[1 + i],
                            &call->options->key_prefix, keys[i], id)
            != NGX_OK)
        {
            call->pipeline->failed = 1;
            return NULL;
        }
    }

    ngx_memcpy(&all[1 + nkeys], argv, argc * sizeof(ngx_str_t));

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call script \"%V\" conv:\"%V\" args:%ui job:%p",
                   &call->scripts[script].name, id, argc, call->job);

    return ngx_http_im_cmd_add_script(call->pipeline, kind,
                                      &call->scripts[script], all,
                                      1 + nkeys + argc);
}


ngx_int_t
ngx_http_im_call_result(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd,
    ngx_str_t *result)
{
    ngx_http_im_error_e  id;

    if (ngx_http_im_reply_string(&cmd->reply, result) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    id = ngx_http_im_error_find(result);

    return (id == NGX_HTTP_IM_OK) ? NGX_OK : ngx_http_im_call_error(call, id);
}


ngx_int_t
ngx_http_im_call_integers(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd)
{
    int64_t  n;

    for ( /* void */ ; cmd; cmd = cmd->next) {
        if (ngx_http_im_reply_int(&cmd->reply, &n) != NGX_OK) {
            return ngx_http_im_call_store_error(call);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_im_call_error(ngx_http_im_call_t *call, ngx_http_im_error_e id)
{
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
ngx_http_im_call_check_id(ngx_http_im_call_t *call, const char *field,
    ngx_str_t *id)
{
    if (ngx_http_im_id_valid(id)) {
        return NGX_OK;
    }

    return ngx_http_im_error_set(call->pool, &call->error,
                                 NGX_HTTP_IM_BAD_REQUEST,
                                 "%s must be 1 to 64 bytes of "
                                 "A-Z a-z 0-9 _ - . : @", field);
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
