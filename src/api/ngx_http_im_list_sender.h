
#ifndef _NGX_HTTP_IM_LIST_SENDER_H_INCLUDED_
#define _NGX_HTTP_IM_LIST_SENDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_list_more.h"


/* Who wrote last in each row: expected with the fronts, known at the end. */

/*
 * Before the profiles are fetched: adds who may have written last, both users
 * of a 1:1, or who did before.  NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_im_list_senders_add(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, ngx_http_im_convs_row_t *row);

/* who has; added if nobody expected that.  NULL: out of memory */
ngx_http_im_profile_t *ngx_http_im_list_sender_get(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, ngx_http_im_convs_row_t *row);


#endif /* _NGX_HTTP_IM_LIST_SENDER_H_INCLUDED_ */
