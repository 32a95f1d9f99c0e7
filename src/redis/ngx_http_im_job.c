
#include "ngx_http_im_conn.h"


#define NGX_HTTP_IM_JOB_POOL_SIZE     8192
#define NGX_HTTP_IM_JOB_POOL_BLOCKS   4
#define NGX_HTTP_IM_JOBS_FREE         256
#define NGX_HTTP_IM_WAITING_MAX       (64 * 1024 * 1024)
#define NGX_HTTP_IM_READ_BUFFER       65536

/*
 * So many jobs go out in one write.  More would save calls of the kernel, but
 * Redis would stand still while this worker prepares them, and this worker
 * while Redis answers all of them.
 */
#define NGX_HTTP_IM_FLUSH_JOBS        12
/* bytes of replies that jobs are run for in a turn, and what each counts */
#define NGX_HTTP_IM_RUN_TURN          65536
#define NGX_HTTP_IM_RUN_JOB           1024


static void ngx_http_im_redis_free_job(ngx_http_im_job_t *job);
static void ngx_http_im_redis_free_jobs(ngx_queue_t *jobs);
static void ngx_http_im_redis_post(ngx_http_im_job_t *job);
static void ngx_http_im_redis_run_handler(ngx_event_t *ev);
static void ngx_http_im_redis_outcome(ngx_http_im_job_t *job);
static ngx_http_im_cmd_e ngx_http_im_redis_fate(ngx_http_im_cmd_t *cmd,
    ngx_http_im_cmd_e state);
static void ngx_http_im_redis_paid(ngx_http_im_redis_t *redis,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_redis_drop_waiting(ngx_http_im_job_t *job);
static void ngx_http_im_redis_refuse(ngx_http_im_job_t *job,
    const char *reason);
static void ngx_http_im_redis_flush_handler(ngx_event_t *ev);
static void ngx_http_im_redis_timer_handler(ngx_event_t *ev);
static void ngx_http_im_redis_check(ngx_http_im_redis_t *redis);
static void ngx_http_im_redis_arm(ngx_http_im_redis_t *redis);
static const char *ngx_http_im_redis_full(ngx_http_im_redis_t *redis,
    ngx_http_im_lane_t *lane);
static ngx_uint_t ngx_http_im_redis_reachable(ngx_http_im_redis_t *redis);
static const char *ngx_http_im_redis_reason(ngx_http_im_redis_t *redis);


ngx_http_im_redis_t *
ngx_http_im_redis(ngx_http_im_redis_conf_t *store)
{
    ngx_int_t             i;
    ngx_http_im_redis_t  *redis;

    if (store->redis) {
        return store->redis;
    }

    redis = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_im_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    redis->store = store;
    redis->count = store->count;
    redis->log = ngx_cycle->log;

    /* nginx would log every failed attempt, some of them as critical */

    redis->quiet = *ngx_cycle->log;
    redis->quiet.log_level = NGX_LOG_ALERT;

    ngx_http_im_lanes_init(&redis->lanes);

    ngx_queue_init(&redis->deadlines);
    ngx_queue_init(&redis->ready);
    ngx_queue_init(&redis->free);

    redis->flush.handler = ngx_http_im_redis_flush_handler;
    redis->flush.data = redis;
    redis->flush.log = redis->log;

    redis->run.handler = ngx_http_im_redis_run_handler;
    redis->run.data = redis;
    redis->run.log = redis->log;

    redis->timer.handler = ngx_http_im_redis_timer_handler;
    redis->timer.data = redis;
    redis->timer.log = redis->log;
    redis->timer.cancelable = 1;

    redis->buf = ngx_palloc(ngx_cycle->pool, NGX_HTTP_IM_READ_BUFFER);
    redis->conns = ngx_pcalloc(ngx_cycle->pool, store->connections
                                                * sizeof(ngx_http_im_conn_t));

    if (redis->buf == NULL || redis->conns == NULL) {
        return NULL;
    }

    for (i = 0; i < store->connections; i++) {
        if (ngx_http_im_conn_init(&redis->conns[i], redis) != NGX_OK) {
            return NULL;
        }
    }

    store->redis = redis;

    ngx_http_im_stat_set(redis->count, NGX_HTTP_IM_STAT_CONNECTIONS,
                         store->connections);

    for (i = 0; i < store->connections; i++) {
        ngx_http_im_conn_connect(&redis->conns[i]);
    }

    return redis;
}


void
ngx_http_im_redis_close(ngx_http_im_redis_conf_t *store)
{
    ngx_int_t             i;
    ngx_http_im_redis_t  *redis;

    redis = store->redis;

    if (redis == NULL) {
        return;
    }

    for (i = 0; i < store->connections; i++) {
        ngx_http_im_conn_close(&redis->conns[i]);
    }

    ngx_http_im_redis_free_jobs(&redis->deadlines);
    ngx_http_im_redis_free_jobs(&redis->free);
}


/* no handler runs any more */

static void
ngx_http_im_redis_free_jobs(ngx_queue_t *jobs)
{
    ngx_queue_t        *q;
    ngx_http_im_job_t  *job;

    while (!ngx_queue_empty(jobs)) {
        q = ngx_queue_head(jobs);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_im_job_t, queue);

        ngx_destroy_pool(job->pool);
        ngx_free(job);
    }
}


