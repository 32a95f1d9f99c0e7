
#ifndef _NGX_HTTP_IM_PAGE_H_INCLUDED_
#define _NGX_HTTP_IM_PAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_message.h"
#include "ngx_http_im_schema.h"


/*
 * A page of messages: what conv_page and pair_page have in common.
 *
 * GETRANGE head, ZREVRANGE timeline, and for a group HGET members viewer
 * -> prefix of the head, rows, position; then what of it is needed:
 * HMGET profile of each sender, script read -> name and picture, "ok"
 *
 * Where there is a hint of the newest rows, the timeline is only fetched if
 * the head shows that they are not the newest any more.
 *
 * With a cursor, Z(REV)RANGEBYSCORE timeline from its sequence on takes the
 * place of ZREVRANGE: the first row must be the message that the cursor names.
 */

typedef struct {
    ngx_str_t                 from_id;    /* the viewer, may be "" */
    ngx_str_t                 to_id;      /* pair_page only */
    int64_t                   page_no;    /* 0: there is a cursor */
    int64_t                   page_size;

    /* cursors, ids of messages; data is NULL where one is not given */
    ngx_str_t                 before;
    ngx_str_t                 after;      /* "": the beginning */
} ngx_http_im_page_args_t;

typedef struct {
    ngx_http_im_cmd_t        *head;
    ngx_http_im_cmd_t        *timeline;
    ngx_http_im_cmd_t        *member;     /* a group's viewer: position */
    ngx_http_im_cmd_t        *read;       /* sets it */
    ngx_http_im_head_t        shown;      /* the head, parsed */
    ngx_str_t                 recent;     /* the hint, "": none */
    ngx_str_t                 rev;        /* of the head it was put with */
    ngx_msec_t                sent;       /* when the timeline was fetched */
    ngx_http_im_messages_t    messages;
    unsigned                  optional:1; /* without a conversation the page
                                             is empty, not an error */
} ngx_http_im_page_t;


/* defaults and limits of the fields: NGX_OK, or refused */
ngx_int_t ngx_http_im_page_check(ngx_http_im_call_t *call);

/* the state of the call; NULL: out of memory */
ngx_http_im_page_t *ngx_http_im_page_create(ngx_http_im_call_t *call);

/* the first round of call->conv_id; returns what a step does */
ngx_int_t ngx_http_im_page_fetch(ngx_http_im_call_t *call);


#endif /* _NGX_HTTP_IM_PAGE_H_INCLUDED_ */
