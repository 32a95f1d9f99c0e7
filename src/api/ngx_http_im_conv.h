
#ifndef _NGX_HTTP_IM_CONV_H_INCLUDED_
#define _NGX_HTTP_IM_CONV_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_schema.h"


/* What calls need to know of a conversation: its id, head and positions. */


/* two users of a 1:1, which must not be the same: NGX_OK, or refused */
ngx_int_t ngx_http_im_conv_pair_check(ngx_http_im_call_t *call,
    ngx_str_t *from_id, ngx_str_t *to_id);

/* the id of the 1:1 of two users, in the pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_conv_pair_id(ngx_pool_t *pool, ngx_str_t *a,
    ngx_str_t *b, ngx_str_t *id);


/* of both, each with a space behind it */
#define NGX_HTTP_IM_PAIR_USERS_LEN   (2 * (NGX_HTTP_IM_ID_MAX + 1))

/* "A B " in the order of bytes into users->data; is it the first that is B? */
ngx_uint_t ngx_http_im_conv_pair_users(ngx_str_t *first, ngx_str_t *second,
    ngx_str_t *users);


/* these set call->conv_id and call->pair, or call->pair only */

/* the conversation that the body names */
void ngx_http_im_conv_set(ngx_http_im_call_t *call, ngx_str_t *conv_id);

/* the 1:1 of two users; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_conv_pair_set(ngx_http_im_call_t *call, ngx_str_t *a,
    ngx_str_t *b);

/* the one that the path names, which must be an id: NGX_OK, or refused */
ngx_int_t ngx_http_im_conv_check(ngx_http_im_call_t *call);

/* the same, and from_id is the caller */
ngx_int_t ngx_http_im_conv_user_check(ngx_http_im_call_t *call,
    ngx_str_t *from_id);


/* what is no head by its form: restarts if it is another name of a 1:1 */
ngx_int_t ngx_http_im_conv_other(ngx_http_im_call_t *call, ngx_str_t *head);

/*
 * A script that takes the id of a message.  If it may be an imported one, the
 * key of these ids and the argument "1" are added; argv has room for it.
 */
ngx_http_im_cmd_t *ngx_http_im_conv_msg_script(ngx_http_im_call_t *call,
    ngx_uint_t kind, ngx_http_im_script_e script,
    const ngx_http_im_key_e *keys, ngx_uint_t nkeys, ngx_str_t *argv,
    ngx_uint_t argc);


/* the head, or that of it which comes before the text of the last message */
ngx_http_im_cmd_t *ngx_http_im_conv_head_fetch(ngx_http_im_call_t *call,
    ngx_str_t *conv_id, ngx_uint_t text);

/* the position of a group's member */
ngx_http_im_cmd_t *ngx_http_im_conv_member_fetch(ngx_http_im_call_t *call,
    ngx_str_t *conv_id, ngx_str_t *user);

/*
 * Up to which message the member has read, 0 or -1 if that is none.  NGX_OK;
 * NGX_DONE: not a member; or refused, also where member is NULL.
 */
ngx_int_t ngx_http_im_conv_member_parse(ngx_http_im_call_t *call,
    ngx_http_im_head_t *head, ngx_http_im_cmd_t *member, int64_t *position);


/* ZADD GT: call->made_time is the conversation's score in a user's inbox */
ngx_http_im_cmd_t *ngx_http_im_conv_inbox_add(ngx_http_im_call_t *call,
    ngx_str_t *user, ngx_str_t *peer);


/*
 * A step in place of those of a call on groups, where the id is that of a 1:1:
 * refused as not_group, or, if call->from_id is not one of its users, as
 * not_member or conv_not_found.
 */
ngx_int_t ngx_http_im_conv_refuse_pair(ngx_http_im_call_t *call);


/* inline, as a list does the following for hundreds of conversations */

/*
 * NGX_OK; NGX_DONE: there is no such conversation; or refused, or the call was
 * started again
 */

static ngx_inline ngx_int_t
ngx_http_im_conv_head_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *reply, ngx_http_im_head_t *head)
{
    ngx_str_t  text;

    /* GET and MGET have nil where there is none, GETRANGE has "" */

    if (ngx_http_im_reply_string(reply, &text) == NGX_ERROR) {
        return ngx_http_im_call_store_error(call);
    }

    if (text.len == 0) {
        return NGX_DONE;
    }

    return (ngx_http_im_head_parse(head, &text) == NGX_OK)
           ? NGX_OK : ngx_http_im_conv_other(call, &text);
}


/* which of the users of a 1:1, 0 or 1; NGX_DECLINED: neither */

static ngx_inline ngx_int_t
ngx_http_im_conv_user_index(ngx_http_im_head_t *head, ngx_str_t *user)
{
    if (ngx_http_im_str_eq(&head->users[0], user)) {
        return 0;
    }

    return ngx_http_im_str_eq(&head->users[1], user) ? 1 : NGX_DECLINED;
}


/*
 * Up to which message a user has read: from the head of a 1:1, where member is
 * NULL, or from the reply to ngx_http_im_conv_member_fetch().  NGX_OK;
 * NGX_DONE: the conversation is not the user's; or refused.
 */

static ngx_inline ngx_int_t
ngx_http_im_conv_position(ngx_http_im_call_t *call, ngx_http_im_head_t *head,
    ngx_http_im_cmd_t *member, ngx_str_t *user, int64_t *position)
{
    ngx_int_t  i;

    if (member || head->group) {
        return ngx_http_im_conv_member_parse(call, head, member, position);
    }

    i = ngx_http_im_conv_user_index(head, user);

    if (i == NGX_DECLINED) {
        return NGX_DONE;
    }

    *position = head->read[i];

    return NGX_OK;
}


#endif /* _NGX_HTTP_IM_CONV_H_INCLUDED_ */