ngx_http_im_job_t *
ngx_http_im_redis_job(ngx_http_im_redis_t *redis)
{
    ngx_pool_t         *pool;
    ngx_queue_t        *q;
    ngx_http_im_job_t  *job;

    if (!ngx_queue_empty(&redis->free)) {
        q = ngx_queue_head(&redis->free);
        ngx_queue_remove(q);
        redis->nfree--;

        job = ngx_queue_data(q, ngx_http_im_job_t, queue);
        pool = job->pool;

    } else {
        job = ngx_alloc(sizeof(ngx_http_im_job_t), redis->log);
        if (job == NULL) {
            return NULL;
        }

        pool = ngx_create_pool(NGX_HTTP_IM_JOB_POOL_SIZE, redis->log);
        if (pool == NULL) {
            ngx_free(job);
            return NULL;
        }
    }

    ngx_memzero(job, sizeof(ngx_http_im_job_t));

    job->pool = pool;
    job->redis = redis;
    job->start = ngx_current_msec;

    ngx_http_im_pipeline_init(&job->pipeline, pool);

    redis->jobs++;
    ngx_http_im_stat_set(redis->count, NGX_HTTP_IM_STAT_JOBS, redis->jobs);

    return job;
}


void
ngx_http_im_redis_caller(ngx_http_im_job_t *job, ngx_str_t *caller)
{
    job->lane = ngx_http_im_lanes_find(&job->redis->lanes, caller);
    job->lane->jobs++;
}


void
ngx_http_im_redis_release(ngx_http_im_job_t *job)
{
    job->released = 1;

    if (job->timed) {
        job->timed = 0;
        ngx_queue_remove(&job->queue);
        job->redis->timer.cancelable =
                                  ngx_queue_empty(&job->redis->deadlines);
    }

    if (job->posted) {
        job->posted = 0;
        ngx_queue_remove(&job->ready);
    }

    if (job->outstanding) {
        ngx_http_im_redis_drop_waiting(job);
    }

    if (job->outstanding == 0) {
        ngx_http_im_redis_free_job(job);
    }
}


static void
ngx_http_im_redis_free_job(ngx_http_im_job_t *job)
{
    ngx_uint_t            n;
    ngx_pool_t           *pool;
    ngx_http_im_redis_t  *redis;

    redis = job->redis;
    redis->jobs--;
    ngx_http_im_stat_set(redis->count, NGX_HTTP_IM_STAT_JOBS, redis->jobs);

    if (job->lane) {
        job->lane->jobs--;
    }

    for (n = 0, pool = job->pool; pool; pool = pool->d.next) {
        n++;
    }

    if (redis->nfree >= NGX_HTTP_IM_JOBS_FREE
        || n > NGX_HTTP_IM_JOB_POOL_BLOCKS)
    {
        ngx_destroy_pool(job->pool);
        ngx_free(job);
        return;
    }

    ngx_reset_pool(job->pool);

    ngx_queue_insert_head(&redis->free, &job->queue);
    redis->nfree++;
}


