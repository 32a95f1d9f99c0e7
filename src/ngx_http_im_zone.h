
#ifndef _NGX_HTTP_IM_ZONE_H_INCLUDED_
#define _NGX_HTTP_IM_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Shared memory that a directive names: "zone=NAME:SIZE", at least 8 pages.
 * Returns what a directive does; usage if the form is another one.
 */
char *ngx_http_im_zone_parse(ngx_str_t *value, char *usage, ngx_str_t *name,
    size_t *size);

/* data is the worker's side; NULL after an error was logged */
ngx_shm_zone_t *ngx_http_im_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag, ngx_shm_zone_init_pt init, void *data);


#endif /* _NGX_HTTP_IM_ZONE_H_INCLUDED_ */
