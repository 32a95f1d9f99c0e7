
#ifndef _NGX_HTTP_IM_CALL_H_INCLUDED_
#define _NGX_HTTP_IM_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cache.h"
#include "ngx_http_im_error.h"
#include "ngx_http_im_field.h"
#include "ngx_http_im_key.h"
#include "ngx_http_im_rate.h"
#include "ngx_http_im_redis.h"
#include "ngx_http_im_script.h"
#include "ngx_http_im_unique.h"
#include "ngx_http_im_writer.h"


typedef struct ngx_http_im_call_s  ngx_http_im_call_t;

/*
 * A step of a call.  It reads the replies to the commands of the step before
 * and returns
 *     NGX_AGAIN     commands were added and call->next is set,
 *     NGX_OK        done, the answer is in call->writer (empty: {}),
 *     NGX_DECLINED  refused, the reason is in call->error,
 *     NGX_ERROR     out of memory.
 */
typedef ngx_int_t (*ngx_http_im_step_pt)(ngx_http_im_call_t *call);


/* what an operation writes */

typedef enum {
    NGX_HTTP_IM_OP_READ = 0,
    NGX_HTTP_IM_OP_WRITE,
    NGX_HTTP_IM_OP_WRITE_OWN,        /* the user's own view of a
                                        conversation, and nothing in it */
    NGX_HTTP_IM_OP_IMPORT            /* of trusted callers: has limits of its
                                        own */
} ngx_http_im_op_write_e;


/* one operation of the API; route.c has the list of them */

typedef struct {
    ngx_str_t                      name;      /* for logs: $im_call */
    const ngx_http_im_field_t     *fields;
    size_t                         size;      /* of the arguments */
    ngx_http_im_op_write_e         write;     /* a failure of a write leaves
                                                 it unknown whether it was
                                                 executed */
    ngx_http_im_step_pt            check;     /* the arguments, before any
                                                 command; NGX_AGAIN is not
                                                 allowed; may be NULL */
    ngx_http_im_step_pt            start;     /* may run twice, see
                                                 ngx_http_im_call_restart() */
} ngx_http_im_op_t;


/* for recall_window */
#define NGX_HTTP_IM_RECALL_OFF   ((ngx_msec_t) NGX_MAX_INT_T_VALUE)


/* who may add members, where the caller is known */

typedef enum {
    NGX_HTTP_IM_GROUP_ADD_MEMBER = 0,
    NGX_HTTP_IM_GROUP_ADD_OWNER,
    NGX_HTTP_IM_GROUP_ADD_TRUSTED
} ngx_http_im_group_add_e;


/* the directives of a location; constant */

typedef struct {
    ngx_str_t                      key_prefix;
    ngx_str_t                      channel;   /* of events; "": none */
    size_t                         max_body_size;
    size_t                         max_message_size;
    ngx_uint_t                     list_max;
    ngx_uint_t                     page_size_max;
    ngx_uint_t                     group_max_members;
    ngx_uint_t                     group_add;  /* ngx_http_im_group_add_e */
    ngx_uint_t                     groups_max;
    ngx_msec_t                     idempotency_window;
    ngx_msec_t                     recall_window; /* 0: without end */
    ngx_flag_t                     read_on_fetch;
    ngx_uint_t                     reply_full;
} ngx_http_im_options_t;


/*
 * Bytes that the reply to one command should not exceed, whatever was stored:
 * Redis takes a millisecond for 5 MB, and longer where it has to get memory.
 */
#define NGX_HTTP_IM_CALL_REPLY   (10 * 1024 * 1024)

/* bytes of a message that are not its text */
#define NGX_HTTP_IM_CALL_ROW     256


/* bytes of a stored message: a byte of the text may be escaped as six */

static ngx_inline size_t
ngx_http_im_call_row_max(const ngx_http_im_options_t *options)
{
    return 6 * options->max_message_size + NGX_HTTP_IM_CALL_ROW;
}


/*
 * Messages that the reply to one command may have, heads in the one to MGET,
 * and the bytes that it may have then
 */

static ngx_inline ngx_uint_t
ngx_http_im_call_rows_max(const ngx_http_im_options_t *options)
{
    ngx_uint_t  n;

    n = NGX_HTTP_IM_CALL_REPLY / ngx_http_im_call_row_max(options);

    return ngx_max(n, 1);
}


