
#ifndef _NGX_HTTP_IM_REDIS_H_INCLUDED_
#define _NGX_HTTP_IM_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_redis_conf.h"
#include "ngx_http_im_cmd.h"


/*
 * The connections of a worker to a store, shared by all its requests.
 *
 * A job is what a request asks of the store: rounds of commands, one after
 * another, under one deadline.  It has a pool of its own, in which commands,
 * replies and the caller's state live, and belongs to itself: whoever asked
 * for it holds it until ngx_http_im_redis_release(), and after that it stays
 * until its last command is answered or given up, so that replies stay in
 * step with commands whatever becomes of the request.
 *
 * The handler is called exactly once for every ngx_http_im_redis_submit(),
 * never from within it, and not after the release.
 */

typedef struct ngx_http_im_job_s  ngx_http_im_job_t;

typedef void (*ngx_http_im_job_handler_pt)(ngx_http_im_job_t *job);


typedef enum {
    NGX_HTTP_IM_JOB_OK = 0,          /* every command has a reply */
    NGX_HTTP_IM_JOB_UNAVAILABLE,     /* nothing was executed that matters */
    NGX_HTTP_IM_JOB_TIMEOUT,         /* a read was not answered in time */
    NGX_HTTP_IM_JOB_UNKNOWN          /* a write may have been executed */
} ngx_http_im_outcome_e;


struct ngx_http_im_job_s {
    ngx_queue_t                  queue;        /* by deadline, or free */
    ngx_queue_t                  ready;
    ngx_pool_t                  *pool;
    ngx_http_im_redis_t         *redis;
    ngx_http_im_lane_t          *lane;         /* of its caller */

    ngx_http_im_pipeline_t       pipeline;     /* of the present round */
    ngx_http_im_job_handler_pt   handler;
    void                        *data;

    ngx_http_im_outcome_e        outcome;      /* of the last round */
    const char                  *reason;       /* of an outcome not OK */
    ngx_uint_t                   outstanding;  /* commands not yet settled */
    ngx_uint_t                   commands;     /* of all rounds */
    size_t                       size;         /* of the round's replies */
    ngx_msec_t                   start;
    ngx_msec_t                   asked;        /* the present round */
    ngx_msec_t                   deadline;

    unsigned                     timed:1;      /* in the deadline queue */
    unsigned                     posted:1;     /* in the ready queue */
    unsigned                     queued:1;     /* the round went out */
    unsigned                     wrote:1;      /* a write was executed */
    unsigned                     expired:1;
    unsigned                     released:1;
};


/* the worker's connections, made on first use; NULL when out of memory */
ngx_http_im_redis_t *ngx_http_im_redis(ngx_http_im_redis_conf_t *store);

/* closes all of them, at the worker's exit */
void ngx_http_im_redis_close(ngx_http_im_redis_conf_t *store);

ngx_http_im_job_t *ngx_http_im_redis_job(ngx_http_im_redis_t *redis);

/* for whom it is: jobs of one caller wait behind each other */
void ngx_http_im_redis_caller(ngx_http_im_job_t *job, ngx_str_t *caller);

void ngx_http_im_redis_submit(ngx_http_im_job_t *job);
void ngx_http_im_redis_release(ngx_http_im_job_t *job);

/* when a connection last came or went; lives as long as the worker */
const ngx_msec_t *ngx_http_im_redis_changed(ngx_http_im_redis_t *redis);

/* the first error reply of the round, or NULL */
ngx_str_t *ngx_http_im_redis_error(ngx_http_im_job_t *job);


#endif /* _NGX_HTTP_IM_REDIS_H_INCLUDED_ */
