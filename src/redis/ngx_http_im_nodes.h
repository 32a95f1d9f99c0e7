
#ifndef _NGX_HTTP_IM_NODES_H_INCLUDED_
#define _NGX_HTTP_IM_NODES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_node.h"


/*
 * The nodes of a store, by number and by name.  A number is that of one node
 * until it is freed: a node that is removed is drained first.
 */

#define NGX_HTTP_IM_NODES_MAX   1000


typedef struct {
    const ngx_http_im_redis_conf_t      *conf;
    ngx_http_im_jobs_t                  *jobs;
    const ngx_http_im_node_handlers_t   *handlers;   /* or NULL */
    void                                *data;
    u_char                              *buf;        /* recv() fills it */
    size_t                               size;
    ngx_http_im_node_t                 **elts;       /* NULL: it is free */
    ngx_uint_t                           first;
    ngx_uint_t                           n;          /* the last one + 1 */
    ngx_uint_t                           max;
    ngx_uint_t                           used;
    ngx_uint_t                           removed;    /* not yet freed */
    ngx_rbtree_t                         names;
    ngx_rbtree_node_t                    sentinel;
} ngx_http_im_nodes_t;


/* max: of nodes; numbers begin at 0, those of a cluster at 1 */
ngx_int_t ngx_http_im_nodes_init(ngx_http_im_nodes_t *nodes,
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_jobs_t *jobs,
    ngx_uint_t max, ngx_uint_t first);

/* makes one, not yet connected; NULL: no memory, or there are too many */
ngx_http_im_node_t *ngx_http_im_nodes_add(ngx_http_im_nodes_t *nodes,
    const ngx_http_im_server_t *server);

/* that at an address, made and connected if it is new; NULL: as above */
ngx_http_im_node_t *ngx_http_im_nodes_get(ngx_http_im_nodes_t *nodes,
    ngx_str_t *host, in_port_t port);

/* how many are in the slot map */
ngx_uint_t ngx_http_im_nodes_wanted(ngx_http_im_nodes_t *nodes);

/* one that is not removed, or NULL */
ngx_http_im_node_t *ngx_http_im_nodes_find(ngx_http_im_nodes_t *nodes,
    ngx_str_t *name);

/* drains it; its waiting commands go to handlers->moved() */
void ngx_http_im_nodes_remove(ngx_http_im_nodes_t *nodes,
    ngx_http_im_node_t *node);

/* frees those removed that are drained; from no handler of theirs */
void ngx_http_im_nodes_sweep(ngx_http_im_nodes_t *nodes);

/* closes their connections; frees them, once no job is left */
void ngx_http_im_nodes_exit(ngx_http_im_nodes_t *nodes);
void ngx_http_im_nodes_free(ngx_http_im_nodes_t *nodes);

/* reads the replies that have arrived, told of or not */
void ngx_http_im_nodes_read(ngx_http_im_nodes_t *nodes);

/*
 * Gives up connections that have replies outstanding and received none for
 * the timeout; returns in how many ms the next one may be due, or
 * NGX_TIMER_INFINITE.
 */
ngx_msec_t ngx_http_im_nodes_check(ngx_http_im_nodes_t *nodes);


#endif /* _NGX_HTTP_IM_NODES_H_INCLUDED_ */
