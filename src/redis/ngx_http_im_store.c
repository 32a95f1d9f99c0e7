
#include "ngx_http_im_store.h"


/* bytes of commands that wait */
#define NGX_HTTP_IM_WAITING_MAX   (64 * 1024 * 1024)


static ngx_int_t ngx_http_im_store_init(ngx_http_im_store_t *store,
    ngx_http_im_redis_conf_t *conf);
static ngx_int_t ngx_http_im_store_begin(ngx_http_im_job_t *job,
    ngx_str_t *caller);
static const char *ngx_http_im_store_overload(ngx_http_im_store_t *store,
    ngx_http_im_caller_t *caller);
static const char *ngx_http_im_store_route(ngx_http_im_job_t *job);
static void ngx_http_im_store_refuse(ngx_http_im_job_t *job,
    const char *reason);
static void ngx_http_im_store_read(void *data);
static ngx_msec_t ngx_http_im_store_check(void *data);
static void ngx_http_im_store_expired(void *data, ngx_http_im_job_t *job);


static const ngx_http_im_deadlines_handlers_t
    ngx_http_im_store_deadlines_handlers =
{
    ngx_http_im_store_read,
    ngx_http_im_store_check,
    ngx_http_im_store_expired
};


ngx_http_im_store_t *
ngx_http_im_store_get(ngx_http_im_redis_conf_t *conf)
{
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
                         conf->servers.nelts * conf->connections);

    if (store->cluster) {
        ngx_http_im_cluster_start(store->cluster);

    } else {
        ngx_http_im_node_connect(store->nodes.elts[0]);
    }

    return store;
}


static ngx_int_t
ngx_http_im_store_init(ngx_http_im_store_t *store,
    ngx_http_im_redis_conf_t *conf)
{
    ngx_uint_t  max;

    store->conf = conf;

    if (ngx_http_im_jobs_init(&store->jobs, conf->stat, ngx_cycle->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_im_deadlines_init(&store->deadlines, conf->timeout,
                               &ngx_http_im_store_deadlines_handlers, store,
                               &store->jobs);

    max = 1;

    if (conf->cluster) {

        /* three quarters of what a worker has are left to clients */

        max = ngx_cycle->connection_n / 4 / conf->connections;
        max = ngx_max(max, conf->servers.nelts);
        max = ngx_min(max, NGX_HTTP_IM_NODES_MAX);
    }

    /* number 0 is no node of a cluster */

    if (ngx_http_im_nodes_init(&store->nodes, conf, &store->jobs, max,
                               conf->cluster)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->cluster) {
        store->cluster = ngx_http_im_cluster_create(&store->nodes);
        return store->cluster ? NGX_OK : NGX_ERROR;
    }

    return ngx_http_im_nodes_add(&store->nodes, conf->servers.elts)
           ? NGX_OK : NGX_ERROR;
}


void
ngx_http_im_store_close(ngx_http_im_redis_conf_t *conf)
{
    ngx_http_im_store_t  *store;

    store = conf->store;

    if (store == NULL) {
        return;
    }

    ngx_http_im_nodes_exit(&store->nodes);

    if (store->cluster) {
        ngx_http_im_cluster_exit(store->cluster);
    }

    ngx_http_im_jobs_destroy(&store->deadlines.jobs);
    ngx_http_im_jobs_free(&store->jobs);
    ngx_http_im_nodes_free(&store->nodes);
}


ngx_http_im_job_t *
ngx_http_im_store_job(ngx_http_im_store_t *store)
{
    ngx_http_im_job_t  *job;

    job = ngx_http_im_job_create(&store->jobs);

    if (job) {
        job->store = store;
        job->one_tag = (store->cluster != NULL);
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

    /* what a write gets is small, and no call must end between two of them */

    reason = (job->pipeline.first->kind == NGX_HTTP_IM_READ)
             ? ngx_http_im_job_memory(job) : NULL;

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

    node = NULL;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        if (cmd->node == NULL) {
            ngx_http_im_cluster_wait(store->cluster, cmd);
            continue;
        }

        /* the last command's node is told that the job is complete */

        if (node && node != cmd->node) {
            ngx_post_event(&node->flush, &ngx_posted_events);
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

    ngx_http_im_deadlines_add(&store->deadlines, job);

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
    ngx_uint_t  max;

    max = store->conf->max_pending;

    if (store->jobs.n > max || store->jobs.waiting > NGX_HTTP_IM_WAITING_MAX) {
        return "too many requests are pending";
    }

    if (caller->jobs > (max + 1) / 2
        || ngx_http_im_caller_size(caller) > NGX_HTTP_IM_WAITING_MAX / 2)
    {
        return "too many requests of one caller are pending";
    }

    return NULL;
}


/*
 * Every command gets its node and flow, or none if it must wait for its node
 * to be known; or why none of the commands may be queued.
 */

static const char *
ngx_http_im_store_route(ngx_http_im_job_t *job)
{
    const char           *reason;
    ngx_http_im_cmd_t    *cmd;
    ngx_http_im_flow_t   *flow;
    ngx_http_im_node_t   *node, *last;
    ngx_http_im_store_t  *store;

    store = job->store;
    last = NULL;
    flow = NULL;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        cmd->job = job;

        node = store->cluster ? ngx_http_im_cluster_node(store->cluster, cmd)
                              : store->nodes.elts[0];

        if (node == NULL) {
            reason = ngx_http_im_cluster_reason(store->cluster);

            if (reason) {
                return reason;
            }

            continue;
        }

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
        ngx_http_im_deadlines_remove(&job->store->deadlines, job);
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


static void
ngx_http_im_store_read(void *data)
{
    ngx_http_im_store_t  *store = data;

    ngx_http_im_nodes_read(&store->nodes);
}


static ngx_msec_t
ngx_http_im_store_check(void *data)
{
    ngx_http_im_store_t  *store = data;

    return ngx_http_im_nodes_check(&store->nodes);
}


static void
ngx_http_im_store_expired(void *data, ngx_http_im_job_t *job)
{
    ngx_http_im_job_drop_waiting(job);
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
