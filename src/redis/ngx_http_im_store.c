
#include "ngx_http_im_store.h"
#include "ngx_http_im_clock.h"
#include "ngx_http_im_node.h"


/* bytes of commands that wait */
#define NGX_HTTP_IM_WAITING_MAX   (64 * 1024 * 1024)

#define NGX_HTTP_IM_READ_BUFFER   65536

/* ms by which a timer of a busy worker may well be late */
#define NGX_HTTP_IM_STORE_LATE    100


static ngx_int_t ngx_http_im_store_init(ngx_http_im_store_t *store,
    ngx_http_im_redis_conf_t *conf);
static ngx_int_t ngx_http_im_store_begin(ngx_http_im_job_t *job,
    ngx_str_t *caller);
static const char *ngx_http_im_store_overload(ngx_http_im_store_t *store,
    ngx_http_im_caller_t *caller);
static const char *ngx_http_im_store_route(ngx_http_im_job_t *job);
static void ngx_http_im_store_refuse(ngx_http_im_job_t *job,
    const char *reason);
static void ngx_http_im_store_timer_handler(ngx_event_t *ev);
static void ngx_http_im_store_timer_add(ngx_http_im_store_t *store,
    ngx_msec_t ms);
static void ngx_http_im_store_late(ngx_http_im_store_t *store,
    ngx_msec_t late);
static void ngx_http_im_store_timer_set(ngx_http_im_store_t *store);


ngx_http_im_store_t *
ngx_http_im_store_get(ngx_http_im_redis_conf_t *conf)
{
    ngx_uint_t            i;
    ngx_http_im_store_t  *store;

    if (conf->store) {
        return conf->store;
    }

    store = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_im_store_t));

    if (store == NULL || ngx_http_im_store_init(store, conf) != NGX_OK) {
        return NULL;
    }

    conf->store = store;

    ngx_http_im_stat_set(conf->stat, NGX_HTTP_IM_STAT_CONNECTIONS,
                         store->nnodes * conf->connections);

    for (i = 0; i < store->nnodes; i++) {
        ngx_http_im_node_connect(&store->nodes[i]);
    }

    return store;
}


