
#ifndef _NGX_HTTP_IM_EVENT_H_INCLUDED_
#define _NGX_HTTP_IM_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_writer.h"


/*
 * An event as scripts publish it: "KIND CLOCK:CONV USERS REST".  A small
 * letter is of a 1:1, which has its two users there, in the order of bytes; a
 * capital one is of a group, or of the users in REST.  CONV of an imported 1:1
 * has "=" and the id that it is shown under behind it.
 */

typedef enum {
    NGX_HTTP_IM_EVENT_MESSAGE = 0,    /* m, M: row of the timeline */
    NGX_HTTP_IM_EVENT_RECALL,         /* c, C: msg_id */
    NGX_HTTP_IM_EVENT_READ,           /* r, R: user, msg_id */
    NGX_HTTP_IM_EVENT_TYPING,         /* y, Y: user */
    NGX_HTTP_IM_EVENT_JOINED,         /* J: users */
    NGX_HTTP_IM_EVENT_LEFT,           /* L: users */
    NGX_HTTP_IM_EVENT_SET,            /* S */
    NGX_HTTP_IM_EVENT_TRANSFERRED,    /* T */
    NGX_HTTP_IM_EVENT_DISMISSED,      /* D */
    NGX_HTTP_IM_EVENT_HIDDEN,         /* H: user */
    NGX_HTTP_IM_EVENTS
} ngx_http_im_event_e;


typedef struct {
    ngx_http_im_event_e    kind;
    ngx_uint_t             pair;
    int64_t                clock;      /* of Redis, ms: when it happened */
    ngx_str_t              conv_id;
    ngx_str_t              shown;      /* the id that callers see */
    ngx_str_t              users[2];   /* of a 1:1 */
    ngx_str_t              user;       /* READ, TYPING, HIDDEN */
    ngx_str_t              msg_id;     /* MESSAGE, RECALL, READ */
    ngx_str_t              rest;       /* MESSAGE: row; JOINED, LEFT: users,
                                          with a space between two of them */
} ngx_http_im_event_t;


/* all point into the row; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_event_parse(ngx_http_im_event_t *event,
    ngx_str_t *row);

/* takes the first user from event->rest; NGX_DONE: there is none */
ngx_int_t ngx_http_im_event_users_next(ngx_str_t *rest, ngx_str_t *user);


/* the data of an event that is no message; change: of a conv event */
void ngx_http_im_event_write(ngx_http_im_writer_t *w,
    ngx_http_im_event_t *event, const char *change);

/* all of an answer in one piece, in its pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_event_text(ngx_http_im_writer_t *w, ngx_str_t *text);


#endif /* _NGX_HTTP_IM_EVENT_H_INCLUDED_ */
