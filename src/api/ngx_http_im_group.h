
#ifndef _NGX_HTTP_IM_GROUP_H_INCLUDED_
#define _NGX_HTTP_IM_GROUP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/*
 * A user's groups are places in a sorted set of the user.  A place is taken
 * before the user becomes a member, as only then it is known whether there is
 * one; while the user is no member it shows nothing.  If the group refuses the
 * user the place is given up again; one that was left by a crash is removed by
 * the next list of the user.
 */

typedef struct {
    ngx_str_t             *users;
    ngx_uint_t             n;
    ngx_http_im_cmd_t    **cmds;      /* of each, on the place */
    ngx_http_im_error_e    error;     /* answered once they are given up */
    unsigned               renewed:1;
} ngx_http_im_places_t;


/* script join of each user -> {score, new}; after other commands, or first */
void ngx_http_im_places_take(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_str_t *users, ngx_uint_t n);

/* NGX_OK: all have a place; NGX_DONE: a user is in too many groups; refused */
ngx_int_t ngx_http_im_places_check(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places);

/*
 * A place that was there before may belong to a call that is about to give it
 * up.  Of users who are no members such places are taken anew, in one more
 * round, after which they are checked again.  added: for each user '1' if it
 * is no member; NULL: nobody is.  NGX_OK: there are none, or NGX_AGAIN.
 */
ngx_int_t ngx_http_im_places_renew(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, u_char *added);

/* refuses the call, after the places that were new are given up */
ngx_int_t ngx_http_im_places_refuse(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_http_im_error_e error);

/*
 * Users who cease to be members: their places are found before, and given up
 * after it.  One that was taken anew in between is kept, as whoever did that
 * makes the user a member again.
 */

/* ZSCORE of each user's place; first, or after other commands */
void ngx_http_im_places_find(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_str_t *users, ngx_uint_t n);

/* NGX_OK, or refused: the replies are not scores */
ngx_int_t ngx_http_im_places_found(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places);

/*
 * The call's last round, if there is anything to give up.  gone: for each user
 * '1', or another character for one who was no member and may have a place
 * that a crash has left.
 */
ngx_int_t ngx_http_im_places_leave(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, u_char *gone);

/* a place without a membership, if it has been one for long */
void ngx_http_im_place_clean(ngx_http_im_call_t *call, ngx_str_t *user,
    ngx_str_t *conv_id);


/* ids, which are not none, as the elements of an array in answers */
ngx_int_t ngx_http_im_group_users_join(ngx_pool_t *pool, ngx_str_t *ids,
    ngx_uint_t n, ngx_str_t *users);

/* name, picture and description, as members of an object in answers */
ngx_int_t ngx_http_im_group_info_join(ngx_pool_t *pool,
    ngx_http_im_text_t *name, ngx_http_im_text_t *img,
    ngx_http_im_text_t *description, ngx_str_t *info);


/* What the calls on group/{conv_id} have in common, in group_call.c. */

/* a script with head, members and settings of the group */
ngx_http_im_cmd_t *ngx_http_im_group_script(ngx_http_im_call_t *call,
    ngx_uint_t kind, ngx_http_im_script_e script, ngx_str_t *argv,
    ngx_uint_t argc);

/* its reply: NGX_OK, or refused with the code in it */
ngx_int_t ngx_http_im_group_result(ngx_http_im_call_t *call,
    ngx_http_im_cmd_t *cmd, ngx_str_t *result);

/*
 * A call that is no more than a script: the first step, with which it begins
 * and ends.
 */
ngx_int_t ngx_http_im_group_run(ngx_http_im_call_t *call, ngx_uint_t kind,
    ngx_http_im_script_e script, ngx_str_t *argv, ngx_uint_t argc);


#endif /* _NGX_HTTP_IM_GROUP_H_INCLUDED_ */
