
#ifndef _NGX_HTTP_IM_RETRY_H_INCLUDED_
#define _NGX_HTTP_IM_RETRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"
#include "ngx_http_im_job.h"
#include "ngx_http_im_redis_error.h"
#include "ngx_http_im_sched.h"


/*
 * How commands of flows leave a connection.
 *
 * Of a connection that is lost, one command is the suspect: the first that
 * was sent and has no reply.  Those behind it may be sent again as often as
 * it takes.  The suspect is sent again once, with no other command on its
 * connection; if that is lost, too, the command has failed and its flow is
 * remembered for a while: what comes of it is sent alone, so that it takes
 * no other command with it.
 */

/* the command has its reply; tells what that means for the connection */
ngx_http_im_redis_error_e ngx_http_im_retry_reply(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd, ngx_http_im_jobs_t *jobs);

/* none of those that wait will be executed; nothing is in flight */
void ngx_http_im_retry_refuse(ngx_http_im_sched_t *sched, const char *reason);

/* the command is over */
void ngx_http_im_retry_complete(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd, ngx_http_im_cmd_e state);

/* the command goes back to its flow */
void ngx_http_im_retry_return(ngx_http_im_sched_t *sched,
    ngx_http_im_cmd_t *cmd);

/* the connection of these is lost; the queue is empty on return */
void ngx_http_im_retry_lost(ngx_http_im_sched_t *sched, ngx_queue_t *sent,
    const char *reason, ngx_log_t *log);

/* must the command be the only one on its connection? */
ngx_uint_t ngx_http_im_retry_is_alone(ngx_http_im_cmd_t *cmd);


#endif /* _NGX_HTTP_IM_RETRY_H_INCLUDED_ */
