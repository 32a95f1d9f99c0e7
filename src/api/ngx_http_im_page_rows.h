
#ifndef _NGX_HTTP_IM_PAGE_ROWS_H_INCLUDED_
#define _NGX_HTTP_IM_PAGE_ROWS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_message.h"
#include "ngx_http_im_schema.h"


/* The rows of a page: by number or by a cursor, fetched or at hand. */

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
    ngx_str_t                 cursor;     /* as rows have it */
    ngx_msec_t                sent;       /* when the timeline was fetched */
    ngx_http_im_messages_t    messages;
    unsigned                  optional:1; /* without a conversation the page
                                             is empty, not an error */
    unsigned                  looked_up:1;  /* the cursor, among the ids of
                                             imported messages */
} ngx_http_im_page_t;


/* a hint of them, or the command for them */
void ngx_http_im_page_rows_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);

/*
 * They become page->messages.  NGX_OK; NGX_AGAIN: the hint is old, or the
 * cursor is to be looked up, and the command was added; NGX_ERROR; or refused.
 */
ngx_int_t ngx_http_im_page_rows_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);


#endif /* _NGX_HTTP_IM_PAGE_ROWS_H_INCLUDED_ */
