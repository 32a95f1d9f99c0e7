
#ifndef _NGX_HTTP_IM_CLUSTER_H_INCLUDED_
#define _NGX_HTTP_IM_CLUSTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_delay.h"
#include "ngx_http_im_slot_map.h"


/*
 * A Redis Cluster: commands go to the node that has the slot of their key,
 * and from there to where it redirects them.  A command that no node executes
 * at the moment waits and is tried again, until the deadline of its job.
 */

typedef struct {
    ngx_http_im_jobs_t        *jobs;
    ngx_http_im_slot_map_t     map;
    ngx_http_im_delay_t        delay;
} ngx_http_im_cluster_t;


/* nodes: without any yet; NULL when out of memory */
ngx_http_im_cluster_t *ngx_http_im_cluster_create(ngx_http_im_nodes_t *nodes);

void ngx_http_im_cluster_start(ngx_http_im_cluster_t *cluster);
void ngx_http_im_cluster_exit(ngx_http_im_cluster_t *cluster);

/* that has the command's key; NULL: none is known */
ngx_http_im_node_t *ngx_http_im_cluster_node(ngx_http_im_cluster_t *cluster,
    ngx_http_im_cmd_t *cmd);

/* why a command may not wait for a node to be known, or NULL */
const char *ngx_http_im_cluster_reason(ngx_http_im_cluster_t *cluster);

/* a command waits for a node, see ngx_http_im_delay.h */
void ngx_http_im_cluster_wait(ngx_http_im_cluster_t *cluster,
    ngx_http_im_cmd_t *cmd);


#endif /* _NGX_HTTP_IM_CLUSTER_H_INCLUDED_ */
