
#ifndef _NGX_HTTP_IM_API_H_INCLUDED_
#define _NGX_HTTP_IM_API_H_INCLUDED_


#include "ngx_http_im_call.h"
#include "ngx_http_im_schema.h"


/* the calls; each is described where it is defined */

extern const ngx_http_im_op_t  ngx_http_im_op_conv_list;
extern const ngx_http_im_op_t  ngx_http_im_op_unread;
extern const ngx_http_im_op_t  ngx_http_im_op_conv_page;
extern const ngx_http_im_op_t  ngx_http_im_op_pair_page;
extern const ngx_http_im_op_t  ngx_http_im_op_conv_read;
extern const ngx_http_im_op_t  ngx_http_im_op_send;
extern const ngx_http_im_op_t  ngx_http_im_op_group_create;
extern const ngx_http_im_op_t  ngx_http_im_op_group_add;
extern const ngx_http_im_op_t  ngx_http_im_op_group_list;
extern const ngx_http_im_op_t  ngx_http_im_op_user_set;
extern const ngx_http_im_op_t  ngx_http_im_op_user_get;


/*
 * Names and pictures of the users of one answer.  Each user is asked for
 * once, whatever the number of places it stands in.
 */

typedef struct ngx_http_im_profile_s  ngx_http_im_profile_t;

struct ngx_http_im_profile_s {
    ngx_str_node_t           node;      /* node.str is the id */
    ngx_str_t                name;      /* escaped, "" when unknown */
    ngx_str_t                img;
    ngx_http_im_cmd_t       *cmd;       /* what fetches it */
};

typedef struct {
    ngx_rbtree_t             tree;
    ngx_rbtree_node_t        sentinel;
    ngx_uint_t               pending;   /* asked for in the present round */
} ngx_http_im_profiles_t;


void ngx_http_im_profiles_init(ngx_http_im_profiles_t *profiles);

/* adds a command where the profile is not known; NULL: out of memory */
ngx_http_im_profile_t *ngx_http_im_profile_want(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles, ngx_str_t *id);

/* what came back; NGX_ERROR: it makes no sense */
ngx_int_t ngx_http_im_profile_read(ngx_http_im_profile_t *profile);


#endif /* _NGX_HTTP_IM_API_H_INCLUDED_ */
