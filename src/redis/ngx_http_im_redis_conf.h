
#ifndef _NGX_HTTP_IM_REDIS_CONF_H_INCLUDED_
#define _NGX_HTTP_IM_REDIS_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_stat.h"
#include "ngx_http_im_settings.h"
#include "ngx_http_im_script.h"


typedef struct ngx_http_im_redis_s  ngx_http_im_redis_t;

/*
 * An im_redis block, or what im_pass makes of an address.  Lives in the
 * cycle's pool and is constant once the configuration is read; redis is what
 * a worker makes of it after the fork, see ngx_http_im_redis.h.
 */

typedef struct {
    ngx_str_t               name;
    uint32_t                scope;              /* in the cache: the same
                                                   for the same data */
    ngx_array_t             servers;            /* of ngx_addr_t */
    ngx_str_t               username;
    ngx_str_t               password;
    ngx_str_t               password_file;
    ngx_int_t               database;
    ngx_int_t               connections;
    ngx_int_t               max_pending;
    ngx_msec_t              connect_timeout;
    ngx_msec_t              timeout;
    ngx_http_im_settings_t  require;

    const ngx_http_im_script_t
                           *scripts;            /* NGX_HTTP_IM_SCRIPTS */

    ngx_http_im_redis_t    *redis;
    ngx_http_im_stat_t     *count;              /* the worker's figures */
} ngx_http_im_redis_conf_t;


/* the im_redis directive */
char *ngx_http_im_redis_conf_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

ngx_http_im_redis_conf_t *ngx_http_im_redis_conf_find(ngx_array_t *stores,
    ngx_str_t *name);

/* the store of an address in im_pass: one for each, with the defaults */
ngx_http_im_redis_conf_t *ngx_http_im_redis_conf_pass(ngx_conf_t *cf,
    ngx_array_t *stores, ngx_str_t *value);


#endif /* _NGX_HTTP_IM_REDIS_CONF_H_INCLUDED_ */
