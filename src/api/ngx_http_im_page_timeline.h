
#ifndef _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_
#define _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_message.h"
#include "ngx_http_im_schema.h"


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
    ngx_http_im_cmd_t        *timeline;   /* the first of these */
    ngx_uint_t                ncmds;
    ngx_http_im_cmd_t        *member;     /* a group's viewer: position */
    ngx_http_im_cmd_t        *read;       /* sets it */
    ngx_http_im_head_t        shown;      /* the head, parsed */
    ngx_str_t                 recent;     /* the hint, "": none */
    ngx_str_t                 rev;        /* of the head it was put with */
    ngx_msec_t                sent;       /* when the timeline was fetched */
    ngx_http_im_messages_t    messages;
    unsigned                  by_seq:1;   /* fetched again, by sequence */
    unsigned                  optional:1; /* without a conversation the page
                                             is empty, not an error */
} ngx_http_im_page_t;


/* the commands for the rows of a page, which follow page->timeline */
void ngx_http_im_page_number_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
void ngx_http_im_page_cursor_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);

/*
 * The rows that they brought.  NGX_OK; NGX_AGAIN: messages were stored between
 * two of them, which moves all ranks, and the rows are fetched again, by
 * sequence; NGX_ERROR; or refused.
 */
ngx_int_t ngx_http_im_page_timeline_join(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t ***rows, ngx_uint_t *n);


#endif /* _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_ */
