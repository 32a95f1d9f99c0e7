
#ifndef _NGX_HTTP_IM_CALL_H_INCLUDED_
#define _NGX_HTTP_IM_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cache.h"
#include "ngx_http_im_error.h"
#include "ngx_http_im_field.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_writer.h"
#include "ngx_http_im_key.h"
#include "ngx_http_im_cmd.h"
#include "ngx_http_im_script.h"


typedef struct ngx_http_im_call_s  ngx_http_im_call_t;

/*
 * A step of a call.  It reads what the commands of the step before brought,
 * and
 *     NGX_AGAIN     has added commands and set call->next,
 *     NGX_OK        is done, the answer is in call->writer (empty: {}),
 *     NGX_DECLINED  refuses, call->error tells why,
 *     NGX_ERROR     is out of memory.
 */
typedef ngx_int_t (*ngx_http_im_step_pt)(ngx_http_im_call_t *call);


/* one call of the API */

typedef struct {
    ngx_str_t                      name;      /* for logs: $im_call */
    const ngx_http_im_field_t     *fields;
    size_t                         size;      /* of the arguments */
    ngx_uint_t                     write;     /* its failure is in doubt */
    ngx_http_im_step_pt            check;     /* judges before the store is
                                                 asked: NGX_OK or DECLINED */
    ngx_http_im_step_pt            start;
} ngx_http_im_op_t;


/* what the location's directives say; constant */

typedef struct {
    ngx_str_t                      key_prefix;
    size_t                         max_body_size;
    size_t                         max_message_size;
    ngx_uint_t                     list_max;
    ngx_uint_t                     page_size_max;
    ngx_uint_t                     group_max_members;
    ngx_msec_t                     idempotency_window;
    ngx_flag_t                     read_on_fetch;
    ngx_uint_t                     reply_full;
} ngx_http_im_options_t;


/*
 * A call under way.  It lives in the job's pool, with its arguments, state
 * and replies, so that a write can be finished after its client has gone.
 * Only the JSON goes to the request's pool, for as long as there is one.
 */

struct ngx_http_im_call_s {
    const ngx_http_im_op_t        *op;
    const ngx_http_im_options_t   *options;
    const ngx_http_im_script_t    *scripts;
    ngx_pool_t                    *pool;
    ngx_http_im_pipeline_t        *pipeline;
    uint64_t                      *random;    /* the worker's */
    ngx_http_im_cache_t           *cache;     /* or NULL */
    uint32_t                       scope;     /* of what is in the cache */
    ngx_msec_t                     generation;

    ngx_str_t                      conv_id;   /* of path or body */
    ngx_str_t                      from_id;   /* who acts, for logs */
    ngx_str_t                      user;      /* im_user, who the caller is */
    void                          *args;
    void                          *state;
    ngx_http_im_step_pt            next;

    ngx_http_im_writer_t           writer;
    ngx_http_im_error_t            error;

    ngx_str_t                      made_conv; /* X-IM-Conv-Id */
    ngx_str_t                      made_msg;  /* X-IM-Msg-Id */
    ngx_str_t                      made_time; /* X-IM-Msg-Time */
};


/* the step asks nothing; one that failed to ask is not idle */
#define ngx_http_im_call_idle(call)                                          \
    ((call)->pipeline->n == 0 && !(call)->pipeline->failed)

/* a command with the key of a conversation or a user as its first argument */
ngx_http_im_cmd_t *ngx_http_im_call_cmd(ngx_http_im_call_t *call,
    ngx_uint_t kind, ngx_http_im_key_e what, ngx_str_t *id,
    ngx_str_t *argv, ngx_uint_t argc);

/* EVALSHA with the keys of a conversation and the arguments of the script */
ngx_http_im_cmd_t *ngx_http_im_call_script(ngx_http_im_call_t *call,
    ngx_uint_t kind, ngx_http_im_script_e script, ngx_str_t *id,
    const ngx_http_im_key_e *keys, ngx_uint_t nkeys,
    ngx_str_t *argv, ngx_uint_t argc);

/* a script's reply: NGX_OK, or refused with the code it gave */
ngx_int_t ngx_http_im_call_result(ngx_http_im_call_t *call,
    ngx_http_im_cmd_t *cmd, ngx_str_t *result);

/* NGX_OK if the command and those after it were answered with integers */
ngx_int_t ngx_http_im_call_integers(ngx_http_im_call_t *call,
    ngx_http_im_cmd_t *cmd);

ngx_int_t ngx_http_im_call_error(ngx_http_im_call_t *call,
    ngx_http_im_error_e id);

/* the reply is not what the schema has there */
ngx_int_t ngx_http_im_call_store_error(ngx_http_im_call_t *call);

/* the conv_id of path or body must be an id; NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_im_call_check_conv(ngx_http_im_call_t *call);

/* where im_user is set, it must be who acts; NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_im_call_check_user(ngx_http_im_call_t *call,
    const char *field, ngx_str_t *id);

#endif /* _NGX_HTTP_IM_CALL_H_INCLUDED_ */
