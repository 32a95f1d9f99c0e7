
#ifndef _NGX_HTTP_IM_CONVS_H_INCLUDED_
#define _NGX_HTTP_IM_CONVS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_profile.h"
#include "ngx_http_im_schema.h"


/*
 * The conversations of a user, in two rounds:
 *
 * ZREVRANGE inbox, SRANDMEMBER groups -> ids of 1:1s and groups;
 * MGET head of the 1:1s; HGET members user and GET or GETRANGE head of every
 * group -> heads and positions.
 */

/* how many entries of an inbox are fetched at most */
#define NGX_HTTP_IM_CONVS_INBOX_MAX   65536


typedef struct {
    ngx_str_t                 from_id;    /* whose they are */
} ngx_http_im_convs_args_t;

typedef struct {
    ngx_str_t                 conv_id;
    ngx_str_t                 peer;       /* of a 1:1, "" for a group */
    ngx_http_im_cmd_t        *cmd;        /* its reply is the head ... */
    ngx_uint_t                n;          /* ... or, of a 1:1, the n-th part */
    ngx_http_im_cmd_t        *member;     /* of a group: the position */

    ngx_http_im_head_t        head;
    int64_t                   unread;

    /* conv_list only */
    ngx_http_im_cmd_t        *settings;   /* of a group */
    ngx_str_t                 hint;       /* who may have written last in it */
    ngx_http_im_profile_t    *sender;     /* who has written last */
} ngx_http_im_convs_row_t;

typedef struct {
    ngx_str_t                *user;
    ngx_http_im_cmd_t        *inbox;
    ngx_http_im_cmd_t        *groups;
    ngx_http_im_convs_row_t  *rows;       /* 1:1s as in the inbox, groups */
    ngx_uint_t                nrows;
    ngx_uint_t                limit;      /* of entries of the inbox */
} ngx_http_im_convs_t;

/* what a call wants of a row but its head; NGX_OK or NGX_ERROR */
typedef ngx_int_t (*ngx_http_im_convs_row_pt)(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t *row);


/* the fields of calls with these arguments, and the check */
extern const ngx_http_im_field_t  ngx_http_im_convs_fields[];

ngx_int_t ngx_http_im_convs_check(ngx_http_im_call_t *call);

/* the first round, for a zeroed struct */
void ngx_http_im_convs_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_str_t *user, ngx_uint_t limit);

/*
 * Its replies become rows, and adds the second round.  text: heads of groups
 * with the text of the last message; fetch may be NULL.  NGX_OK, NGX_ERROR, or
 * refused.
 */
ngx_int_t ngx_http_im_convs_rows_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_uint_t text,
    ngx_http_im_convs_row_pt fetch);

/*
 * The head of a row and how many messages are unread.  NGX_OK; NGX_DONE: it is
 * not, or not yet, a conversation of the user's; or refused.
 */
ngx_int_t ngx_http_im_convs_row_parse(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t *row);


#endif /* _NGX_HTTP_IM_CONVS_H_INCLUDED_ */
