
#ifndef _NGX_HTTP_IM_PAGE_ROWS_H_INCLUDED_
#define _NGX_HTTP_IM_PAGE_ROWS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_page_timeline.h"


/* The rows of a page: by number or by a cursor, fetched or at hand. */

/* a hint of them, or the command for them */
void ngx_http_im_page_rows_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);

/*
 * They become page->messages.  NGX_OK; NGX_AGAIN: the hint is old, or there
 * are more of them, and a command was added; NGX_ERROR; or refused.
 */
ngx_int_t ngx_http_im_page_rows_parse(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);


#endif /* _NGX_HTTP_IM_PAGE_ROWS_H_INCLUDED_ */