static ngx_int_t
ngx_http_im_store_init(ngx_http_im_store_t *store,
    ngx_http_im_redis_conf_t *conf)
{
    u_char                *buf;
    ngx_uint_t             i;
    ngx_http_im_server_t  *server;

    store->conf = conf;
    store->nnodes = conf->servers.nelts;

    ngx_queue_init(&store->deadlines);

    store->timer.handler = ngx_http_im_store_timer_handler;
    store->timer.data = store;
    store->timer.log = ngx_cycle->log;
    store->timer.cancelable = 1;

    if (ngx_http_im_jobs_init(&store->jobs, conf->stat, ngx_cycle->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    buf = ngx_palloc(ngx_cycle->pool, NGX_HTTP_IM_READ_BUFFER);
    store->nodes = ngx_pcalloc(ngx_cycle->pool, store->nnodes
                                                * sizeof(ngx_http_im_node_t));

    if (buf == NULL || store->nodes == NULL) {
        return NGX_ERROR;
    }

    server = conf->servers.elts;

    for (i = 0; i < store->nnodes; i++) {
        if (ngx_http_im_node_init(&store->nodes[i], conf, &server[i],
                                  &store->jobs, buf, NGX_HTTP_IM_READ_BUFFER)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_im_store_close(ngx_http_im_redis_conf_t *conf)
{
    ngx_uint_t            i;
    ngx_http_im_store_t  *store;

    store = conf->store;

    if (store == NULL) {
        return;
    }

    for (i = 0; i < store->nnodes; i++) {
        ngx_http_im_node_exit(&store->nodes[i]);
    }

    ngx_http_im_jobs_destroy(&store->deadlines);
    ngx_http_im_jobs_free(&store->jobs);
}


/* a configuration has one server today: any key is there */

ngx_http_im_node_t *
ngx_http_im_store_node(ngx_http_im_store_t *store, ngx_http_im_cmd_t *cmd)
{
    return &store->nodes[0];
}


ngx_http_im_job_t *
ngx_http_im_store_job(ngx_http_im_store_t *store)
{
    ngx_http_im_job_t  *job;

    job = ngx_http_im_job_create(&store->jobs);

    if (job) {
        job->store = store;
    }

    return job;
}


void
ngx_http_im_store_submit(ngx_http_im_job_t *job, ngx_str_t *caller)
{
    const char           *reason;
    ngx_http_im_cmd_t    *cmd;
    ngx_http_im_node_t   *node;
    ngx_http_im_store_t  *store;

    store = job->store;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, store->jobs.log, 0,
                   "im job:%p submit commands:%ui, first:%ui in use:%ui",
                   job, job->pipeline.n, (ngx_uint_t) (caller != NULL),
                   store->jobs.n);

    if (!job->timed && ngx_http_im_store_begin(job, caller) != NGX_OK) {
        return;
    }

    reason = ngx_http_im_job_memory(job);

    if (reason) {
        ngx_http_im_stat_inc(store->jobs.stat, NGX_HTTP_IM_STAT_OVERLOADS);
        ngx_http_im_store_refuse(job, reason);
        return;
    }

    reason = ngx_http_im_store_route(job);

    if (reason) {
        ngx_http_im_store_refuse(job, reason);
        return;
    }

    job->commands += job->pipeline.n;
    job->outstanding += job->pipeline.n;
    job->submitted = ngx_current_msec;
    job->queued = 1;

    /* the last command's node is told that the job is complete */

    node = NULL;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        if (node && node != cmd->node) {
            ngx_http_im_node_submitted(node);
        }

        node = cmd->node;
        ngx_http_im_node_push(node, cmd);
    }

    if (node) {
        ngx_http_im_node_submitted(node);
    }
}


/* the first round: its deadline is that of all, its caller too */

static ngx_int_t
ngx_http_im_store_begin(ngx_http_im_job_t *job, ngx_str_t *caller)
{
    const char           *reason;
    ngx_http_im_store_t  *store;

    store = job->store;

    if (job->deadline) {
        ngx_http_im_stat_inc(store->jobs.stat, NGX_HTTP_IM_STAT_TIMEOUTS);
        ngx_http_im_store_refuse(job, "no answer in time");
        return NGX_DECLINED;
    }

    job->timed = 1;
    job->deadline = ngx_http_im_clock_msec() + store->conf->timeout;
    ngx_queue_insert_tail(&store->deadlines, &job->queue);
    ngx_http_im_store_timer_set(store);

    job->caller = ngx_http_im_caller_get(&store->jobs.callers, caller);

    if (job->caller == NULL) {
        ngx_http_im_store_refuse(job, "no memory");
        return NGX_DECLINED;
    }

    reason = ngx_http_im_store_overload(store, job->caller);

    if (reason) {
        ngx_http_im_stat_inc(store->jobs.stat, NGX_HTTP_IM_STAT_OVERLOADS);
        ngx_http_im_store_refuse(job, reason);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* one caller may take half of what there is, so that others find room */

static const char *
ngx_http_im_store_overload(ngx_http_im_store_t *store,
    ngx_http_im_caller_t *caller)
{
    size_t      size;
    ngx_uint_t  i, max;

    max = store->conf->max_pending;

    for (size = 0, i = 0; i < store->nnodes; i++) {
        size += store->nodes[i].sched.size;
    }

    if (store->jobs.n > max || size > NGX_HTTP_IM_WAITING_MAX) {
        return "too many requests are pending";
    }

    if (caller->jobs > (max + 1) / 2
        || ngx_http_im_caller_size(caller) > NGX_HTTP_IM_WAITING_MAX / 2)
    {
        return "too many requests of one caller are pending";
    }

    return NULL;
}


/* every command gets its node and flow; or why none of them may wait */

static const char *
ngx_http_im_store_route(ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t    *cmd;
    ngx_http_im_flow_t   *flow;
    ngx_http_im_node_t   *node, *last;
    ngx_http_im_store_t  *store;

    store = job->store;
    last = NULL;
    flow = NULL;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        node = ngx_http_im_store_node(store, cmd);

        if (node != last) {

            if (!ngx_http_im_node_is_reachable(node)) {
                return ngx_http_im_node_reason(node);
            }

            flow = ngx_http_im_flow_get(&store->jobs.callers, job->caller,
                                        &node->sched);
            if (flow == NULL) {
                return "no memory";
            }

            last = node;
        }

        cmd->job = job;
        cmd->node = node;
        cmd->flow = flow;
    }

    return NULL;
}


/* the round is over before anything of it was queued */

static void
ngx_http_im_store_refuse(ngx_http_im_job_t *job, const char *reason)
{
    ngx_http_im_cmd_t  *cmd;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, job->jobs->log, 0,
                   "im job:%p refused: %s", job, reason);

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {
        cmd->state = NGX_HTTP_IM_CMD_REFUSED;
    }

    job->reason = reason;

    ngx_http_im_job_post(job);
}


void
ngx_http_im_store_release(ngx_http_im_job_t *job)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, job->jobs->log, 0,
                   "im job:%p release, outstanding:%ui",
                   job, job->outstanding);

    job->released = 1;

    if (job->timed) {
        job->timed = 0;
        ngx_queue_remove(&job->queue);
        job->store->timer.cancelable =
                                   ngx_queue_empty(&job->store->deadlines);
    }

    if (job->posted) {
        job->posted = 0;
        ngx_queue_remove(&job->ready);
    }

    if (job->outstanding) {
        ngx_http_im_job_drop_waiting(job);
    }

    if (job->outstanding == 0) {
        ngx_http_im_job_free(job);
    }
}


/*
 * One timer for all jobs: they have the same timeout, so the queue is in the
 * order of deadlines.  While there are jobs it must keep a worker that was
 * told to quit from leaving, so it is not cancelable then.
 */

static void
ngx_http_im_store_timer_set(ngx_http_im_store_t *store)
{
    ngx_queue_t        *q;
    ngx_msec_int_t      ms;
    ngx_http_im_job_t  *job;

    store->timer.cancelable = 0;

    if (store->timer.timer_set) {
        return;
    }

    q = ngx_queue_head(&store->deadlines);
    job = ngx_queue_data(q, ngx_http_im_job_t, queue);

    ms = (ngx_msec_int_t) (job->deadline - ngx_current_msec);

    ngx_http_im_store_timer_add(store, ms > 0 ? ms : 1);
}


static void
ngx_http_im_store_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t            i;
    ngx_msec_t            next;
    ngx_queue_t          *q;
    ngx_http_im_job_t    *job;
    ngx_http_im_store_t  *store;

    store = ev->data;

    ngx_http_im_store_late(store, ngx_current_msec - store->due);

    while (!ngx_queue_empty(&store->deadlines)) {
        q = ngx_queue_head(&store->deadlines);
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

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, store->jobs.log, 0,
                       "im job:%p expired, outstanding:%ui",
                       job, job->outstanding);

        job->expired = 1;
        job->reason = "no answer in time";

        ngx_http_im_stat_inc(store->jobs.stat, NGX_HTTP_IM_STAT_TIMEOUTS);
        ngx_http_im_job_drop_waiting(job);
        ngx_http_im_job_post(job);
    }

    /* a server that has commands in flight and completes none is stuck */

    next = NGX_TIMER_INFINITE;

    for (i = 0; i < store->nnodes; i++) {
        next = ngx_min(next, ngx_http_im_node_check(&store->nodes[i]));
    }

    if (!ngx_queue_empty(&store->deadlines)) {
        ngx_http_im_store_timer_set(store);
        return;
    }

    store->timer.cancelable = 1;

    if (next != NGX_TIMER_INFINITE) {
        ngx_http_im_store_timer_add(store, next);
    }
}


