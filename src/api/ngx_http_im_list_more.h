
#ifndef _NGX_HTTP_IM_LIST_MORE_H_INCLUDED_
#define _NGX_HTTP_IM_LIST_MORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_convs.h"


/* The state of a list, and the one repetition that it may need. */

typedef struct {
    ngx_http_im_convs_t        convs;
    ngx_http_im_convs_row_t  **rows;      /* newest first, once parsed */
    ngx_uint_t                 nrows;
    ngx_uint_t                 limit;     /* how many are shown at most */
    ngx_http_im_step_pt        fronts;    /* runs once they are there */
    ngx_http_im_cmd_t         *more;      /* entries of the repetition */
    ngx_http_im_profiles_t     profiles;
    unsigned                   repeated:1;
    ngx_http_im_profile_t     *self;      /* the user's, if it is added */
} ngx_http_im_list_t;


/*
 * Whether all rows are there that are shown; if not, time is that of the last
 * entry of the inbox that was fetched, in ms.
 */
ngx_uint_t ngx_http_im_list_is_final(ngx_http_im_list_t *list, int64_t *time);

/* from its step on; list->fronts runs when they are among the rows */
void ngx_http_im_list_more_fetch(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, int64_t time);


#endif /* _NGX_HTTP_IM_LIST_MORE_H_INCLUDED_ */
