
#include "ngx_http_im_deadlines.h"
#include "ngx_http_im_clock.h"


/* ms by which a timer of a busy worker may well be late */
#define NGX_HTTP_IM_DEADLINES_LATE   100


static void ngx_http_im_deadlines_set(ngx_http_im_deadlines_t *d);
static void ngx_http_im_deadlines_handler(ngx_event_t *ev);
static void ngx_http_im_deadlines_timer(ngx_http_im_deadlines_t *d,
    ngx_msec_t ms);
static void ngx_http_im_deadlines_late(ngx_http_im_deadlines_t *d,
    ngx_msec_t late);


void
ngx_http_im_deadlines_init(ngx_http_im_deadlines_t *d, ngx_msec_t timeout,
    const ngx_http_im_deadlines_handlers_t *handlers, void *data,
    ngx_http_im_jobs_t *jobs)
{
    ngx_queue_init(&d->jobs);

    d->timeout = timeout;
    d->handlers = handlers;
    d->data = data;
    d->stat = jobs->stat;
    d->log = jobs->log;

    d->timer.handler = ngx_http_im_deadlines_handler;
    d->timer.data = d;
    d->timer.log = jobs->log;
    d->timer.cancelable = 1;
}


void
ngx_http_im_deadlines_add(ngx_http_im_deadlines_t *d, ngx_http_im_job_t *job)
{
    job->timed = 1;
    job->deadline = ngx_http_im_clock_msec() + d->timeout;

    ngx_queue_insert_tail(&d->jobs, &job->queue);

    ngx_http_im_deadlines_set(d);
}


void
ngx_http_im_deadlines_remove(ngx_http_im_deadlines_t *d,
    ngx_http_im_job_t *job)
{
    job->timed = 0;

    ngx_queue_remove(&job->queue);

    d->timer.cancelable = ngx_queue_empty(&d->jobs);
}


/*
 * One timer for all jobs: they have the same timeout, so the queue is in the
 * order of deadlines.  While there are jobs it must keep a worker that was
 * told to quit from leaving, so it is not cancelable then.
 */

static void
ngx_http_im_deadlines_set(ngx_http_im_deadlines_t *d)
{
    ngx_queue_t        *q;
    ngx_msec_int_t      ms;
    ngx_http_im_job_t  *job;

    d->timer.cancelable = 0;

    if (d->timer.timer_set) {
        return;
    }

    q = ngx_queue_head(&d->jobs);
    job = ngx_queue_data(q, ngx_http_im_job_t, queue);

    ms = (ngx_msec_int_t) (job->deadline - ngx_current_msec);

    ngx_http_im_deadlines_timer(d, ms > 0 ? ms : 1);
}


static void
ngx_http_im_deadlines_handler(ngx_event_t *ev)
{
    ngx_msec_t                next;
    ngx_queue_t              *q;
    ngx_http_im_job_t        *job;
    ngx_http_im_deadlines_t  *d;

    d = ev->data;

    ngx_http_im_deadlines_late(d, ngx_current_msec - d->due);

    while (!ngx_queue_empty(&d->jobs)) {
        q = ngx_queue_head(&d->jobs);
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

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, d->log, 0,
                       "im job:%p expired, outstanding:%ui",
                       job, job->outstanding);

        job->expired = 1;
        job->reason = "no answer in time";

        ngx_http_im_stat_inc(d->stat, NGX_HTTP_IM_STAT_TIMEOUTS);
        d->handlers->expired(d->data, job);
        ngx_http_im_job_post(job);
    }

    /* a server that has commands in flight and completes none is stuck */

    next = d->handlers->check(d->data);

    if (!ngx_queue_empty(&d->jobs)) {
        ngx_http_im_deadlines_set(d);
        return;
    }

    d->timer.cancelable = 1;

    if (next != NGX_TIMER_INFINITE) {
        ngx_http_im_deadlines_timer(d, next);
    }
}


static void
ngx_http_im_deadlines_timer(ngx_http_im_deadlines_t *d, ngx_msec_t ms)
{
    d->due = ngx_current_msec + ms;

    ngx_add_timer(&d->timer, ms);
}


/*
 * Before jobs expire, what has arrived is read.  If the timer comes late, this
 * worker was busy with something else: jobs that are due get that time again,
 * once, at most as much as they had.
 */

static void
ngx_http_im_deadlines_late(ngx_http_im_deadlines_t *d, ngx_msec_t late)
{
    ngx_msec_t          deadline;
    ngx_queue_t        *q, *next, due;
    ngx_http_im_job_t  *job;

    if (ngx_queue_empty(&d->jobs)) {
        return;
    }

    q = ngx_queue_head(&d->jobs);
    job = ngx_queue_data(q, ngx_http_im_job_t, queue);

    if ((ngx_msec_int_t) (job->deadline - ngx_current_msec) > 0) {
        return;
    }

    d->handlers->read(d->data);

    if ((ngx_msec_int_t) late < NGX_HTTP_IM_DEADLINES_LATE) {
        return;
    }

    deadline = ngx_current_msec + ngx_min(late, d->timeout);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, d->log, 0,
                   "im deadlines late:%M deadline:%M", late, deadline);

    ngx_queue_init(&due);

    for (q = ngx_queue_head(&d->jobs);
         q != ngx_queue_sentinel(&d->jobs);
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
