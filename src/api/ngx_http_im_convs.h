
#ifndef _NGX_HTTP_IM_CONVS_H_INCLUDED_
#define _NGX_HTTP_IM_CONVS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_profile.h"
#include "ngx_http_im_schema.h"


/*
 * The conversations of a user.
 *
 * ZREVRANGE inbox, ZRANGE groups -> ids of 1:1s and groups; then either the
 * whole of them, where all are shown:
 *     MGET head of the 1:1s -> heads,
 *     script groups "1" -> position and head, users, info of each group;
 * or their fronts, which decide what is shown:
 *     script fronts -> the first 67 bytes of the head of each 1:1,
 *     script groups -> position and the front of the head of each group.
 *
 * Scripts read the head and the position of a group in one step: a position
 * that is older than the head would count the user's own messages as unread.
 */

/* how many entries of an inbox are fetched at most */
#define NGX_HTTP_IM_CONVS_INBOX_MAX   65536


typedef struct {
    ngx_str_t                 from_id;    /* whose they are */
} ngx_http_im_convs_args_t;

typedef struct {
    ngx_str_t                 conv_id;
    ngx_str_t                 peer;       /* of a 1:1, "" for a group */
    ngx_http_im_cmd_t        *cmd;        /* its reply has the row ... */
    ngx_uint_t                n;          /* ... as its n-th element */
    unsigned                  whole:1;    /* not only the front */
    unsigned                  hidden:1;   /* by the user */

    ngx_http_im_head_t        head;
    int64_t                   unread;

    /* of a whole group */
    ngx_str_t                 users;
    ngx_str_t                 info;

    ngx_str_t                 hint;       /* who may have written last */
    ngx_http_im_profile_t    *sender;     /* who has; before, who may */
} ngx_http_im_convs_row_t;

/* which of them are kept, apart from those that are not hidden */

typedef struct {
    int64_t                   since;      /* ms: the last message is newer */
    int64_t                   until;      /* ms: and is not newer */
    ngx_uint_t                unread;     /* something is */
    ngx_uint_t                set;        /* any of these matters */
} ngx_http_im_convs_filter_t;

typedef struct {
    ngx_str_t                *user;
    ngx_http_im_cmd_t        *inbox;
    ngx_http_im_cmd_t        *groups;
    ngx_http_im_convs_row_t  *rows;       /* 1:1s as in the inbox, groups */
    ngx_uint_t                nrows;
    ngx_uint_t                npairs;     /* of them */
    ngx_uint_t                limit;      /* of entries of the inbox */
    ngx_uint_t                cleaned;    /* places without a membership */
    ngx_http_im_convs_filter_t  filter;
} ngx_http_im_convs_t;


/* the fields of calls with these arguments, and the check */
extern const ngx_http_im_field_t  ngx_http_im_convs_fields[];

/* the call that adds up what is unread */
extern const ngx_http_im_op_t  ngx_http_im_op_unread;

ngx_int_t ngx_http_im_convs_check(ngx_http_im_call_t *call);

/*
 * The first round, for a struct that is zero but for the filter, which may
 * leave out what no entry of the inbox can match.
 */
void ngx_http_im_convs_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_str_t *user, ngx_uint_t limit);

/* entries of an inbox by scores, the highest first; -1: without a bound */
ngx_http_im_cmd_t *ngx_http_im_convs_inbox_fetch(ngx_http_im_call_t *call,
    ngx_str_t *user, int64_t newest, int64_t oldest, ngx_uint_t limit);

/* its replies become rows; NGX_OK, NGX_ERROR, or refused */
ngx_int_t ngx_http_im_convs_rows_create(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs);

/* an entry of an inbox becomes a row; NGX_OK, or refused */
ngx_int_t ngx_http_im_convs_pair_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *reply, ngx_http_im_convs_row_t *row);

/* commands for the fronts of rows, or for the whole; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_convs_rows_fetch(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t **rows, ngx_uint_t n,
    ngx_uint_t whole);

/*
 * The row, from the reply to the last of these.  NGX_OK; NGX_DONE: it is not,
 * or not yet, a conversation of the user's; or refused.
 */
ngx_int_t ngx_http_im_convs_row_parse(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t *row);

/*
 * Parses rows and keeps the user's conversations that are not hidden and match
 * the filter, the newest first; unique: a conversation may be there twice.
 * NGX_OK, NGX_ERROR, or refused.
 */
ngx_int_t ngx_http_im_convs_rows_sort(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t **rows,
    ngx_uint_t *nrows, ngx_uint_t unique);


#endif /* _NGX_HTTP_IM_CONVS_H_INCLUDED_ */
