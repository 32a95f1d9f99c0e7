
#ifndef _NGX_HTTP_IM_REDIS_BLOCK_H_INCLUDED_
#define _NGX_HTTP_IM_REDIS_BLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the im_redis directive; conf: an array of ngx_http_im_redis_conf_t * */
char *ngx_http_im_redis_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_HTTP_IM_REDIS_BLOCK_H_INCLUDED_ */
