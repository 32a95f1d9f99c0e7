
#ifndef _NGX_HTTP_IM_STORE_H_INCLUDED_
#define _NGX_HTTP_IM_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_job.h"


/*
 * A worker's side of an im_redis block: its nodes, its jobs, their deadlines.
 * It lives in the cycle's pool; what others use of it is in
 * ngx_http_im_redis.h.
 */

struct ngx_http_im_store_s {
    const ngx_http_im_redis_conf_t  *conf;
    ngx_http_im_jobs_t         jobs;
    ngx_http_im_node_t        *nodes;
    ngx_uint_t                 nnodes;

    ngx_queue_t                deadlines;     /* jobs, the earliest first */
    ngx_event_t                timer;         /* of the first deadline */
    ngx_msec_t                 due;           /* when it should expire */
};


/* the node that holds the command's key */
ngx_http_im_node_t *ngx_http_im_store_node(ngx_http_im_store_t *store,
    ngx_http_im_cmd_t *cmd);


#endif /* _NGX_HTTP_IM_STORE_H_INCLUDED_ */
