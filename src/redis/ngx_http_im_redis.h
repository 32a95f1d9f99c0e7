
#ifndef _NGX_HTTP_IM_REDIS_H_INCLUDED_
#define _NGX_HTTP_IM_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"
#include "ngx_http_im_redis_conf.h"


/*
 * All of the driver that other parts use.
 *
 * A store is a worker's side of an im_redis block: the nodes (servers) that
 * hold its data, with their connections, shared by all requests of the
 * worker.
 *
 * A job is what a request needs of the store: rounds of commands, one after
 * another, under one deadline.  It has a pool of its own, in which commands,
 * replies and its owner's state live.  The owner holds the job until
 * ngx_http_im_store_release(); after that the job stays until its last
 * command has a reply or never will, so that replies stay in step with
 * commands whatever becomes of the request.
 *
 * The handler is called exactly once for every ngx_http_im_store_submit(),
 * never from within it, and not after the release.
 */

typedef void (*ngx_http_im_job_handler_pt)(ngx_http_im_job_t *job);


typedef enum {
    NGX_HTTP_IM_JOB_OK = 0,          /* every command has a reply */
    NGX_HTTP_IM_JOB_UNAVAILABLE,     /* no command was executed */
    NGX_HTTP_IM_JOB_TIMEOUT,         /* a read has no reply in time */
    NGX_HTTP_IM_JOB_UNKNOWN          /* a write may have been executed */
} ngx_http_im_outcome_e;


struct ngx_http_im_job_s {
    ngx_queue_t                  queue;        /* by deadline, or free */
    ngx_queue_t                  ready;
    ngx_pool_t                  *pool;
    struct ngx_http_im_jobs_s   *jobs;         /* of its store */
    ngx_http_im_store_t         *store;
    struct ngx_http_im_caller_s  *caller;

    ngx_http_im_pipeline_t       pipeline;     /* of the present round */
    ngx_http_im_job_handler_pt   handler;
    void                        *data;

    ngx_http_im_outcome_e        outcome;      /* of the last round */
    const char                  *reason;       /* of an outcome not OK */
    ngx_uint_t                   outstanding;  /* commands not yet complete */
    ngx_uint_t                   commands;     /* of all rounds */
    size_t                       size;         /* of the round's replies */
    size_t                       held;         /* of all rounds' */
    ngx_msec_t                   start;
    ngx_msec_t                   submitted;    /* the present round */
    ngx_msec_t                   deadline;

    unsigned                     timed:1;      /* in the deadline queue */
    unsigned                     posted:1;     /* in the ready queue */
    unsigned                     queued:1;     /* the round was queued */
    unsigned                     wrote:1;      /* a write was executed */
    unsigned                     expired:1;
    unsigned                     late:1;       /* it got more time, once */
    unsigned                     refused:1;    /* while replies came */
    unsigned                     released:1;

    /* the store is a cluster: keys of one command have the same hash tag */
    unsigned                     one_tag:1;
};


/* the worker's store, made on first use; NULL when out of memory */
ngx_http_im_store_t *ngx_http_im_store_get(ngx_http_im_redis_conf_t *conf);

/* closes its connections, at the worker's exit */
void ngx_http_im_store_close(ngx_http_im_redis_conf_t *conf);

/* NULL when out of memory */
ngx_http_im_job_t *ngx_http_im_store_job(ngx_http_im_store_t *store);

/*
 * Queues the commands of job->pipeline.  The first time, caller names for
 * whom they are: callers share the store by bytes.
 */
void ngx_http_im_store_submit(ngx_http_im_job_t *job, ngx_str_t *caller);
void ngx_http_im_store_release(ngx_http_im_job_t *job);

/*
 * Before the release of a job that is over: the pool with its replies, which
 * the caller destroys; NULL when out of memory.
 */
ngx_pool_t *ngx_http_im_job_pool_take(ngx_http_im_job_t *job);

/*
 * The line of a call that has failed: one a second for each outcome, then
 * their number.
 */
void ngx_cdecl ngx_http_im_store_log(ngx_http_im_job_t *job, ngx_log_t *log,
    const char *fmt, ...);

/* the first error reply of the round, or NULL */
ngx_str_t *ngx_http_im_store_error(ngx_http_im_job_t *job);


#endif /* _NGX_HTTP_IM_REDIS_H_INCLUDED_ */