void
ngx_http_im_redis_submit(ngx_http_im_job_t *job)
{
    const char           *reason;
    ngx_http_im_cmd_t    *cmd;
    ngx_http_im_redis_t  *redis;

    redis = job->redis;

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, redis->log, 0,
                   "im redis submit job:%p commands:%ui waiting:%uz",
                   job, job->pipeline.n, redis->lanes.size);

    if (!job->timed) {

        if (job->deadline) {
            ngx_http_im_stat_inc(redis->count, NGX_HTTP_IM_STAT_TIMEOUTS);
            ngx_http_im_redis_refuse(job, "no answer in time");
            return;
        }

        job->timed = 1;
        job->deadline = ngx_current_msec + redis->store->timeout;
        ngx_queue_insert_tail(&redis->deadlines, &job->queue);
        ngx_http_im_redis_arm(redis);

        reason = ngx_http_im_redis_full(redis, job->lane);

        if (reason) {
            ngx_http_im_stat_inc(redis->count, NGX_HTTP_IM_STAT_OVERLOADS);
            ngx_http_im_redis_refuse(job, reason);
            return;
        }
    }

    if (!ngx_http_im_redis_reachable(redis)) {
        ngx_http_im_redis_refuse(job, ngx_http_im_redis_reason(redis));
        return;
    }

    job->commands += job->pipeline.n;
    job->outstanding += job->pipeline.n;
    job->asked = ngx_current_msec;
    job->queued = 1;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {
        cmd->job = job;
        cmd->lane = job->lane;
        cmd->state = NGX_HTTP_IM_CMD_WAITING;
        ngx_http_im_lane_push(&redis->lanes, cmd);
    }

    ngx_http_im_redis_wait(redis, job->pipeline.n);

    if (++redis->unflushed < NGX_HTTP_IM_FLUSH_JOBS) {
        ngx_post_event(&redis->flush, &ngx_posted_events);
        return;
    }

    ngx_http_im_redis_flush_handler(&redis->flush);
}


/* one caller may take half of what there is, so that others find room */

static const char *
ngx_http_im_redis_full(ngx_http_im_redis_t *redis, ngx_http_im_lane_t *lane)
{
    ngx_uint_t  max;

    max = redis->store->max_pending;

    if (redis->jobs > max || redis->lanes.size > NGX_HTTP_IM_WAITING_MAX) {
        return "too many requests are pending";
    }

    if (lane->jobs > (max + 1) / 2
        || lane->size > NGX_HTTP_IM_WAITING_MAX / 2)
    {
        return "too many requests of one caller are pending";
    }

    return NULL;
}


static ngx_uint_t
ngx_http_im_redis_reachable(ngx_http_im_redis_t *redis)
{
    ngx_int_t  i;

    for (i = 0; i < redis->store->connections; i++) {

        if (redis->conns[i].state == NGX_HTTP_IM_CONN_READY) {
            return 1;
        }

        if (redis->conns[i].state != NGX_HTTP_IM_CONN_DOWN && !redis->down) {
            return 1;
        }
    }

    return 0;
}


static const char *
ngx_http_im_redis_reason(ngx_http_im_redis_t *redis)
{
    return redis->wanting ? "the store is weaker than required"
                          : "no connection";
}


/* the round is over before anything of it was queued */

static void
ngx_http_im_redis_refuse(ngx_http_im_job_t *job, const char *reason)
{
    ngx_http_im_cmd_t  *cmd;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {
        cmd->state = NGX_HTTP_IM_CMD_REFUSED;
    }

    job->reason = reason;

    ngx_http_im_redis_post(job);
}


static void
ngx_http_im_redis_post(ngx_http_im_job_t *job)
{
    if (!job->posted) {
        job->posted = 1;
        ngx_queue_insert_tail(&job->redis->ready, &job->ready);
    }

    ngx_post_event(&job->redis->run, &ngx_posted_events);
}


/*
 * Handlers run from here only, so that they may submit, release, finalize
 * requests and close client connections while no queue is being walked.
 */

static void
ngx_http_im_redis_run_handler(ngx_event_t *ev)
{
    size_t                size;
    ngx_queue_t          *q;
    ngx_http_im_job_t    *job;
    ngx_http_im_redis_t  *redis;

    redis = ev->data;
    size = 0;

    while (!ngx_queue_empty(&redis->ready)) {

        if (size >= NGX_HTTP_IM_RUN_TURN) {

            /* others are served before the rest */

            if (ev->posted) {
                ngx_delete_posted_event(ev);
            }

            ngx_post_event(ev, &ngx_posted_next_events);

            return;
        }

        q = ngx_queue_head(&redis->ready);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_im_job_t, ready);
        job->posted = 0;

        if (job->queued) {
            job->queued = 0;
            ngx_http_im_stat_round(redis->count,
                                   ngx_current_msec - job->asked);
        }

        size += NGX_HTTP_IM_RUN_JOB + job->size;
        job->size = 0;

        ngx_http_im_redis_outcome(job);

        job->handler(job);
    }
}


