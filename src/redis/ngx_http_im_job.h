
#ifndef _NGX_HTTP_IM_JOB_H_INCLUDED_
#define _NGX_HTTP_IM_JOB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_log_limit.h"
#include "ngx_http_im_redis.h"
#include "ngx_http_im_sched.h"
#include "ngx_http_im_stat.h"


/* the jobs of a store; inside the driver only */

typedef struct ngx_http_im_jobs_s  ngx_http_im_jobs_t;

struct ngx_http_im_jobs_s {
    ngx_queue_t               ready;         /* whose round is over */
    ngx_queue_t               free;          /* to be used again */
    ngx_uint_t                nfree;
    ngx_uint_t                n;             /* in use */
    size_t                    held;          /* bytes of replies in them */
    size_t                    waiting;       /* bytes of commands, unwritten */
    ngx_uint_t                delayed;       /* commands without a node */

    /* when a connection was last opened or closed: what servers held before
       may be lost since */
    ngx_msec_t                generation;

    ngx_event_t               run;           /* posted: calls the handlers */
    ngx_http_im_callers_t     callers;
    ngx_http_im_log_limit_t   limits[NGX_HTTP_IM_JOB_UNKNOWN + 1];
    ngx_http_im_stat_t       *stat;
    ngx_log_t                *log;
};


ngx_int_t ngx_http_im_jobs_init(ngx_http_im_jobs_t *jobs,
    ngx_http_im_stat_t *stat, ngx_log_t *log);

/* at exit: no handler runs any more */
void ngx_http_im_jobs_free(ngx_http_im_jobs_t *jobs);
void ngx_http_im_jobs_destroy(ngx_queue_t *queue);

/* NULL when out of memory */
ngx_http_im_job_t *ngx_http_im_job_create(ngx_http_im_jobs_t *jobs);

/* it is released, and its last command is complete */
void ngx_http_im_job_free(ngx_http_im_job_t *job);

/* the round is over: its handler will be called */
void ngx_http_im_job_post(ngx_http_im_job_t *job);

/* the command has its reply, or never will; it may be the last of its job */
void ngx_http_im_cmd_complete(ngx_http_im_cmd_t *cmd, ngx_http_im_cmd_e state);

/* what becomes of a command that was, or would be, refused at this attempt */
ngx_http_im_cmd_e ngx_http_im_cmd_final(ngx_http_im_cmd_t *cmd,
    ngx_http_im_cmd_e state);


/* commands nobody waits for any more and no byte of which was written */
void ngx_http_im_job_drop_waiting(ngx_http_im_job_t *job);

/* bytes of replies in jobs that are not over */
#define NGX_HTTP_IM_HELD_MAX   (32 * 1024 * 1024)

/* may the job hold more replies?  NULL, or why not */
const char *ngx_http_im_job_memory(ngx_http_im_job_t *job);

/*
 * The same while replies arrive: if not, job->refused is set, and what the
 * round has yet to receive is skipped.
 */
void ngx_http_im_job_judge(ngx_http_im_job_t *job);


/* where the reply is built; NULL: nobody waits for it, it is skipped */

static ngx_inline ngx_pool_t *
ngx_http_im_cmd_pool(ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_job_t  *job;

    job = cmd->job;

    return (job->released || job->expired
            || (job->refused && cmd->kind == NGX_HTTP_IM_READ))
           ? NULL : job->pool;
}


/* a reply of cmd->size is in the pool of the job, until that is over */

static ngx_inline void
ngx_http_im_cmd_hold(ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_job_t  *job;

    job = cmd->job;

    if (job->caller && ngx_http_im_cmd_pool(cmd)) {
        job->held += cmd->size;
        job->caller->held += cmd->size;
        job->jobs->held += cmd->size;
    }
}


#endif /* _NGX_HTTP_IM_JOB_H_INCLUDED_ */
