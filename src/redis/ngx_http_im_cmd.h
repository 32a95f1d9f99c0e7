
#ifndef _NGX_HTTP_IM_CMD_H_INCLUDED_
#define _NGX_HTTP_IM_CMD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_reply.h"


typedef enum {
    NGX_HTTP_IM_CMD_NEW = 0,
    NGX_HTTP_IM_CMD_WAITING,      /* in its lane */
    NGX_HTTP_IM_CMD_SENT,         /* at least partly handed to the kernel */
    NGX_HTTP_IM_CMD_DONE,         /* has a reply */
    NGX_HTTP_IM_CMD_REFUSED,      /* was not executed, for sure */
    NGX_HTTP_IM_CMD_UNKNOWN       /* may have been executed or not */
} ngx_http_im_cmd_e;


typedef struct ngx_http_im_cmd_s   ngx_http_im_cmd_t;
typedef struct ngx_http_im_lane_s  ngx_http_im_lane_t;

/*
 * One command: lives in the pool of the job that asked for it, as do its
 * bytes and its reply.
 */

struct ngx_http_im_cmd_s {
    ngx_queue_t             queue;     /* of its lane, of its connection */
    ngx_http_im_cmd_t      *next;      /* in its pipeline */
    void                   *job;
    ngx_http_im_lane_t     *lane;      /* of its caller */
    size_t                  owed;      /* to it by the store, as expected */
    size_t                  size;      /* of the reply */
    ngx_str_t               resp;      /* the command as Redis reads it */
    ngx_str_t               key;       /* decides who is asked: its hash tag */
    uint64_t                start;     /* offset in the connection's output */
    ngx_http_im_reply_t     reply;     /* once the state is DONE */
    ngx_msec_t              generation;  /* a connection of the node that
                                            replied last came or went then */
    ngx_http_im_cmd_e       state;
    unsigned                write:1;   /* changes the store */
    unsigned                again:1;   /* may be executed twice */
    unsigned                retried:1;
};


#define NGX_HTTP_IM_READ    0          /* may be repeated */
#define NGX_HTTP_IM_WRITE   1          /* must not be executed twice */
#define NGX_HTTP_IM_UPSERT  2          /* a write that may be repeated */


/*
 * Commands of one round.  Adding never fails by itself: the first failure
 * sticks and the caller asks once, before submitting.
 */

typedef struct {
    ngx_pool_t             *pool;
    ngx_http_im_cmd_t      *first;
    ngx_http_im_cmd_t     **last;
    ngx_uint_t              n;
    unsigned                failed:1;
} ngx_http_im_pipeline_t;


void ngx_http_im_pipeline_init(ngx_http_im_pipeline_t *p, ngx_pool_t *pool);

/* argv[key] is the key that addresses the command; NULL when out of memory */
ngx_http_im_cmd_t *ngx_http_im_pipeline_add(ngx_http_im_pipeline_t *p,
    ngx_uint_t kind, ngx_uint_t key, const ngx_str_t *argv, ngx_uint_t argc);


#endif /* _NGX_HTTP_IM_CMD_H_INCLUDED_ */