static void
ngx_http_im_redis_outcome(ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t      *cmd;
    ngx_http_im_outcome_e   worst, outcome;

    worst = NGX_HTTP_IM_JOB_OK;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        switch (cmd->state) {

        case NGX_HTTP_IM_CMD_DONE:

            if (cmd->write && cmd->reply.type != NGX_HTTP_IM_REPLY_ERROR) {
                job->wrote = 1;
            }

            continue;

        case NGX_HTTP_IM_CMD_SENT:       /* expired */
        case NGX_HTTP_IM_CMD_UNKNOWN:
            outcome = cmd->write ? NGX_HTTP_IM_JOB_UNKNOWN
                                 : NGX_HTTP_IM_JOB_TIMEOUT;
            break;

        default:
            outcome = NGX_HTTP_IM_JOB_UNAVAILABLE;
        }

        worst = ngx_max(worst, outcome);
    }

    job->outcome = worst;

    if (worst == NGX_HTTP_IM_JOB_UNKNOWN || (worst && job->wrote)) {
        ngx_http_im_stat_inc(job->redis->count, NGX_HTTP_IM_STAT_UNKNOWN);
    }
}


/*
 * A write that goes out for the second time may have been executed the first
 * time, whatever becomes of this one.
 */

static ngx_http_im_cmd_e
ngx_http_im_redis_fate(ngx_http_im_cmd_t *cmd, ngx_http_im_cmd_e state)
{
    return (state == NGX_HTTP_IM_CMD_REFUSED && cmd->write && cmd->retried)
           ? NGX_HTTP_IM_CMD_UNKNOWN : state;
}


void
ngx_http_im_redis_settle(ngx_http_im_cmd_t *cmd, ngx_http_im_cmd_e state)
{
    ngx_http_im_job_t  *job;

    job = cmd->job;

    ngx_http_im_redis_paid(job->redis, cmd);

    cmd->state = ngx_http_im_redis_fate(cmd, state);
    job->size += cmd->size;
    job->outstanding--;

    if (job->outstanding || job->expired) {

        if (job->outstanding == 0 && job->released) {
            ngx_http_im_redis_free_job(job);
        }

        return;
    }

    if (job->released) {
        ngx_http_im_redis_free_job(job);
        return;
    }

    ngx_http_im_redis_post(job);
}


void
ngx_http_im_redis_requeue(ngx_http_im_redis_t *redis, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_redis_paid(redis, cmd);

    cmd->state = NGX_HTTP_IM_CMD_WAITING;
    ngx_http_im_lane_return(&redis->lanes, cmd);
    ngx_http_im_redis_wait(redis, 1);

    ngx_post_event(&redis->flush, &ngx_posted_events);
}


/* the store owes nothing for it any more: others may be written */

static void
ngx_http_im_redis_paid(ngx_http_im_redis_t *redis, ngx_http_im_cmd_t *cmd)
{
    if (cmd->owed == 0) {
        return;
    }

    ngx_http_im_lane_settle(&redis->lanes, cmd);

    if (ngx_http_im_lanes_ready(&redis->lanes)) {
        ngx_post_event(&redis->flush, &ngx_posted_events);
    }
}


/* commands nobody waits for any more and no byte of which was written */

static void
ngx_http_im_redis_drop_waiting(ngx_http_im_job_t *job)
{
    ngx_uint_t          n;
    ngx_http_im_cmd_t  *cmd;

    for (n = 0, cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        if (cmd->state == NGX_HTTP_IM_CMD_WAITING) {
            ngx_http_im_lane_drop(&job->redis->lanes, cmd);
            cmd->state = ngx_http_im_redis_fate(cmd, NGX_HTTP_IM_CMD_REFUSED);
            n++;
        }
    }

    job->outstanding -= n;

    ngx_http_im_redis_wait(job->redis, -(ngx_int_t) n);
}


void
ngx_http_im_redis_up(ngx_http_im_redis_t *redis)
{
    redis->down = 0;
    redis->changed = ngx_current_msec;

    ngx_post_event(&redis->flush, &ngx_posted_events);
}


