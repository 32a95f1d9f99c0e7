
#ifndef _NGX_HTTP_IM_SETUP_H_INCLUDED_
#define _NGX_HTTP_IM_SETUP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_conn.h"
#include "ngx_http_im_job.h"
#include "ngx_http_im_redis_conf.h"


/*
 * The commands that a new connection begins with, and what their replies
 * mean: AUTH, SELECT and SCRIPT LOAD of every script, none of which may be
 * refused; a trial of every right that calls need, for each key prefix; then
 * those that ask for the settings of the server.  A connection that is up asks
 * for the settings again from time to time.
 */

typedef struct {
    ngx_str_t     *error;       /* of a command that was refused, or NULL */
    ngx_str_t     *refused;     /* commands that need a right, in words */
    ngx_http_im_reply_t  *slots;    /* to CLUSTER SLOTS, or NULL */
    ngx_uint_t     unmet;       /* see ngx_http_im_settings.h, as bits */
    ngx_uint_t     evicts;      /* the server may evict keys */
    size_t         limit;       /* of its replies, if it is too low, or 0 */
} ngx_http_im_setup_t;


typedef void (*ngx_http_im_setup_handler_pt)(ngx_http_im_conn_t *conn,
    ngx_http_im_setup_t *setup);


/*
 * Sends the setup of a new connection, which asks a cluster for its slots
 * where slots is set, or asks for the settings alone.  The handler is called
 * once, unless the connection is closed before.  NGX_ERROR when out of memory.
 */
ngx_int_t ngx_http_im_setup_start(ngx_http_im_conn_t *conn,
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_jobs_t *jobs,
    ngx_uint_t slots, ngx_http_im_setup_handler_pt handler);
ngx_int_t ngx_http_im_setup_check(ngx_http_im_conn_t *conn,
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_jobs_t *jobs,
    ngx_http_im_setup_handler_pt handler);

/* the connection is closed: what was not sent will not be */
void ngx_http_im_setup_abort(ngx_http_im_conn_t *conn);


#endif /* _NGX_HTTP_IM_SETUP_H_INCLUDED_ */
