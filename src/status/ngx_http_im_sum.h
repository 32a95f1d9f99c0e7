
#ifndef _NGX_HTTP_IM_SUM_H_INCLUDED_
#define _NGX_HTTP_IM_SUM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cache.h"
#include "ngx_http_im_stat.h"


/* a counter or gauge of a store */

typedef struct {
    ngx_str_t                    name;        /* in JSON */
    const char                  *metric;      /* in Prometheus text */
    ngx_http_im_stat_e           stat;
    const char                  *help;
} ngx_http_im_sum_counter_t;


/*
 * All counters at one moment.  While workers of two configurations run, there
 * are two with the same number: their gauges of a store are added up.
 */

typedef struct {
    ngx_pool_t                  *pool;
    ngx_array_t                  blocks;      /* of ngx_http_im_stat_t * */
    time_t                       since;
    ngx_uint_t                   generation;
    ngx_http_im_stat_t          *calls;       /* total of all workers */
    ngx_array_t                  stores;      /* total of each store */
    ngx_array_t                  workers;     /* blocks of calls, sorted */
    ngx_uint_t                   numbers;     /* of workers, from 0 */
    uint64_t                    *gauges;      /* by store and number */
    ngx_http_im_cache_stat_t    *cache;       /* NULL: there is no cache */
} ngx_http_im_sum_t;


/* reads all blocks of the zone and adds them up; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_sum_init(ngx_http_im_sum_t *sum, ngx_pool_t *pool,
    ngx_http_im_stat_zone_t *zone);

/* of sum->stores[store], in the workers of a number; NULL: there are none */
uint64_t *ngx_http_im_sum_gauges_get(ngx_http_im_sum_t *sum,
    ngx_uint_t store, ngx_uint_t worker);

/* those of a store; the last row has an empty name */
const ngx_http_im_sum_counter_t *ngx_http_im_sum_counters_get(void);

/* NULL: there is no call of this number */
const ngx_str_t *ngx_http_im_sum_call_name(ngx_uint_t number);
const ngx_str_t *ngx_http_im_sum_code_name(ngx_uint_t code);


#endif /* _NGX_HTTP_IM_SUM_H_INCLUDED_ */
