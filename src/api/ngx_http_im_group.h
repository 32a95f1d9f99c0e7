
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
    ngx_uint_t             nnew;      /* that this call may give up */
    ngx_http_im_cmd_t    **cmds;      /* of each, that took the place */
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
 * Another call may be about to give up a place that was there before.  If
 * there are any, and the users may be no members, they are taken anew, which
 * takes one more round; they are checked after it.  NGX_OK: there are none;
 * NGX_AGAIN.
 */
ngx_int_t ngx_http_im_places_renew(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_uint_t added);

/* refuses the call, after the places that were new are given up */
ngx_int_t ngx_http_im_places_refuse(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_http_im_error_e error);

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


#endif /* _NGX_HTTP_IM_GROUP_H_INCLUDED_ */
