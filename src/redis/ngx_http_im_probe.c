
#include "ngx_http_im_probe.h"


/* in the pool of the job */

typedef struct {
    ngx_http_im_conn_t            *conn;
    ngx_http_im_probe_handler_pt   handler;
} ngx_http_im_probe_t;


static ngx_http_im_cmd_t *ngx_http_im_probe_add(ngx_http_im_job_t *job);
static void ngx_http_im_probe_job_handler(ngx_http_im_job_t *job);
static ngx_uint_t ngx_http_im_probe_is_replica(ngx_http_im_reply_t *reply);


ngx_int_t
ngx_http_im_probe_start(ngx_http_im_conn_t *conn, ngx_http_im_jobs_t *jobs,
    ngx_http_im_probe_handler_pt handler)
{
    ngx_http_im_cmd_t    *cmd;
    ngx_http_im_job_t    *job;
    ngx_http_im_probe_t  *probe;

    job = ngx_http_im_job_create(jobs);
    if (job == NULL) {
        return NGX_ERROR;
    }

    probe = ngx_palloc(job->pool, sizeof(ngx_http_im_probe_t));
    cmd = ngx_http_im_probe_add(job);

    if (probe == NULL || cmd == NULL) {
        ngx_http_im_job_free(job);
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, jobs->log, 0,
                   "im conn:%p probe job:%p", conn, job);

    probe->conn = conn;
    probe->handler = handler;

    job->handler = ngx_http_im_probe_job_handler;
    job->data = probe;
    job->outstanding = 1;

    conn->job = job;
    ngx_queue_insert_tail(&conn->setup, &cmd->queue);

    (void) ngx_http_im_conn_flush(conn);

    return NGX_OK;
}


static ngx_http_im_cmd_t *
ngx_http_im_probe_add(ngx_http_im_job_t *job)
{
    ngx_str_t           argv[2];
    ngx_http_im_cmd_t  *cmd;

    ngx_str_set(&argv[0], "INFO");
    ngx_str_set(&argv[1], "replication");

    cmd = ngx_http_im_cmd_add(&job->pipeline, NGX_HTTP_IM_SETUP, 0, argv, 2);

    if (cmd) {
        cmd->job = job;
    }

    return cmd;
}


static void
ngx_http_im_probe_job_handler(ngx_http_im_job_t *job)
{
    ngx_uint_t            replica;
    ngx_http_im_conn_t   *conn;
    ngx_http_im_probe_t  *probe;

    probe = job->data;
    conn = probe->conn;

    replica = ngx_http_im_probe_is_replica(&job->pipeline.first->reply);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, job->jobs->log, 0,
                   "im conn:%p probe job:%p replica:%ui", conn, job, replica);

    conn->job = NULL;

    probe->handler(conn, replica);

    ngx_http_im_job_free(job);
}


static ngx_uint_t
ngx_http_im_probe_is_replica(ngx_http_im_reply_t *reply)
{
    return reply->type == NGX_HTTP_IM_REPLY_STRING
           && ngx_strlcasestrn(reply->str.data,
                               reply->str.data + reply->str.len,
                               (u_char *) "role:slave",
                               sizeof("role:slave") - 2);
}


ngx_msec_t
ngx_http_im_probe_expire(ngx_http_im_conn_t *conn, ngx_msec_t timeout)
{
    ngx_uint_t      serial;
    ngx_msec_int_t  left;

    if (ngx_queue_empty(&conn->output.sent)) {
        return NGX_TIMER_INFINITE;
    }

    left = conn->output.last_reply + timeout - ngx_current_msec;

    if (left > 0) {
        return left;
    }

    /* if this worker was late, replies may be there that it has not read */

    serial = conn->serial;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p no reply in time, left:%i, read", conn, left);

    ngx_http_im_conn_read(conn);

    if (conn->serial != serial || conn->state != NGX_HTTP_IM_CONN_READY
        || ngx_queue_empty(&conn->output.sent))
    {
        return NGX_TIMER_INFINITE;
    }

    left = conn->output.last_reply + timeout - ngx_current_msec;

    if (left > 0) {
        return left;
    }

    ngx_http_im_conn_close(conn, 0, "no answer in time");

    return NGX_TIMER_INFINITE;
}


void
ngx_http_im_probe_timer(ngx_http_im_conn_t *conn, ngx_http_im_jobs_t *jobs,
    ngx_msec_t timeout, ngx_http_im_probe_handler_pt handler)
{
    ngx_uint_t      serial;
    ngx_msec_t      next;
    ngx_msec_int_t  left;

    serial = conn->serial;

    next = ngx_http_im_probe_expire(conn, timeout);

    if (conn->serial != serial || conn->state != NGX_HTTP_IM_CONN_READY) {
        return;
    }

    left = conn->probed + NGX_HTTP_IM_CONN_PROBE - ngx_current_msec;

    if (left <= 0 && conn->job == NULL && !conn->draining) {
        conn->probed = ngx_current_msec;
        ngx_add_timer(&conn->timer, ngx_min(timeout, NGX_HTTP_IM_CONN_PROBE));

        (void) ngx_http_im_probe_start(conn, jobs, handler);
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, jobs->log, 0,
                   "im conn:%p no probe, next:%M left:%i", conn, next, left);

    /* not less than 100 ms, while another job or the rest is under way */

    ngx_add_timer(&conn->timer, ngx_min(next, (ngx_msec_t)
                                              ngx_max(left, 100)));
}
