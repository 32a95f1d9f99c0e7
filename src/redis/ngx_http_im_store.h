
#ifndef _NGX_HTTP_IM_STORE_H_INCLUDED_
#define _NGX_HTTP_IM_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cluster.h"
#include "ngx_http_im_deadlines.h"
#include "ngx_http_im_nodes.h"


/*
 * A worker's side of an im_redis block: its nodes, its jobs, their deadlines.
 * It lives in the cycle's pool; what others use of it is in
 * ngx_http_im_redis.h.
 */

struct ngx_http_im_store_s {
    const ngx_http_im_redis_conf_t  *conf;
    ngx_http_im_jobs_t         jobs;
    ngx_http_im_nodes_t        nodes;
    ngx_http_im_cluster_t     *cluster;       /* NULL: there is one node */
    ngx_http_im_deadlines_t    deadlines;
};


#endif /* _NGX_HTTP_IM_STORE_H_INCLUDED_ */
