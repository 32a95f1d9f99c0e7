
#ifndef _NGX_HTTP_IM_PROBE_H_INCLUDED_
#define _NGX_HTTP_IM_PROBE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_conn.h"
#include "ngx_http_im_job.h"


/*
 * A command that shows whether a connection is alive and whether its server
 * is a replica: INFO replication.  A server that refuses it is alive, and
 * counts as no replica.
 */

typedef void (*ngx_http_im_probe_handler_pt)(ngx_http_im_conn_t *conn,
    ngx_uint_t replica);


/*
 * The connection must have no job.  The handler is called once, unless the
 * connection is closed before; ngx_http_im_setup_abort() ends the probe.
 * NGX_ERROR when out of memory.
 */
ngx_int_t ngx_http_im_probe_start(ngx_http_im_conn_t *conn,
    ngx_http_im_jobs_t *jobs, ngx_http_im_probe_handler_pt handler);


/*
 * A connection that is READY: it is closed if it has replies outstanding and
 * received none for the timeout.  In how many ms that may be, or
 * NGX_TIMER_INFINITE if it is closed or nothing is in flight.
 */
ngx_msec_t ngx_http_im_probe_expire(ngx_http_im_conn_t *conn,
    ngx_msec_t timeout);

/*
 * The timer of a connection that is READY has expired: a probe is sent every
 * few seconds.  So a connection that the network has dropped while it was idle
 * is noticed before it is needed, one that is well is not dropped, and a
 * server that has become a replica is not read from.
 */
void ngx_http_im_probe_timer(ngx_http_im_conn_t *conn,
    ngx_http_im_jobs_t *jobs, ngx_msec_t timeout,
    ngx_http_im_probe_handler_pt handler);


#endif /* _NGX_HTTP_IM_PROBE_H_INCLUDED_ */
