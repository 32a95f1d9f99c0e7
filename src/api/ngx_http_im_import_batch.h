
#ifndef _NGX_HTTP_IM_IMPORT_BATCH_H_INCLUDED_
#define _NGX_HTTP_IM_IMPORT_BATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/* The arguments of script import, and what it has replied. */

typedef struct {
    ngx_str_t    *argv;       /* the first: "1": may create, or "" */
    ngx_uint_t    argc;
    ngx_uint_t    head_argc;  /* of these, before those of messages */
    size_t        size;       /* of the texts */
    ngx_str_t    *users;      /* as in the body */
    ngx_uint_t    nusers;
    int64_t       stored;
    int64_t       skipped;
    ngx_str_t     score;      /* for inboxes */
} ngx_http_im_batch_t;


/* from call->args; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_batch_create(ngx_http_im_call_t *call,
    ngx_http_im_batch_t *batch);

/* "ok STORED SKIPPED SCORE"; NGX_OK, or NGX_ERROR: malformed */
ngx_int_t ngx_http_im_batch_result(ngx_http_im_batch_t *batch,
    ngx_str_t *result);

/* the answer; NGX_OK */
ngx_int_t ngx_http_im_batch_write(ngx_http_im_call_t *call,
    ngx_http_im_batch_t *batch);


#endif /* _NGX_HTTP_IM_IMPORT_BATCH_H_INCLUDED_ */