static ngx_inline ngx_uint_t
ngx_http_im_call_heads_max(const ngx_http_im_options_t *options)
{
    return 2 * ngx_http_im_call_rows_max(options);
}


static ngx_inline size_t
ngx_http_im_call_reply_max(const ngx_http_im_options_t *options)
{
    ngx_uint_t  rows, heads;

    rows = ngx_min(options->page_size_max,
                   ngx_http_im_call_rows_max(options));
    heads = ngx_min(options->list_max, ngx_http_im_call_heads_max(options));

    return ngx_max(rows, heads) * ngx_http_im_call_row_max(options);
}


/*
 * What a call needs of its surroundings.  The struct itself is only read by
 * ngx_http_im_call_create(); what it points to must outlive the call, the log
 * until ngx_http_im_call_detach().
 */

typedef struct {
    const ngx_http_im_options_t   *options;
    const ngx_http_im_script_t    *scripts;   /* by ngx_http_im_script_e */
    ngx_http_im_cache_t           *cache;     /* or NULL */
    uint32_t                       scope;     /* of its keys in the cache */
    ngx_http_im_unique_t          *unique;    /* the worker's */
    ngx_msec_t                     timeout;   /* of the store */
    ngx_log_t                     *log;
} ngx_http_im_call_env_t;


/*
 * A call under way.  It lives in the pool of its job, as do its arguments,
 * state and replies, so that a write can be finished after its client has
 * gone.  The answer may be written to another pool: writer.pool.
 */

struct ngx_http_im_call_s {
    const ngx_http_im_op_t        *op;
    ngx_http_im_job_t             *job;
    ngx_pool_t                    *pool;      /* the job's */
    ngx_http_im_pipeline_t        *pipeline;  /* the job's */
    ngx_log_t                     *log;
    void                          *data;      /* free for the maker */
    ngx_http_im_rate_charge_t     *charge;    /* the maker's, or NULL */

    const ngx_http_im_options_t   *options;
    const ngx_http_im_script_t    *scripts;
    ngx_http_im_cache_t           *cache;
    uint32_t                       scope;
    ngx_http_im_unique_t          *unique;
    ngx_msec_t                     timeout;

    ngx_str_t                      conv_id;   /* of path or body; of a 1:1 the
                                                 computed one */
    ngx_str_t                      name_id;   /* another name that it was
                                                 called by, or "" */
    ngx_str_t                      name_users[2];  /* then, of a restarted
                                                 call, the users of the 1:1 */
    ngx_str_t                      from_id;   /* who acts, for logs */
    ngx_str_t                      user;      /* who the maker says that the
                                                 caller is, "": not known */
    void                          *args;
    void                          *state;
    ngx_http_im_step_pt            next;

    ngx_http_im_writer_t           writer;
    ngx_http_im_error_t            error;

    ngx_str_t                      made_conv; /* X-IM-Conv-Id */
    ngx_str_t                      made_msg;  /* X-IM-Msg-Id */
    ngx_str_t                      made_time; /* X-IM-Msg-Time */

    unsigned                       trusted:1; /* the maker says that the
                                                 caller may act for anybody */
    unsigned                       pair:1;    /* conv_id has the form of a
                                                 1:1's, see conv.h */
    unsigned                       group:1;   /* the call is of groups only */
    unsigned                       imported:1;  /* the call was started again,
                                                 knowing what conv_id is */
};


/*
 * For whoever makes calls: create; set call->user or call->trusted; check;
 * run, and after NGX_AGAIN submit the job and run again from its handler,
 * until run returns something else.  conv_id is that of the path, or empty;
 * NULL when out of memory.
 */
ngx_http_im_call_t *ngx_http_im_call_create(ngx_http_im_call_env_t *env,
    ngx_http_im_job_t *job, const ngx_http_im_op_t *op, ngx_str_t *conv_id);

/*
 * Reads the arguments from a body and does all checks that need no command.
 * NGX_OK, NGX_DECLINED or NGX_ERROR, as a step.
 */
ngx_int_t ngx_http_im_call_check(ngx_http_im_call_t *call, u_char *body,
    size_t len);

