
#ifndef _NGX_HTTP_IM_MISSED_EVENT_H_INCLUDED_
#define _NGX_HTTP_IM_MISSED_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_convs.h"
#include "ngx_http_im_message.h"


/* conversations with something new, and rows of each of them, at most */
#define NGX_HTTP_IM_MISSED_CONVS   64
#define NGX_HTTP_IM_MISSED_ROWS    100


typedef enum {
    NGX_HTTP_IM_MISSED_GAP = 0,
    NGX_HTTP_IM_MISSED_MESSAGE,
    NGX_HTTP_IM_MISSED_RECALL,
    NGX_HTTP_IM_MISSED_JOINED
} ngx_http_im_missed_e;


typedef struct {
    ngx_http_im_missed_e       kind;
    int64_t                    time;       /* ms, by which they are sorted */
    int64_t                    seq;        /* of MESSAGE; GAP: before it */
    ngx_uint_t                 group;      /* for its members only */
    ngx_str_t                  conv_id;
    ngx_str_t                  json;       /* the data of the event */
} ngx_http_im_missed_event_t;


typedef struct {
    ngx_str_t                  user;
    int64_t                    since;      /* ms of Redis's clock; -1: only
                                              the groups matter */
    ngx_uint_t                 max;        /* messages */

    /* a group is, or may soon be, one of the user's: before it is looked at */
    void                     (*listed)(void *data, ngx_str_t *conv_id);

    /* after that: the user is a member */
    void                     (*member)(void *data, ngx_str_t *conv_id);

    /* is the user a member of a group, as far as was told by the above? */
    ngx_uint_t               (*allowed)(void *data, ngx_str_t *conv_id);

    /* the sequence up to which the stream has a conversation, or 0 */
    int64_t                  (*known)(void *data, ngx_str_t *conv_id);

    void                      *data;
} ngx_http_im_missed_args_t;


/* the state of the call, and its result once it has returned NGX_OK */

typedef struct {
    ngx_array_t                events;     /* in the order to be told */
    int64_t                    now;        /* ms of Redis's clock, before
                                              anything was read */
    ngx_uint_t                 too_many;   /* there are none: too much has
                                              happened */

    int64_t                    since;
    ngx_http_im_convs_t        convs;
    ngx_http_im_cmd_t         *time;
    ngx_http_im_cmd_t         *joined;
    ngx_http_im_cmd_t         *recalls;
    ngx_http_im_cmd_t        **rows;       /* of each that has something new */
    ngx_http_im_convs_row_t  **convs_of;   /* these */
    ngx_uint_t                 n;
    ngx_http_im_messages_t     messages;
    ngx_http_im_convs_row_t  **of;         /* the conversation of each */
} ngx_http_im_missed_t;


/* recalls, and groups that are new; NGX_OK, NGX_ERROR, or refused */
ngx_int_t ngx_http_im_missed_changes(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed);

/* the event whose data were written to call->writer; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_missed_push(ngx_http_im_call_t *call,
    ngx_http_im_missed_t *missed, ngx_http_im_missed_e kind, int64_t time,
    ngx_str_t *conv_id, ngx_uint_t group, int64_t seq);


#endif /* _NGX_HTTP_IM_MISSED_EVENT_H_INCLUDED_ */
