
#ifndef _NGX_HTTP_IM_DEADLINES_H_INCLUDED_
#define _NGX_HTTP_IM_DEADLINES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_job.h"


/*
 * The deadlines of a store's jobs.  All have the same timeout, so one timer
 * and a queue in the order of submission are enough.
 */

typedef struct {

    /* reads replies that have arrived, before jobs expire */
    void (*read)(void *data);

    /* gives up stuck connections; in how many ms the next may be */
    ngx_msec_t (*check)(void *data);

    /* the job has expired: its commands that wait are to be dropped */
    void (*expired)(void *data, ngx_http_im_job_t *job);

} ngx_http_im_deadlines_handlers_t;


typedef struct {
    ngx_queue_t                jobs;          /* the earliest first */
    ngx_event_t                timer;         /* of the first deadline */
    ngx_msec_t                 due;           /* when it should expire */
    ngx_msec_t                 timeout;
    const ngx_http_im_deadlines_handlers_t  *handlers;
    void                      *data;
    ngx_http_im_stat_t        *stat;
    ngx_log_t                 *log;
} ngx_http_im_deadlines_t;


/* for a struct that is zero */
void ngx_http_im_deadlines_init(ngx_http_im_deadlines_t *d,
    ngx_msec_t timeout, const ngx_http_im_deadlines_handlers_t *handlers,
    void *data, ngx_http_im_jobs_t *jobs);

void ngx_http_im_deadlines_add(ngx_http_im_deadlines_t *d,
    ngx_http_im_job_t *job);
void ngx_http_im_deadlines_remove(ngx_http_im_deadlines_t *d,
    ngx_http_im_job_t *job);


#endif /* _NGX_HTTP_IM_DEADLINES_H_INCLUDED_ */
