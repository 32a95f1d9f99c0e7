
#include "ngx_http_im_job.h"


#define NGX_HTTP_IM_JOB_POOL_SIZE     8192
#define NGX_HTTP_IM_JOB_POOL_BLOCKS   4
#define NGX_HTTP_IM_JOBS_FREE         256

/* bytes of replies that jobs are run for in a turn, and what each counts */
#define NGX_HTTP_IM_RUN_TURN          65536
#define NGX_HTTP_IM_RUN_JOB           1024

/* what a caller may hold though others hold too much, up to four times that */
#define NGX_HTTP_IM_HELD_SMALL        (1024 * 1024)


static void ngx_http_im_jobs_run_handler(ngx_event_t *ev);
static void ngx_http_im_job_outcome(ngx_http_im_job_t *job);


ngx_int_t
ngx_http_im_jobs_init(ngx_http_im_jobs_t *jobs, ngx_http_im_stat_t *stat,
    ngx_log_t *log)
{
    ngx_uint_t  i;

    ngx_queue_init(&jobs->ready);
    ngx_queue_init(&jobs->free);

    jobs->stat = stat;
    jobs->log = log;

    for (i = 0; i <= NGX_HTTP_IM_JOB_UNKNOWN; i++) {
        ngx_http_im_log_limit_init(&jobs->limits[i], log);
    }

    jobs->run.handler = ngx_http_im_jobs_run_handler;
    jobs->run.data = jobs;
    jobs->run.log = log;

    return ngx_http_im_callers_init(&jobs->callers, log);
}


void
ngx_http_im_jobs_free(ngx_http_im_jobs_t *jobs)
{
    ngx_uint_t  i;

    if (jobs->run.posted) {
        ngx_delete_posted_event(&jobs->run);
    }

    for (i = 0; i <= NGX_HTTP_IM_JOB_UNKNOWN; i++) {
        ngx_http_im_log_limit_close(&jobs->limits[i]);
    }

    ngx_http_im_jobs_destroy(&jobs->free);
    ngx_http_im_callers_free(&jobs->callers);
}


void
ngx_http_im_jobs_destroy(ngx_queue_t *queue)
{
    ngx_queue_t        *q;
    ngx_http_im_job_t  *job;

    while (!ngx_queue_empty(queue)) {
        q = ngx_queue_head(queue);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_im_job_t, queue);

        if (job->caller) {
            ngx_http_im_caller_release(&job->jobs->callers, job->caller);
        }

        ngx_destroy_pool(job->pool);
        ngx_free(job);
    }
}


ngx_http_im_job_t *
ngx_http_im_job_create(ngx_http_im_jobs_t *jobs)
{
    ngx_pool_t         *pool;
    ngx_queue_t        *q;
    ngx_http_im_job_t  *job;

    if (!ngx_queue_empty(&jobs->free)) {
        q = ngx_queue_head(&jobs->free);
        ngx_queue_remove(q);
        jobs->nfree--;

        job = ngx_queue_data(q, ngx_http_im_job_t, queue);
        pool = job->pool;

    } else {
        job = ngx_alloc(sizeof(ngx_http_im_job_t), jobs->log);
        if (job == NULL) {
            return NULL;
        }

        pool = ngx_create_pool(NGX_HTTP_IM_JOB_POOL_SIZE, jobs->log);
        if (pool == NULL) {
            ngx_free(job);
            return NULL;
        }
    }

    ngx_memzero(job, sizeof(ngx_http_im_job_t));

    job->pool = pool;
    job->jobs = jobs;
    job->start = ngx_current_msec;

    ngx_http_im_pipeline_init(&job->pipeline, pool);

    jobs->n++;
    ngx_http_im_stat_set(jobs->stat, NGX_HTTP_IM_STAT_JOBS, jobs->n);

    return job;
}


