
#ifndef _NGX_HTTP_IM_CONV_H_INCLUDED_
#define _NGX_HTTP_IM_CONV_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_schema.h"


/* What calls need to know of a conversation: its id, head and positions. */


/* two users of a 1:1, which must not be the same: NGX_OK, or refused */
ngx_int_t ngx_http_im_conv_pair_check(ngx_http_im_call_t *call,
    ngx_str_t *from_id, ngx_str_t *to_id);

/* the id of the 1:1 of two users, in the pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_conv_pair_id(ngx_pool_t *pool, ngx_str_t *a,
    ngx_str_t *b, ngx_str_t *id);


/* these set call->conv_id and call->pair, or call->pair only */

/* the conversation that the body names */
void ngx_http_im_conv_set(ngx_http_im_call_t *call, ngx_str_t *conv_id);

/* the 1:1 of two users; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_conv_pair_set(ngx_http_im_call_t *call, ngx_str_t *a,
    ngx_str_t *b);

/* the one that the path names, which must be an id: NGX_OK, or refused */
ngx_int_t ngx_http_im_conv_check(ngx_http_im_call_t *call);


/* the head, or that of it which comes before the text of the last message */
ngx_http_im_cmd_t *ngx_http_im_conv_head_fetch(ngx_http_im_call_t *call,
    ngx_str_t *conv_id, ngx_uint_t text);

/* NGX_OK; NGX_DONE: there is no such conversation; or refused */
ngx_int_t ngx_http_im_conv_head_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *reply, ngx_http_im_head_t *head);


/* the position of a group's member */
ngx_http_im_cmd_t *ngx_http_im_conv_member_fetch(ngx_http_im_call_t *call,
    ngx_str_t *conv_id, ngx_str_t *user);

/*
 * Up to which message a user has read, from the reply to the above, or, where
 * member is NULL, from the head of a 1:1.  NGX_OK; NGX_DONE: the conversation
 * is not the user's; or refused.
 */
ngx_int_t ngx_http_im_conv_position(ngx_http_im_call_t *call,
    ngx_http_im_head_t *head, ngx_http_im_cmd_t *member, ngx_str_t *user,
    int64_t *position);

/* which of the users of a 1:1, 0 or 1; NGX_DECLINED: neither */
ngx_int_t ngx_http_im_conv_user_index(ngx_http_im_head_t *head,
    ngx_str_t *user);


/* ZADD GT: call->made_time is the conversation's score in a user's inbox */
ngx_http_im_cmd_t *ngx_http_im_conv_inbox_add(ngx_http_im_call_t *call,
    ngx_str_t *user, ngx_str_t *peer);


/*
 * A step in place of those of a call on groups, where the id is that of a 1:1:
 * refused as not_group, not_member or conv_not_found.
 */
ngx_int_t ngx_http_im_conv_refuse_pair(ngx_http_im_call_t *call);


#endif /* _NGX_HTTP_IM_CONV_H_INCLUDED_ */
