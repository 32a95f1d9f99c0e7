
#ifndef _NGX_HTTP_IM_H_INCLUDED_
#define _NGX_HTTP_IM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_origin.h"
#include "ngx_http_im_redis_conf.h"
#include "ngx_http_im_stat.h"
#include "ngx_http_im_unique.h"
#include "ngx_http_im_unsent.h"


/* http level */

typedef struct {
    ngx_array_t                stores;    /* of ngx_http_im_redis_conf_t * */
    ngx_array_t                passes;    /* of ngx_http_im_pass_t * */
    ngx_http_im_script_t      *scripts;
    ngx_http_im_unique_t       unique;    /* a worker's */
    ngx_shm_zone_t            *cache;     /* NULL: off */
    ngx_shm_zone_t            *rate;      /* NULL: no im_rate */
    ngx_shm_zone_t            *stat_zone;  /* NULL: no im_pass, no im_status */
    ngx_http_im_stat_t        *stat;      /* a worker's, of its calls */
    ngx_http_im_unsent_t       unsent;    /* a worker's answers */
    struct ngx_http_im_health_s  *health;  /* a worker's, of all stores */
    ngx_http_request_body_filter_pt  next_body_filter;
    unsigned                   cache_off:1;
    unsigned                   status:1;  /* there is an im_status */
    unsigned                   has_health:1;  /* an im_health */
    unsigned                   has_rate:1;    /* an im_rate with a limit */
} ngx_http_im_main_conf_t;


/* one im_pass; the implicit locations inside its own share it */

typedef struct {
    ngx_str_t                  value;
    const char                *directive; /* of which it is the argument */
    size_t                     prefix;    /* length of the location's name */
    ngx_http_im_redis_conf_t  *store;
    u_char                    *file;      /* where it stands, for errors */
    ngx_uint_t                 line;
} ngx_http_im_pass_t;


typedef struct {
    ngx_http_im_options_t      options;
    ngx_http_complex_value_t  *user;
    ngx_http_complex_value_t  *trusted_value;
    ngx_uint_t                 trusted;   /* ngx_http_im_trusted_e, or unset:
                                             off with user, else private */
    ngx_http_im_origins_t     *origins;   /* NULL: this host only */
    ngx_http_im_rate_limit_t   limits[NGX_HTTP_IM_RATE_KINDS];
    ngx_http_im_pass_t        *pass;
    size_t                     body_max;  /* im_max_body_size, or less */
    size_t                     import_max;  /* the same for im_import */
    ngx_flag_t                 import;
    uint32_t                   scope;     /* of key_prefix in the cache */
    ngx_uint_t                 status;    /* ngx_http_im_status_e */
    ngx_uint_t                 health;    /* there is an im_health */
} ngx_http_im_loc_conf_t;


/*
 * The body of a request, as it is read.
 ** rc of the handler: NGX_OK, body->data and body->len are the whole body;
 * NGX_DECLINED, it is longer than the limit or was to be dropped; NGX_ERROR,
 * out of memory or a file that could not be read; otherwise the status of a
 * failed read.
 */

typedef struct ngx_http_im_body_s  ngx_http_im_body_t;

typedef void (*ngx_http_im_body_handler_pt)(ngx_http_request_t *r,
    ngx_http_im_body_t *body, ngx_int_t rc);

struct ngx_http_im_body_s {
    u_char                       *data;       /* in the request's pool */
    size_t                        len;        /* of what has been read */
    size_t                        capacity;   /* of a copy of it */
    size_t                        limit;
    size_t                        dropped;    /* bytes */
    ngx_event_t                   timer;      /* ends the dropping */
    ngx_http_im_body_handler_pt   handler;
    unsigned                      drop:1;     /* nothing is kept any more */
};


/*
 * A request and its call.  Lives in the request's pool; call and job are NULL
 * before the body is read and after the answer is made.
 */

typedef struct {
    ngx_http_request_t        *request;
    const ngx_http_im_op_t    *op;
    ngx_http_im_call_t        *call;
    ngx_http_im_job_t         *job;
    ngx_http_cleanup_t        *cleanup;
    ngx_http_im_body_t         body;

    ngx_http_im_holder_t      *holder;    /* of the unsent answer, or NULL */
    size_t                     unsent;    /* as it was counted */
    ngx_str_t                  holder_key;

    ngx_str_t                  path_id;   /* conv_id in the URI */
    ngx_uint_t                 refused;   /* a code, before the body
                                             was read */
    ngx_uint_t                 retry_after;  /* seconds, or 0 */

    /* for variables: the log phase is after the end of the call */
    const ngx_http_im_code_t  *code;
    ngx_str_t                  from_id;
    ngx_str_t                  conv_id;
    ngx_msec_t                 store_time;
    ngx_uint_t                 commands;
} ngx_http_im_ctx_t;


extern ngx_module_t  ngx_http_im_module;


#endif /* _NGX_HTTP_IM_H_INCLUDED_ */
