
#ifndef _NGX_HTTP_IM_GROUP_H_INCLUDED_
#define _NGX_HTTP_IM_GROUP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/* ids in one body; im_group_max_members limits the group itself */
#define NGX_HTTP_IM_GROUP_IDS_MAX   65536


/*
 * SADD groups of each user -> 1 or 0: the call's conversation is referred to
 * by the lists of all of them, which show it once they are its members.  The
 * first of the commands, none of which is before them in the pipeline.
 */
ngx_http_im_cmd_t *ngx_http_im_group_refs_add(ngx_http_im_call_t *call,
    ngx_str_t *users, ngx_uint_t n);

/* ids, which are not none, as the elements of an array in answers */
ngx_int_t ngx_http_im_group_users_join(ngx_pool_t *pool, ngx_str_t *ids,
    ngx_uint_t n, ngx_str_t *users);


#endif /* _NGX_HTTP_IM_GROUP_H_INCLUDED_ */
