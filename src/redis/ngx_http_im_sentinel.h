
#ifndef _NGX_HTTP_IM_SENTINEL_H_INCLUDED_
#define _NGX_HTTP_IM_SENTINEL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_addrs.h"
#include "ngx_http_im_conn.h"
#include "ngx_http_im_conn_log.h"
#include "ngx_http_im_job.h"
#include "ngx_http_im_sentinel_addr.h"


/*
 * Where the master is.  One connection to one of the Sentinels, which is asked
 * four times a second, and at once when the master is in doubt.  If that
 * Sentinel fails, or does not know the master, the next one is used, until
 * that fails.  An address that was told is used until another one is told,
 * whether there is a Sentinel left or not.
 */

typedef struct {
    const ngx_http_im_redis_conf_t  *conf;
    ngx_http_im_jobs_t        *jobs;
    ngx_http_im_addrs_t       *addrs;        /* of the master */

    ngx_http_im_endpoint_t    *endpoints;    /* one for each Sentinel */
    ngx_uint_t                 n;
    ngx_uint_t                 current;
    ngx_uint_t                 tried;        /* in a row */

    ngx_http_im_conn_t         conn;         /* to the current one */
    ngx_http_im_conn_log_t     log;
    ngx_log_t                  connect_log;  /* quiet, as that of a node */
    ngx_msec_t                 asked;        /* when */

    ngx_http_im_server_t       master;       /* its texts are below */
    u_char                     text[NGX_HTTP_IM_SENTINEL_HOST
                                    + sizeof("[]:65535")];
    u_char                     host[NGX_HTTP_IM_SENTINEL_HOST];
} ngx_http_im_sentinel_t;


/*
 * Addrs: of the node, whose handler is called when the master is another one.
 * The buffer is for bytes just read.  NULL when out of memory.  To the others
 * NULL may be given, by a node that has no Sentinel.
 */
ngx_http_im_sentinel_t *ngx_http_im_sentinel_create(
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_jobs_t *jobs,
    ngx_http_im_addrs_t *addrs, u_char *buf, size_t size);
void ngx_http_im_sentinel_connect(ngx_http_im_sentinel_t *sentinel);
void ngx_http_im_sentinel_exit(ngx_http_im_sentinel_t *sentinel);

/* a connection to the master was lost, or not opened: is it still there? */
void ngx_http_im_sentinel_ask(ngx_http_im_sentinel_t *sentinel);


#endif /* _NGX_HTTP_IM_SENTINEL_H_INCLUDED_ */
