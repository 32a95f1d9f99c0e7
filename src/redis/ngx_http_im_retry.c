
#include "ngx_http_im_retry.h"


static ngx_http_im_cmd_t *ngx_http_im_retry_suspect(ngx_queue_t *sent);
static void ngx_http_im_retry_unanswered(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd, ngx_uint_t suspect, const char *reason);
static void ngx_http_im_retry_failed(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd, const char *reason);


/* the reply to a command that has failed, for the log */

static const ngx_str_t  ngx_http_im_retry_error =
    ngx_string("the connection broke twice at this command");


ngx_http_im_redis_error_e
ngx_http_im_retry_reply(ngx_http_im_sched_t *sched, ngx_http_im_cmd_t *cmd,
    ngx_http_im_jobs_t *jobs)
{
    ngx_http_im_job_t          *job;
    ngx_http_im_redis_error_e   class;

    job = cmd->job;

    if (ngx_http_im_cmd_pool(cmd) == NULL) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, jobs->log, 0,
                       "im cmd:%p job:%p late reply, it is skipped", cmd, job);

        if (job->refused) {
            ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_REFUSED);
            return NGX_HTTP_IM_REDIS_ERROR_NONE;
        }

        ngx_http_im_stat_inc(jobs->stat, NGX_HTTP_IM_STAT_LATE);
        ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_UNKNOWN);
        return NGX_HTTP_IM_REDIS_ERROR_NONE;
    }

    if (cmd->reply.type != NGX_HTTP_IM_REPLY_ERROR
        || cmd->kind == NGX_HTTP_IM_SETUP)
    {
        ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_DONE);
        return NGX_HTTP_IM_REDIS_ERROR_NONE;
    }

    class = ngx_http_im_redis_error_class(&cmd->reply.str);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, jobs->log, 0,
                   "im cmd:%p job:%p error class:%d \"%V\"",
                   cmd, job, class, &cmd->reply.str);

    if (class == NGX_HTTP_IM_REDIS_ERROR_NONE) {
        ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_DONE);
        return class;
    }

    if (class == NGX_HTTP_IM_REDIS_ERROR_NOSCRIPT
        && ngx_http_im_cmd_eval(cmd, job->pool) == NGX_OK)
    {
        ngx_http_im_retry_return(sched, cmd);
        return class;
    }

    job->reason = "the store refused the command";

    ngx_http_im_stat_inc(jobs->stat, NGX_HTTP_IM_STAT_REFUSALS);
    ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_REFUSED);

    return class;
}


void
ngx_http_im_retry_refuse(ngx_http_im_sched_t *sched, const char *reason)
{
    ngx_http_im_cmd_t  *cmd;

    while ((cmd = ngx_http_im_sched_next(sched)) != NULL) {
        cmd->job->reason = reason;

        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, sched->flush->log, 0,
                       "im cmd:%p job:%p refused: %s", cmd, cmd->job, reason);

        ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_REFUSED);
    }
}


void
ngx_http_im_retry_complete(ngx_http_im_sched_t *sched, ngx_http_im_cmd_t *cmd,
    ngx_http_im_cmd_e state)
{
    if (cmd->kind != NGX_HTTP_IM_SETUP) {
        ngx_http_im_flow_release(sched, cmd);
    }

    ngx_http_im_cmd_complete(cmd, state);
}


void
ngx_http_im_retry_return(ngx_http_im_sched_t *sched, ngx_http_im_cmd_t *cmd)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, sched->flush->log, 0,
                   "im cmd:%p job:%p returns to its flow, suspect:%ui",
                   cmd, cmd->job, (ngx_uint_t) cmd->suspect);

    cmd->state = NGX_HTTP_IM_CMD_WAITING;
    cmd->replied = 0;

    ngx_http_im_flow_release(sched, cmd);
    ngx_http_im_flow_return(sched, cmd);

    ngx_post_event(sched->flush, &ngx_posted_events);
}


void
ngx_http_im_retry_lost(ngx_http_im_sched_t *sched, ngx_queue_t *sent,
    const char *reason, ngx_log_t *log)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd, *suspect;

    suspect = ngx_http_im_retry_suspect(sent);

    while (!ngx_queue_empty(sent)) {
        q = ngx_queue_head(sent);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        ngx_log_debug5(NGX_LOG_DEBUG_HTTP, log, 0,
                       "im cmd:%p job:%p lost, state:%d replied:%ui "
                       "suspect:%ui", cmd, cmd->job, cmd->state,
                       (ngx_uint_t) cmd->replied,
                       (ngx_uint_t) (cmd == suspect));

        ngx_http_im_retry_unanswered(sched, cmd, cmd == suspect, reason);
    }
}


/*
 * If all have replies, it was one of these that was wrong, and any may be the
 * suspect.
 */

static ngx_http_im_cmd_t *
ngx_http_im_retry_suspect(ngx_queue_t *sent)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    if (ngx_queue_empty(sent)) {
        return NULL;
    }

    for (q = ngx_queue_head(sent);
         q != ngx_queue_sentinel(sent);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        if (!cmd->replied) {
            return cmd;
        }
    }

    q = ngx_queue_head(sent);

    return ngx_queue_data(q, ngx_http_im_cmd_t, queue);
}


static void
ngx_http_im_retry_unanswered(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd, ngx_uint_t suspect, const char *reason)
{
    if (cmd->kind == NGX_HTTP_IM_SETUP) {
        ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_UNKNOWN);
        return;
    }

    if (cmd->state == NGX_HTTP_IM_CMD_WAITING) {
        ngx_http_im_retry_return(sched, cmd);
        return;
    }

    cmd->executed = 1;

    if (ngx_http_im_cmd_pool(cmd) && ngx_http_im_cmd_is_idempotent(cmd)
        && !(suspect && cmd->suspect))
    {
        cmd->suspect |= suspect;

        ngx_http_im_retry_return(sched, cmd);
        return;
    }

    if (suspect) {
        ngx_http_im_flow_remember(sched, cmd->flow);
    }

    ngx_http_im_retry_failed(sched, cmd, reason);
}


/* whether a write was executed is unknown; a read has an error for a reply */

static void
ngx_http_im_retry_failed(ngx_http_im_sched_t *sched, ngx_http_im_cmd_t *cmd,
    const char *reason)
{
    if (ngx_http_im_cmd_pool(cmd) == NULL || ngx_http_im_cmd_is_write(cmd)) {
        cmd->job->reason = reason;
        ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_UNKNOWN);
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sched->flush->log, 0,
                   "im cmd:%p job:%p failed, an error for a reply",
                   cmd, cmd->job);

    cmd->job->reason = reason;

    cmd->reply.type = NGX_HTTP_IM_REPLY_ERROR;
    cmd->reply.str = ngx_http_im_retry_error;

    ngx_http_im_retry_complete(sched, cmd, NGX_HTTP_IM_CMD_DONE);
}


ngx_uint_t
ngx_http_im_retry_is_alone(ngx_http_im_cmd_t *cmd)
{
    return cmd->suspect || ngx_http_im_flow_is_remembered(cmd->flow);
}