void
ngx_http_im_job_free(ngx_http_im_job_t *job)
{
    ngx_uint_t           n;
    ngx_pool_t          *pool;
    ngx_http_im_jobs_t  *jobs;

    jobs = job->jobs;
    jobs->n--;
    ngx_http_im_stat_set(jobs->stat, NGX_HTTP_IM_STAT_JOBS, jobs->n);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, jobs->log, 0,
                   "im job:%p free, in use:%ui", job, jobs->n);

    if (job->caller) {
        jobs->held -= job->held;
        job->caller->held -= job->held;

        ngx_http_im_caller_release(&jobs->callers, job->caller);
        job->caller = NULL;
    }

    for (n = 0, pool = job->pool; pool; pool = pool->d.next) {
        n++;
    }

    if (jobs->nfree >= NGX_HTTP_IM_JOBS_FREE
        || n > NGX_HTTP_IM_JOB_POOL_BLOCKS)
    {
        ngx_destroy_pool(job->pool);
        ngx_free(job);
        return;
    }

    ngx_reset_pool(job->pool);

    ngx_queue_insert_head(&jobs->free, &job->queue);
    jobs->nfree++;
}


ngx_pool_t *
ngx_http_im_job_pool_take(ngx_http_im_job_t *job)
{
    ngx_pool_t  *pool, *taken;

    /* commands that are in flight would need it */

    if (job->outstanding) {
        return NULL;
    }

    pool = ngx_create_pool(NGX_HTTP_IM_JOB_POOL_SIZE, job->jobs->log);
    if (pool == NULL) {
        return NULL;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, job->jobs->log, 0,
                   "im job:%p pool taken:%p held:%uz",
                   job, job->pool, job->held);

    taken = job->pool;
    job->pool = pool;

    ngx_http_im_pipeline_init(&job->pipeline, pool);

    return taken;
}


void
ngx_http_im_job_post(ngx_http_im_job_t *job)
{
    if (!job->posted) {
        job->posted = 1;
        ngx_queue_insert_tail(&job->jobs->ready, &job->ready);
    }

    ngx_post_event(&job->jobs->run, &ngx_posted_events);
}


/*
 * Handlers run from here only, so that they may submit, release, finalize
 * requests and close client connections while no queue is being walked.
 */

static void
ngx_http_im_jobs_run_handler(ngx_event_t *ev)
{
    size_t               size;
    ngx_queue_t         *q;
    ngx_http_im_job_t   *job;
    ngx_http_im_jobs_t  *jobs;

    jobs = ev->data;
    size = 0;

    while (!ngx_queue_empty(&jobs->ready)) {

        if (size >= NGX_HTTP_IM_RUN_TURN) {

            /* other events are handled before the rest */

            ngx_log_debug2(NGX_LOG_DEBUG_HTTP, jobs->log, 0,
                           "im jobs:%p the rest later, after %uz bytes",
                           jobs, size);

            if (ev->posted) {
                ngx_delete_posted_event(ev);
            }

            ngx_post_event(ev, &ngx_posted_next_events);

            return;
        }

        q = ngx_queue_head(&jobs->ready);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_im_job_t, ready);
        job->posted = 0;

        if (job->queued) {
            job->queued = 0;
            ngx_http_im_stat_round(jobs->stat,
                                   ngx_current_msec - job->submitted);
        }

        size += NGX_HTTP_IM_RUN_JOB + job->size;
        job->size = 0;

        ngx_http_im_job_outcome(job);

        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, jobs->log, 0,
                       "im job:%p round is over, outcome:%d reason:%s %Mms",
                       job, job->outcome, job->reason ? job->reason : "-",
                       ngx_current_msec - job->start);

        job->handler(job);
    }
}


static void
ngx_http_im_job_outcome(ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t      *cmd;
    ngx_http_im_outcome_e   worst, outcome;

    worst = job->refused ? NGX_HTTP_IM_JOB_UNAVAILABLE : NGX_HTTP_IM_JOB_OK;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        if (cmd->optional) {
            continue;
        }

        switch (cmd->state) {

        case NGX_HTTP_IM_CMD_DONE:

            if (ngx_http_im_cmd_is_write(cmd)
                && cmd->reply.type != NGX_HTTP_IM_REPLY_ERROR)
            {
                job->wrote = 1;
            }

            continue;

        case NGX_HTTP_IM_CMD_SENT:       /* expired */
        case NGX_HTTP_IM_CMD_UNKNOWN:
            outcome = ngx_http_im_cmd_is_write(cmd) ? NGX_HTTP_IM_JOB_UNKNOWN
                                                    : NGX_HTTP_IM_JOB_TIMEOUT;
            break;

        default:
            outcome = NGX_HTTP_IM_JOB_UNAVAILABLE;
        }

        worst = ngx_max(worst, outcome);
    }

    job->outcome = worst;

    if (worst == NGX_HTTP_IM_JOB_UNKNOWN || (worst && job->wrote)) {
        ngx_http_im_stat_inc(job->jobs->stat, NGX_HTTP_IM_STAT_UNKNOWN);
    }
}


