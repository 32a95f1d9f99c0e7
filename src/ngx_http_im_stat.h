
#ifndef _NGX_HTTP_IM_STAT_H_INCLUDED_
#define _NGX_HTTP_IM_STAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_error.h"


/*
 * Figures in shared memory.  A worker has one block for its calls and one for
 * each store.  Nobody else writes there, so counting is an addition without a
 * lock, also while the workers of two configurations are at work.
 *
 * When a worker ends, its counters are added to a block of those that are
 * gone, of the same name, and its gauges are forgotten.  What was killed is
 * found by the next worker to start and by the next reader.
 */

typedef struct {
    ngx_queue_t                queue;
    ngx_pid_t                  pid;           /* 0: the sum of those gone */
    ngx_uint_t                 worker;
    ngx_uint_t                 generation;    /* of the configuration */
    time_t                     started;
    ngx_str_t                  name;          /* of the store */
    ngx_uint_t                 is_store;      /* not of calls */
    ngx_uint_t                 size;
    uint64_t                   n[1];          /* size of them */
} ngx_http_im_stat_t;


typedef struct ngx_http_im_stat_sh_s  ngx_http_im_stat_sh_t;

/* a configuration's side of the zone */

typedef struct {
    ngx_http_im_stat_sh_t     *sh;
    ngx_slab_pool_t           *shpool;
    ngx_uint_t                 generation;
} ngx_http_im_stat_zone_t;


/* the first figures of a block are gauges, whatever the block is of */
#define NGX_HTTP_IM_STAT_GAUGES    8
#define NGX_HTTP_IM_STAT_BUCKETS   13


/*
 * Of calls: how many are under way, then for each call a row of codes, with
 * one more for those whose client left before there was an answer.
 */

#define NGX_HTTP_IM_STAT_IN_FLIGHT    0
#define NGX_HTTP_IM_STAT_ABORTED   NGX_HTTP_IM_CODES

#define ngx_http_im_stat_cell(call, code)                                   \
    (NGX_HTTP_IM_STAT_GAUGES + (call) * (NGX_HTTP_IM_CODES + 1) + (code))


/* of a store */

typedef enum {
    NGX_HTTP_IM_STAT_JOBS = 0,
    NGX_HTTP_IM_STAT_WAITING,            /* commands not yet written */
    NGX_HTTP_IM_STAT_WAITING_BYTES,
    NGX_HTTP_IM_STAT_SENT,               /* commands not yet answered */
    NGX_HTTP_IM_STAT_CONNECTED,
    NGX_HTTP_IM_STAT_CONNECTIONS,        /* that there should be */

    NGX_HTTP_IM_STAT_COMMANDS = NGX_HTTP_IM_STAT_GAUGES,
    NGX_HTTP_IM_STAT_REFUSALS,
    NGX_HTTP_IM_STAT_LATE,
    NGX_HTTP_IM_STAT_TIMEOUTS,
    NGX_HTTP_IM_STAT_UNKNOWN,
    NGX_HTTP_IM_STAT_OVERLOADS,
    NGX_HTTP_IM_STAT_CONNECTS,
    NGX_HTTP_IM_STAT_FAILURES,
    NGX_HTTP_IM_STAT_LOST,
    NGX_HTTP_IM_STAT_TIME,               /* ms, of all round trips */
    NGX_HTTP_IM_STAT_ROUNDS,             /* a bucket each */

    NGX_HTTP_IM_STAT_STORE = NGX_HTTP_IM_STAT_ROUNDS
                              + NGX_HTTP_IM_STAT_BUCKETS
} ngx_http_im_stat_e;


/* NULL after an error was logged */
ngx_shm_zone_t *ngx_http_im_stat_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);

/*
 * A block that nobody sees, for as long as there is none in the zone; without
 * a name it is of calls.
 */
ngx_http_im_stat_t *ngx_http_im_stat_create(ngx_pool_t *pool,
    const ngx_str_t *name, ngx_uint_t size);

/* a worker starts: adds up what those before it have left */
void ngx_http_im_stat_start(ngx_http_im_stat_zone_t *counts);

/*
 * A block like the given one, in the zone; when that is full the given one,
 * which is only seen once it is added to the sum of those gone.
 */
ngx_http_im_stat_t *ngx_http_im_stat_attach(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count, ngx_log_t *log);

/* it ends: the block must not be used any more */
void ngx_http_im_stat_detach(ngx_http_im_stat_zone_t *counts,
    ngx_http_im_stat_t *count);

/* of the same store, or both of calls */
ngx_uint_t ngx_http_im_stat_eq(ngx_http_im_stat_t *a,
    ngx_http_im_stat_t *b);

/* copies of all blocks, pointers to them in the array; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_stat_read(ngx_http_im_stat_zone_t *counts,
    ngx_array_t *blocks);

/* when counting began */
time_t ngx_http_im_stat_since(ngx_http_im_stat_zone_t *counts);

/* a round trip of a store took so long */
void ngx_http_im_stat_round(ngx_http_im_stat_t *count, ngx_msec_t ms);

/* upper bound of a bucket, ms; the last one has none */
ngx_msec_t ngx_http_im_stat_bound(ngx_uint_t bucket);


static ngx_inline void
ngx_http_im_stat_inc(ngx_http_im_stat_t *count, ngx_uint_t figure)
{
    count->n[figure]++;
}


static ngx_inline void
ngx_http_im_stat_add(ngx_http_im_stat_t *count, ngx_uint_t figure,
    ngx_int_t n)
{
    count->n[figure] += n;
}


static ngx_inline void
ngx_http_im_stat_set(ngx_http_im_stat_t *count, ngx_uint_t figure,
    uint64_t n)
{
    count->n[figure] = n;
}


#endif /* _NGX_HTTP_IM_STAT_H_INCLUDED_ */
