
#ifndef _NGX_HTTP_IM_PAGE_H_INCLUDED_
#define _NGX_HTTP_IM_PAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_page_timeline.h"


/*
 * A page of messages: what conv_page and pair_page have in common.
 *
 * GETRANGE head, ZREVRANGE timeline, and for a group HGET members viewer
 * -> prefix of the head, rows, position; then what of it is needed:
 * HMGET profile of each sender, script read -> name and picture, "ok"
 *
 * Where there is a hint of the newest rows, the timeline is only fetched if
 * the head shows that they are not the newest any more.
 *
 * With a cursor, Z(REV)RANGEBYSCORE timeline from its sequence on takes the
 * place of ZREVRANGE: the first row must be the message that the cursor names.
 */

/* defaults and limits of the fields: NGX_OK, or refused */
ngx_int_t ngx_http_im_page_check(ngx_http_im_call_t *call);

/* the state of the call; NULL: out of memory */
ngx_http_im_page_t *ngx_http_im_page_create(ngx_http_im_call_t *call);

/* the first round of call->conv_id; returns what a step does */
ngx_int_t ngx_http_im_page_fetch(ngx_http_im_call_t *call);


#endif /* _NGX_HTTP_IM_PAGE_H_INCLUDED_ */