/*
 * A write that was sent a second time may have been executed the first time,
 * whatever becomes of the second attempt.
 */

ngx_http_im_cmd_e
ngx_http_im_cmd_final(ngx_http_im_cmd_t *cmd, ngx_http_im_cmd_e state)
{
    return (state == NGX_HTTP_IM_CMD_REFUSED && cmd->executed
            && ngx_http_im_cmd_is_write(cmd))
           ? NGX_HTTP_IM_CMD_UNKNOWN : state;
}


void
ngx_http_im_cmd_complete(ngx_http_im_cmd_t *cmd, ngx_http_im_cmd_e state)
{
    ngx_http_im_job_t  *job;

    job = cmd->job;

    cmd->state = ngx_http_im_cmd_final(cmd, state);
    job->size += cmd->size;
    job->outstanding--;

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, job->jobs->log, 0,
                   "im cmd:%p complete, job:%p state:%d size:%uz left:%ui",
                   cmd, job, cmd->state, cmd->size, job->outstanding);

    if (job->outstanding) {
        return;
    }

    if (job->released) {
        ngx_http_im_job_free(job);
        return;
    }

    if (!job->expired) {
        ngx_http_im_job_post(job);
    }
}


void
ngx_http_im_job_drop_waiting(ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t  *cmd;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        if (cmd->state != NGX_HTTP_IM_CMD_WAITING) {
            continue;
        }

        if (cmd->flow) {
            ngx_http_im_flow_drop(cmd->flow->sched, cmd);

        } else {

            /* see ngx_http_im_delay.h */

            ngx_queue_remove(&cmd->queue);
            job->jobs->delayed--;
        }

        cmd->state = ngx_http_im_cmd_final(cmd, NGX_HTTP_IM_CMD_REFUSED);
        job->outstanding--;
    }
}


void
ngx_http_im_job_judge(ngx_http_im_job_t *job)
{
    const char  *reason;

    reason = ngx_http_im_job_memory(job);

    if (reason == NULL || job->refused) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, job->jobs->log, 0,
                   "im job:%p refused: %s, outstanding:%ui",
                   job, reason, job->outstanding);

    job->refused = 1;
    job->reason = reason;

    ngx_http_im_stat_inc(job->jobs->stat, NGX_HTTP_IM_STAT_OVERLOADS);
    ngx_http_im_job_drop_waiting(job);
}


/*
 * What a job holds itself is no reason, so one of them can always go on.  One
 * caller may hold half; and who holds much is refused before others are, who
 * are not refused for the largest reply that there may be.
 */

const char *
ngx_http_im_job_memory(ngx_http_im_job_t *job)
{
    size_t  held;

    if (job->caller->held - job->held > NGX_HTTP_IM_HELD_MAX / 2) {
        return "too many replies of one caller are held";
    }

    held = job->jobs->held - job->held;

    if (held > 4 * NGX_HTTP_IM_HELD_MAX
        || (held > NGX_HTTP_IM_HELD_MAX
            && job->caller->held > NGX_HTTP_IM_HELD_SMALL))
    {
        return "too many replies are held";
    }

    return NULL;
}


void ngx_cdecl
ngx_http_im_store_log(ngx_http_im_job_t *job, ngx_log_t *log, const char *fmt,
    ...)
{
    va_list                   args;
    ngx_http_im_log_limit_t  *limit;

    limit = &job->jobs->limits[job->outcome];

    va_start(args, fmt);
    ngx_http_im_log_limit_va(limit, NGX_LOG_ERR, log, 0, fmt, args);
    va_end(args);
}
