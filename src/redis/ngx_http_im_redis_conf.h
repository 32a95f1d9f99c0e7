
#ifndef _NGX_HTTP_IM_REDIS_CONF_H_INCLUDED_
#define _NGX_HTTP_IM_REDIS_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_auth.h"
#include "ngx_http_im_script.h"
#include "ngx_http_im_settings.h"
#include "ngx_http_im_stat.h"
#include "ngx_http_im_tls.h"


typedef struct ngx_http_im_store_s  ngx_http_im_store_t;

/*
 * An im_redis block, or what im_pass makes of an address.  It lives in the
 * cycle's pool and is constant once the configuration is read, but for what
 * a worker adds after the fork: its store and its counters.
 */

typedef struct {
    ngx_str_t                     name;
    uint32_t                      scope;      /* in the cache: the same for
                                                 the same data */
    ngx_array_t                   servers;    /* see ngx_http_im_server.h */
    ngx_http_im_auth_t            auth;
    ngx_http_im_tls_t             tls;
    ngx_str_t                     master;     /* its name, of Sentinel: then
                                                 the server is that */
    ngx_array_t                   sentinels;
    ngx_http_im_auth_t            sentinel_auth;
    ngx_flag_t                    cluster;    /* servers: some of its nodes */
    ngx_int_t                     database;
    ngx_int_t                     connections;
    ngx_int_t                     max_pending;
    ngx_msec_t                    connect_timeout;
    ngx_msec_t                    timeout;
    ngx_http_im_settings_t        settings;   /* that are required */

    ngx_resolver_t               *resolver;   /* of http{}, or NULL */
    ngx_msec_t                    resolver_timeout;

    const ngx_http_im_script_t   *scripts;    /* loaded at every setup */
    ngx_uint_t                    nscripts;
    const ngx_http_im_script_t   *trial;      /* run at every setup for each */
    ngx_array_t                   prefixes;   /* of ngx_str_t, of keys */
    ngx_uint_t                    publish;    /* events, for streams */
    size_t                        reply_max;  /* that a command may need */

    ngx_http_im_store_t          *store;      /* the worker's */
    ngx_http_im_stat_t           *stat;       /* the worker's */
} ngx_http_im_redis_conf_t;


/* adds a store with everything unset; NULL when out of memory */
ngx_http_im_redis_conf_t *ngx_http_im_redis_conf_create(ngx_conf_t *cf,
    ngx_array_t *stores, ngx_str_t *name);

/* all directives are read: checks, defaults, files */
char *ngx_http_im_redis_conf_complete(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store);

ngx_http_im_redis_conf_t *ngx_http_im_redis_conf_find(ngx_array_t *stores,
    ngx_str_t *name);

/* of http{}, at the end of it; the timeout may be unset */
ngx_int_t ngx_http_im_redis_conf_resolver(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store, ngx_resolver_t *resolver,
    ngx_msec_t timeout);

/*
 * Keys with this prefix will be used in the store of this name, if any, and
 * replies of this size
 */
char *ngx_http_im_redis_conf_prefix(ngx_array_t *stores, ngx_str_t *name,
    ngx_str_t *prefix, size_t reply);

/* the store of an address in im_pass: one for each, with the defaults */
ngx_http_im_redis_conf_t *ngx_http_im_redis_conf_pass(ngx_conf_t *cf,
    ngx_array_t *stores, ngx_str_t *value);


/*
 * Can replies with so many texts of so many bytes, and with so many elements,
 * be received?  NGX_ERROR after an error was logged.
 */
ngx_int_t ngx_http_im_redis_conf_fits(ngx_conf_t *cf, ngx_uint_t page,
    size_t text, ngx_uint_t list, ngx_uint_t members);


#endif /* _NGX_HTTP_IM_REDIS_CONF_H_INCLUDED_ */
