
#ifndef _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_
#define _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_message.h"
#include "ngx_http_im_schema.h"


/*
 * The commands that fetch the rows of a page.
 *
 * A page whose rows cannot be too large, as it has few, takes one plain
 * command.  For others a script reads the timeline until it has a number of
 * bytes; that is the whole page unless its texts are long.  The rest of a page
 * of long texts is fetched in parts, by sequence, a round trip each: Redis and
 * the connection serve others in between, and no row is doubled or missing,
 * whatever is stored meanwhile.
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
    ngx_http_im_cmd_t        *timeline;   /* the last command for rows */
    ngx_http_im_cmd_t        *member;     /* a group's viewer: position */
    ngx_http_im_cmd_t        *read;       /* sets it */
    ngx_http_im_head_t        shown;      /* the head, parsed */
    ngx_str_t                 recent;     /* the hint, "": none */
    ngx_str_t                 rev;        /* of the head it was put with */
    ngx_str_t                 cursor;     /* as rows have it */
    int64_t                   cursor_seq;  /* of its row */
    ngx_msec_t                sent;       /* when the timeline was fetched */
    ngx_http_im_messages_t    messages;
    int64_t                   position;   /* of the viewer, at the start */
    ngx_uint_t                wanted;     /* rows of the last command */
    ngx_uint_t                missing;    /* rows after that one */
    size_t                    size;       /* bytes of the rows, if partial */
    unsigned                  script:1;   /* it may have stopped early */
    unsigned                  partial:1;  /* rows of parts before are in
                                             messages */
    unsigned                  looked_up:1;  /* the cursor, among the ids of
                                             imported messages */
    unsigned                  optional:1; /* without a conversation the page
                                             is empty, not an error */
} ngx_http_im_page_t;


/* page->timeline, the first command: by number, or by a cursor */
void ngx_http_im_page_number_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
void ngx_http_im_page_cursor_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);

/* do rows of the page follow those of this reply? */
ngx_uint_t ngx_http_im_page_has_more(ngx_http_im_page_t *page);

/* page->timeline, the part that follows all rows in page->messages */
void ngx_http_im_page_more_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);


#endif /* _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_ */