static void
ngx_http_im_store_timer_add(ngx_http_im_store_t *store, ngx_msec_t ms)
{
    store->due = ngx_current_msec + ms;

    ngx_add_timer(&store->timer, ms);
}


/*
 * Before jobs expire, what has arrived is read.  If the timer comes late, this
 * worker was busy with something else: jobs that are due get that time again,
 * once, at most as much as they had.
 */

static void
ngx_http_im_store_late(ngx_http_im_store_t *store, ngx_msec_t late)
{
    ngx_uint_t          i;
    ngx_msec_t          deadline;
    ngx_queue_t        *q, *next, due;
    ngx_http_im_job_t  *job;

    if (ngx_queue_empty(&store->deadlines)) {
        return;
    }

    q = ngx_queue_head(&store->deadlines);
    job = ngx_queue_data(q, ngx_http_im_job_t, queue);

    if ((ngx_msec_int_t) (job->deadline - ngx_current_msec) > 0) {
        return;
    }

    for (i = 0; i < store->nnodes; i++) {
        ngx_http_im_node_read(&store->nodes[i]);
    }

    if ((ngx_msec_int_t) late < NGX_HTTP_IM_STORE_LATE) {
        return;
    }

    deadline = ngx_current_msec + ngx_min(late, store->conf->timeout);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, store->jobs.log, 0,
                   "im store late:%M deadline:%M", late, deadline);

    ngx_queue_init(&due);

    for (q = ngx_queue_head(&store->deadlines);
         q != ngx_queue_sentinel(&store->deadlines);
         q = next)
    {
        next = ngx_queue_next(q);
        job = ngx_queue_data(q, ngx_http_im_job_t, queue);

        if ((ngx_msec_int_t) (job->deadline - deadline) > 0) {
            break;
        }

        if (!job->late) {
            job->late = 1;
            job->deadline = deadline;

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&due, q);
        }
    }

    /* before q, the first that is due after them */

    while (!ngx_queue_empty(&due)) {
        next = ngx_queue_head(&due);
        ngx_queue_remove(next);
        ngx_queue_insert_tail(q, next);
    }
}


ngx_str_t *
ngx_http_im_store_error(ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t  *cmd;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        if (cmd->reply.type == NGX_HTTP_IM_REPLY_ERROR) {
            return &cmd->reply.str;
        }
    }

    return NULL;
}
