
#ifndef _NGX_HTTP_IM_CMD_H_INCLUDED_
#define _NGX_HTTP_IM_CMD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_reply.h"
#include "ngx_http_im_script.h"


typedef struct ngx_http_im_cmd_s   ngx_http_im_cmd_t;
typedef struct ngx_http_im_flow_s  ngx_http_im_flow_t;
typedef struct ngx_http_im_job_s   ngx_http_im_job_t;
typedef struct ngx_http_im_node_s  ngx_http_im_node_t;


typedef enum {
    NGX_HTTP_IM_READ = 0,         /* may be executed twice */
    NGX_HTTP_IM_WRITE,            /* must not be executed twice */
    NGX_HTTP_IM_UPSERT,           /* a write that may be executed twice */
    NGX_HTTP_IM_SETUP,            /* of a connection; in no flow */
    NGX_HTTP_IM_FENCE             /* see ngx_http_im_fence.h; has no job */
} ngx_http_im_kind_e;


typedef enum {
    NGX_HTTP_IM_CMD_NEW = 0,
    NGX_HTTP_IM_CMD_WAITING,      /* in its flow, nothing of it is written */
    NGX_HTTP_IM_CMD_SENT,         /* at least partly handed to the kernel */
    NGX_HTTP_IM_CMD_DONE,         /* has a reply */
    NGX_HTTP_IM_CMD_REFUSED,      /* was not executed, for sure */
    NGX_HTTP_IM_CMD_UNKNOWN       /* may have been executed or not */
} ngx_http_im_cmd_e;


/*
 * One command.  It lives in the pool of its job, as do its bytes and its
 * reply.  The key decides which node executes it.
 */

struct ngx_http_im_cmd_s {
    ngx_queue_t                    queue;      /* of its flow, of its conn */
    ngx_http_im_cmd_t             *next;       /* in its pipeline */
    ngx_http_im_job_t             *job;
    ngx_http_im_node_t            *node;       /* that executes it */
    ngx_http_im_flow_t            *flow;       /* of its caller, there */
    const ngx_http_im_script_t    *script;     /* of an EVALSHA, or NULL */
    ngx_str_t                      resp;       /* as Redis reads it */
    ngx_str_t                      key;
    ngx_uint_t                     argc;
    ngx_uint_t                     number;     /* in its flow */
    uint64_t                       start;      /* offset in conn's output */
    size_t                         charge;     /* expected cost, in flight */
    size_t                         most;       /* bytes of a reply that may be
                                                  large, or 0 */
    size_t                         size;       /* of the reply */
    size_t                         time;       /* of Redis, in bytes */
    ngx_http_im_reply_t            reply;      /* once the state is DONE */
    ngx_msec_t                     generation; /* of the jobs, at the reply */
    ngx_msec_t                     due;        /* while it is delayed */
    u_char                        *unasked;    /* resp without ASKING */
    const void                    *conn;       /* that has brought the reply;
                                                  on one, the commands of a job
                                                  are executed in order */
    uint64_t                       written;    /* a fence: us */
    ngx_http_im_kind_e             kind;
    ngx_http_im_cmd_e              state;
    unsigned                       replied:1;  /* though without a fence */
    unsigned                       executed:1; /* maybe, before */
    unsigned                       suspect:1;  /* a connection broke at it */
    unsigned                       optional:1; /* its failure is nobody's */
    unsigned                       asking:1;   /* resp begins with ASKING */
    unsigned                       asked:1;    /* the reply to that was read */
    unsigned                       one_key:1;  /* keys were left out */
    unsigned                       moved:1;    /* redirected, or delayed */
    unsigned                       redirects:3;
    unsigned                       delays:3;   /* how often, at most 7 */
};


/*
 * Commands of one round.  Adding never fails by itself: the first failure
 * sticks and the caller checks it once, before submitting.
 */

typedef struct {
    ngx_pool_t                    *pool;
    ngx_http_im_cmd_t             *first;
    ngx_http_im_cmd_t            **last;
    ngx_uint_t                     n;
    unsigned                       failed:1;
} ngx_http_im_pipeline_t;


void ngx_http_im_pipeline_init(ngx_http_im_pipeline_t *p, ngx_pool_t *pool);

/* argv[key] is the key that addresses the command; NULL when out of memory */
ngx_http_im_cmd_t *ngx_http_im_cmd_add(ngx_http_im_pipeline_t *p,
    ngx_http_im_kind_e kind, ngx_uint_t key, const ngx_str_t *argv,
    ngx_uint_t argc);

/* EVALSHA: argv has the number of keys, the keys, and the arguments */
ngx_http_im_cmd_t *ngx_http_im_cmd_add_script(ngx_http_im_pipeline_t *p,
    ngx_http_im_kind_e kind, const ngx_http_im_script_t *script,
    const ngx_str_t *argv, ngx_uint_t argc);

/*
 * Makes an EVAL with the script's text of an EVALSHA, for a server that has
 * lost its scripts (SCRIPT FLUSH).  NGX_OK; NGX_DECLINED: the command is no
 * EVALSHA; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_im_cmd_eval(ngx_http_im_cmd_t *cmd, ngx_pool_t *pool);

/* CLUSTER SLOTS, of a setup */
ngx_http_im_cmd_t *ngx_http_im_cmd_add_slots(ngx_http_im_pipeline_t *p);


static ngx_inline ngx_uint_t
ngx_http_im_cmd_is_write(ngx_http_im_cmd_t *cmd)
{
    return cmd->kind == NGX_HTTP_IM_WRITE || cmd->kind == NGX_HTTP_IM_UPSERT;
}


static ngx_inline ngx_uint_t
ngx_http_im_cmd_is_idempotent(ngx_http_im_cmd_t *cmd)
{
    return cmd->kind == NGX_HTTP_IM_READ || cmd->kind == NGX_HTTP_IM_UPSERT;
}


#endif /* _NGX_HTTP_IM_CMD_H_INCLUDED_ */
