
#ifndef _NGX_HTTP_IM_SLOT_MAP_H_INCLUDED_
#define _NGX_HTTP_IM_SLOT_MAP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_nodes.h"
#include "ngx_http_im_slots.h"


/*
 * Which node of a Redis Cluster has which slot.
 *
 * The map comes from CLUSTER SLOTS, of one node at a time and at most once a
 * second: of the first that is set up, then every half minute, and when an
 * error or a lost connection tells that it may have changed.  MOVED changes
 * the slot it is about at once.  A reply that is the same as the last one
 * changes nothing, so one of a node that is behind does not undo that.
 *
 * Nodes are those of the map and those that redirections lead to; without a
 * map, and while none can be asked, the configured servers.
 */

/* the map is another one */
typedef void (*ngx_http_im_slot_map_handler_pt)(void *data);


typedef struct {
    const ngx_http_im_redis_conf_t  *conf;
    ngx_http_im_jobs_t              *jobs;
    ngx_http_im_nodes_t             *nodes;
    ngx_http_im_slot_map_handler_pt  handler;
    void                            *data;
    ngx_http_im_conn_t              *conn;     /* asked, no reply yet */
    ngx_event_t                      timer;    /* cancelable: it is asked */
    ngx_event_t                      sweep;    /* cancelable: of nodes */
    ngx_msec_t                       last;     /* when it was asked */
    uint32_t                         crc;      /* of the last reply */
    unsigned                         known:1;  /* there is a map */
    unsigned                         stale:1;  /* which may be wrong */

    uint16_t                         owner[NGX_HTTP_IM_SLOTS];  /* 0: none */
} ngx_http_im_slot_map_t;


/* for a struct that is zero */
void ngx_http_im_slot_map_init(ngx_http_im_slot_map_t *map,
    ngx_http_im_nodes_t *nodes, ngx_http_im_slot_map_handler_pt handler,
    void *data);

/* connects to the configured servers */
void ngx_http_im_slot_map_start(ngx_http_im_slot_map_t *map);
void ngx_http_im_slot_map_exit(ngx_http_im_slot_map_t *map);

/* that has the slot of the key; NULL: none is known */
ngx_http_im_node_t *ngx_http_im_slot_map_node(ngx_http_im_slot_map_t *map,
    const ngx_str_t *key);

/*
 * The node that a redirection of this connection leads to, which has the slot
 * from now on unless it is only asked; NULL: there is no such node.
 */
ngx_http_im_node_t *ngx_http_im_slot_map_redirect(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_slots_range_t *range,
    ngx_uint_t ask);

/* the map may be wrong: a node is asked */
void ngx_http_im_slot_map_refresh(ngx_http_im_slot_map_t *map);

/* while there is no map: why there will be none soon, or NULL */
const char *ngx_http_im_slot_map_reason(ngx_http_im_slot_map_t *map);

/* of a node: see ngx_http_im_node_handlers_t */
ngx_uint_t ngx_http_im_slot_map_asks(ngx_http_im_slot_map_t *map);
void ngx_http_im_slot_map_set_up(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn, ngx_http_im_reply_t *reply);
void ngx_http_im_slot_map_lost(ngx_http_im_slot_map_t *map,
    ngx_http_im_conn_t *conn);


#endif /* _NGX_HTTP_IM_SLOT_MAP_H_INCLUDED_ */
