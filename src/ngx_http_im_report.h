
#ifndef _NGX_HTTP_IM_REPORT_H_INCLUDED_
#define _NGX_HTTP_IM_REPORT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cache.h"
#include "ngx_http_im_count.h"
#include "ngx_http_im_json.h"
#include "ngx_http_im_route.h"


/* a figure of a store */

typedef struct {
    ngx_str_t                    name;
    ngx_http_im_count_e          figure;
    const char                  *help;
} ngx_http_im_report_row_t;


/*
 * All figures at one moment, and where they are written to.  The workers of
 * two configurations have the same numbers: the gauges of a store are added
 * up by number.
 */

typedef struct {
    ngx_pool_t                  *pool;
    ngx_http_im_json_t          *w;
    ngx_array_t                  blocks;      /* of ngx_http_im_count_t * */
    time_t                       since;
    ngx_uint_t                   generation;
    ngx_uint_t                   cached;      /* there is a cache */
    ngx_http_im_cache_counts_t   cache;

    /* made of the blocks */
    ngx_http_im_count_t         *calls;       /* of all */
    ngx_array_t                  stores;      /* the same, for each store */
    ngx_array_t                  workers;     /* blocks of calls, in order */
    ngx_uint_t                   numbers;     /* of workers */
    uint64_t                    *gauges;      /* by store and number */
} ngx_http_im_report_t;


/* adds up; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_report_sum(ngx_http_im_report_t *report);

/* a writer that has failed is the caller's to notice */
ngx_int_t ngx_http_im_report_json(ngx_http_im_report_t *report);

/* the gauges of a store in the workers of a number; NULL: it has none */
uint64_t *ngx_http_im_report_gauges(ngx_http_im_report_t *report,
    ngx_uint_t store, ngx_uint_t worker);

/* the figures of a store; the last row has no name */
const ngx_http_im_report_row_t *ngx_http_im_report_rows(void);

/* NULL: no call has this number */
const ngx_str_t *ngx_http_im_report_call(ngx_uint_t number);
const ngx_str_t *ngx_http_im_report_code(ngx_uint_t code);

/* a line at most */
void ngx_http_im_report_put(ngx_http_im_json_t *w, const char *fmt, ...);

/* of a bucket, in seconds */
void ngx_http_im_report_bound(ngx_http_im_json_t *w, ngx_uint_t bucket);


#endif /* _NGX_HTTP_IM_REPORT_H_INCLUDED_ */
