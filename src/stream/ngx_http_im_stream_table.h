
#ifndef _NGX_HTTP_IM_STREAM_TABLE_H_INCLUDED_
#define _NGX_HTTP_IM_STREAM_TABLE_H_INCLUDED_


#include "ngx_http_im_stream.h"


/*
 * Which users have a stream here, and which groups they are in.  An event of a
 * 1:1 names its users; one of a group is told to those that are linked to it.
 */

void ngx_http_im_stream_table_init(ngx_http_im_stream_table_t *table);

ngx_http_im_stream_user_t *ngx_http_im_stream_user_find(
    ngx_http_im_stream_table_t *table, ngx_str_t *name);

/* the user, made if need be; NULL when out of memory */
ngx_http_im_stream_user_t *ngx_http_im_stream_user_get(
    ngx_http_im_stream_table_t *table, ngx_str_t *name, ngx_log_t *log);

/* frees a user without streams */
void ngx_http_im_stream_user_release(ngx_http_im_stream_table_t *table,
    ngx_http_im_stream_user_t *user);

ngx_http_im_stream_group_t *ngx_http_im_stream_group_find(
    ngx_http_im_stream_table_t *table, ngx_str_t *conv_id);

/* NULL: there is none */
ngx_http_im_stream_link_t *ngx_http_im_stream_link_find(
    ngx_http_im_stream_table_t *table, ngx_http_im_stream_user_t *user,
    ngx_str_t *conv_id);

/* the link, made if need be; NULL when out of memory */
ngx_http_im_stream_link_t *ngx_http_im_stream_link_get(
    ngx_http_im_stream_table_t *table, ngx_http_im_stream_user_t *user,
    ngx_str_t *conv_id, ngx_log_t *log);

void ngx_http_im_stream_link_remove(ngx_http_im_stream_table_t *table,
    ngx_http_im_stream_link_t *link);

/* removes the links of a user that are not confirmed */
void ngx_http_im_stream_links_sweep(ngx_http_im_stream_table_t *table,
    ngx_http_im_stream_user_t *user);


#endif /* _NGX_HTTP_IM_STREAM_TABLE_H_INCLUDED_ */