/*
 * Runs call->next, or refuses the call if the round of commands before it has
 * failed; returns what a step does.
 */
ngx_int_t ngx_http_im_call_run(ngx_http_im_call_t *call);

/* the code of a call whose check or run has returned rc, not NGX_AGAIN */
ngx_http_im_error_e ngx_http_im_call_code(ngx_http_im_call_t *call,
    ngx_int_t rc);

/*
 * An error line if the code is one of 5xx, and none if the client is to blame;
 * error: what ngx_http_im_redis_error() returned before the last run, or NULL.
 */
void ngx_http_im_call_log(ngx_http_im_call_t *call, ngx_int_t rc,
    ngx_str_t *error);

/* nobody needs the answer any more; the job's pool is all that is left */
void ngx_http_im_call_detach(ngx_http_im_call_t *call, ngx_log_t *log);


/* For steps */

/* the step to come, run at once if there are no commands to wait for */
ngx_int_t ngx_http_im_call_continue(ngx_http_im_call_t *call,
    ngx_http_im_step_pt step);

/*
 * Commands; NULL when out of memory, which also sticks in the pipeline, so a
 * step need not look.
 */

/* a command with the key of a conversation or a user as its first argument */
ngx_http_im_cmd_t *ngx_http_im_call_cmd(ngx_http_im_call_t *call,
    ngx_uint_t kind, ngx_http_im_key_e what, ngx_str_t *id,
    ngx_str_t *argv, ngx_uint_t argc);

/* the reply may have n whole messages */
void ngx_http_im_call_most(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd,
    ngx_uint_t n);

/* EVALSHA with keys of a conversation and the arguments of the script */
ngx_http_im_cmd_t *ngx_http_im_call_script(ngx_http_im_call_t *call,
    ngx_uint_t kind, ngx_http_im_script_e script, ngx_str_t *id,
    const ngx_http_im_key_e *keys, ngx_uint_t nkeys,
    ngx_str_t *argv, ngx_uint_t argc);

/*
 * What a conversation is, its head tells.  A call takes an id of 24 hex digits
 * for that of a 1:1, and any other for a group's; the id of an imported one
 * may be neither.  Then it is started again, at most once: head is that of
 * call->conv_id, another name of a 1:1, or the begin of one.  Returns what the
 * first step does; refused if the call is one of groups and this is none.
 */
ngx_int_t ngx_http_im_call_restart(ngx_http_im_call_t *call, ngx_str_t *head);

/* whether call->from_id is one of call->name_users */
ngx_uint_t ngx_http_im_call_is_user(ngx_http_im_call_t *call);

/*
 * A script's reply: NGX_OK; refused with the code in it; or the call is
 * started again, and what its first step returns.
 */
ngx_int_t ngx_http_im_call_result(ngx_http_im_call_t *call,
    ngx_http_im_cmd_t *cmd, ngx_str_t *result);

/* NGX_OK if the replies to the command and those after it are integers */
ngx_int_t ngx_http_im_call_integers(ngx_http_im_call_t *call,
    ngx_http_im_cmd_t *cmd);

/* these refuse the call and return NGX_DECLINED, or NGX_ERROR */

ngx_int_t ngx_http_im_call_error(ngx_http_im_call_t *call,
    ngx_http_im_error_e id);

/* the reply is not what the schema has there */
ngx_int_t ngx_http_im_call_store_error(ngx_http_im_call_t *call);

#define NGX_HTTP_IM_HEAD_BEHIND                                              \
    "the timeline has messages that the head does not know"

/* what is stored contradicts itself; reason: for the log, constant */
ngx_int_t ngx_http_im_call_contradiction(ngx_http_im_call_t *call,
    const char *reason);

/* the form of a user's id: NGX_OK, or refused */
ngx_int_t ngx_http_im_call_check_user_id(ngx_http_im_call_t *call,
    const char *field, ngx_str_t *id);

/* where the user is known, it must be who acts: NGX_OK, or refused */
ngx_int_t ngx_http_im_call_check_user(ngx_http_im_call_t *call,
    const char *field, ngx_str_t *id);


#endif /* _NGX_HTTP_IM_CALL_H_INCLUDED_ */
