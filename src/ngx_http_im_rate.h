
#ifndef _NGX_HTTP_IM_RATE_H_INCLUDED_
#define _NGX_HTTP_IM_RATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * How often users write, and how often conversations are written to, in
 * shared memory: the leaky bucket of ngx_http_limit_req_module without delays.
 * Requests and excess are counted in 1/1000.
 */

/* longer ids are not counted: no user and no conversation has one */
#define NGX_HTTP_IM_RATE_ID_MAX   64


typedef enum {
    NGX_HTTP_IM_RATE_USER = 0,
    NGX_HTTP_IM_RATE_CONV,
    NGX_HTTP_IM_RATE_KINDS
} ngx_http_im_rate_kind_e;


typedef struct {
    uint64_t                    rate;    /* a minute, 0: no limit */
    ngx_int_t                   burst;
} ngx_http_im_rate_limit_t;

/* of a limit that is not set */
#define NGX_HTTP_IM_RATE_UNSET   ((uint64_t) -1)


/* whose requests; those of different scopes and rates are counted apart */

typedef struct {
    ngx_http_im_rate_limit_t    limit;
    uint32_t                    scope;
    ngx_str_t                   id;      /* "": there is nothing to count */
} ngx_http_im_rate_key_t;


typedef struct ngx_http_im_rate_sh_s  ngx_http_im_rate_sh_t;

/* one per configuration; sh is the same for all */

typedef struct {
    ngx_http_im_rate_sh_t      *sh;
    ngx_slab_pool_t            *shpool;
} ngx_http_im_rate_t;


/* a request that was counted, and may turn out to have done nothing */

typedef struct {
    ngx_http_im_rate_t         *rate;
    ngx_http_im_rate_kind_e     kind;
    ngx_http_im_rate_key_t      key;
} ngx_http_im_rate_charge_t;


/* the arguments of im_rate: "user=10r/s", "conv=off"; "burst=20" or NULL */
char *ngx_http_im_rate_conf(ngx_str_t *value, ngx_str_t *burst,
    ngx_http_im_rate_limit_t limits[NGX_HTTP_IM_RATE_KINDS]);

/* the same for "zone=NAME:SIZE" */
char *ngx_http_im_rate_zone_conf(ngx_conf_t *cf, ngx_str_t *value, void *tag,
    ngx_shm_zone_t **zone);

/* zone->data is a ngx_http_im_rate_t; NULL after an error was logged */
ngx_shm_zone_t *ngx_http_im_rate_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);

/*
 * Counts a request of these keys.  NGX_OK, or NGX_BUSY: one of the limits is
 * exceeded, nothing was counted, kind is the first such limit, and retry the
 * seconds until none of them will be, if no other request comes.
 */
ngx_int_t ngx_http_im_rate_take(ngx_http_im_rate_t *rate,
    ngx_http_im_rate_key_t keys[NGX_HTTP_IM_RATE_KINDS],
    ngx_http_im_rate_kind_e *kind, ngx_uint_t *retry);

/* a request that was counted has done nothing */
void ngx_http_im_rate_give_back(ngx_http_im_rate_charge_t *charge);


#endif /* _NGX_HTTP_IM_RATE_H_INCLUDED_ */