void
ngx_http_im_redis_down(ngx_http_im_redis_t *redis)
{
    ngx_http_im_cmd_t  *cmd;
    ngx_http_im_job_t  *job;

    redis->down = 1;

    if (ngx_http_im_redis_reachable(redis)) {
        return;
    }

    /* nothing was sent that has no answer, so no lane is full */

    while ((cmd = ngx_http_im_lanes_next(&redis->lanes)) != NULL) {
        ngx_http_im_redis_wait(redis, -1);

        job = cmd->job;
        job->reason = ngx_http_im_redis_reason(redis);

        ngx_http_im_redis_settle(cmd, NGX_HTTP_IM_CMD_REFUSED);
    }
}


/* at the end of a turn of the event loop, and within a busy one */

static void
ngx_http_im_redis_flush_handler(ngx_event_t *ev)
{
    ngx_int_t             i, n;
    ngx_http_im_conn_t   *conn;
    ngx_http_im_redis_t  *redis;

    redis = ev->data;
    redis->unflushed = 0;
    n = redis->store->connections;

    for (i = 0; i < n && ngx_http_im_lanes_ready(&redis->lanes); i++) {
        conn = &redis->conns[redis->next++ % n];

        if (conn->state == NGX_HTTP_IM_CONN_READY) {
            ngx_http_im_conn_flush(conn);
        }
    }
}


static void
ngx_http_im_redis_arm(ngx_http_im_redis_t *redis)
{
    ngx_queue_t        *q;
    ngx_msec_int_t      ms;
    ngx_http_im_job_t  *job;

    /*
     * One timer for all jobs: they have the same timeout, so the queue is in
     * the order of deadlines.  While there are jobs it must keep a worker
     * that was told to quit from leaving, so it is not cancelable then.
     */

    redis->timer.cancelable = 0;

    if (redis->timer.timer_set) {
        return;
    }

    q = ngx_queue_head(&redis->deadlines);
    job = ngx_queue_data(q, ngx_http_im_job_t, queue);

    ms = (ngx_msec_int_t) (job->deadline - ngx_current_msec);

    ngx_add_timer(&redis->timer, ms > 0 ? ms : 1);
}


static void
ngx_http_im_redis_timer_handler(ngx_event_t *ev)
{
    ngx_queue_t          *q;
    ngx_http_im_job_t    *job;
    ngx_http_im_redis_t  *redis;

    redis = ev->data;

    while (!ngx_queue_empty(&redis->deadlines)) {
        q = ngx_queue_head(&redis->deadlines);
        job = ngx_queue_data(q, ngx_http_im_job_t, queue);

        if ((ngx_msec_int_t) (job->deadline - ngx_current_msec) > 0) {
            break;
        }

        ngx_queue_remove(q);
        job->timed = 0;

        if (job->posted) {
            /* its round is over, the handler is about to run */
            continue;
        }

        job->expired = 1;
        job->reason = "no answer in time";

        ngx_http_im_stat_inc(redis->count, NGX_HTTP_IM_STAT_TIMEOUTS);
        ngx_http_im_redis_drop_waiting(job);
        ngx_http_im_redis_post(job);
    }

    ngx_http_im_redis_check(redis);

    if (ngx_queue_empty(&redis->deadlines)) {
        redis->timer.cancelable = 1;

    } else {
        ngx_http_im_redis_arm(redis);
    }
}


/* a server that owes a reply and makes none whole in time is stuck */

static void
ngx_http_im_redis_check(ngx_http_im_redis_t *redis)
{
    ngx_int_t            i;
    ngx_msec_t           timeout, waited, again;
    ngx_http_im_conn_t  *conn;

    timeout = redis->store->timeout;
    again = NGX_TIMER_INFINITE;

    for (i = 0; i < redis->store->connections; i++) {
        conn = &redis->conns[i];

        if (conn->state != NGX_HTTP_IM_CONN_READY
            || ngx_queue_empty(&conn->sent))
        {
            continue;
        }

        waited = ngx_current_msec - conn->moved;

        if (waited >= timeout) {
            ngx_http_im_conn_fail(conn, 0, "no answer in time");
            continue;
        }

        again = ngx_min(again, timeout - waited);
    }

    if (again != NGX_TIMER_INFINITE && ngx_queue_empty(&redis->deadlines)) {
        ngx_add_timer(&redis->timer, again);
    }
}


const ngx_msec_t *
ngx_http_im_redis_changed(ngx_http_im_redis_t *redis)
{
    return &redis->changed;
}


ngx_str_t *
ngx_http_im_redis_error(ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t  *cmd;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        if (cmd->reply.type == NGX_HTTP_IM_REPLY_ERROR) {
            return &cmd->reply.str;
        }
    }

    return NULL;
}
