
#ifndef _NGX_HTTP_IM_SUM_H_INCLUDED_
#define _NGX_HTTP_IM_SUM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cache.h"
#include "ngx_http_im_stat.h"
#include "ngx_http_im_writer.h"
#include "ngx_http_im_route.h"


/* a figure of a store */

typedef struct {
    ngx_str_t                    name;
    ngx_http_im_stat_e           figure;
    const char                  *help;
} ngx_http_im_counter_t;


/*
 * All figures at one moment, and where they are written to.  The workers of
 * two configurations have the same numbers: the gauges of a store are added
 * up by number.
 */

typedef struct {
    ngx_pool_t                  *pool;
    ngx_http_im_writer_t        *w;
    ngx_array_t                  blocks;      /* of ngx_http_im_stat_t * */
    time_t                       since;
    ngx_uint_t                   generation;
    ngx_uint_t                   cached;      /* there is a cache */
    ngx_http_im_cache_counts_t   cache;

    /* made of the blocks */
    ngx_http_im_stat_t          *calls;       /* of all */
    ngx_array_t                  stores;      /* the same, for each store */
    ngx_array_t                  workers;     /* blocks of calls, in order */
    ngx_uint_t                   numbers;     /* of workers */
    uint64_t                    *gauges;      /* by store and number */
} ngx_http_im_sum_t;


/* adds up; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_sum_init(ngx_http_im_sum_t *report);

/* a writer that has failed is the caller's to notice */
ngx_int_t ngx_http_im_sum_json(ngx_http_im_sum_t *report);

/* the gauges of a store in the workers of a number; NULL: it has none */
uint64_t *ngx_http_im_sum_gauges(ngx_http_im_sum_t *report,
    ngx_uint_t store, ngx_uint_t worker);

/* the figures of a store; the last row has no name */
const ngx_http_im_counter_t *ngx_http_im_counters_get(void);

/* NULL: no call has this number */
const ngx_str_t *ngx_http_im_sum_call(ngx_uint_t number);
const ngx_str_t *ngx_http_im_sum_code(ngx_uint_t code);

/* a line at most */
void ngx_http_im_sum_put(ngx_http_im_writer_t *w, const char *fmt, ...);

/* of a bucket, in seconds */
void ngx_http_im_sum_bound(ngx_http_im_writer_t *w, ngx_uint_t bucket);


#endif /* _NGX_HTTP_IM_SUM_H_INCLUDED_ */
