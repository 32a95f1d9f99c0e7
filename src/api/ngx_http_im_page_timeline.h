
#ifndef _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_
#define _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_page_rows.h"


/* the commands for the rows of a page, which follow page->timeline */
void ngx_http_im_page_number_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
void ngx_http_im_page_cursor_fetch(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);

/*
 * The rows that they brought.  NGX_OK; NGX_AGAIN: messages were stored between
 * two of them, which moves all ranks, and the rows are fetched again, by
 * sequence; NGX_ERROR; or refused.
 */
ngx_int_t ngx_http_im_page_timeline_join(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t ***rows, ngx_uint_t *n);


#endif /* _NGX_HTTP_IM_PAGE_TIMELINE_H_INCLUDED_ */
