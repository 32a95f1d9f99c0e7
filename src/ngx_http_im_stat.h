
#ifndef _NGX_HTTP_IM_STAT_H_INCLUDED_
#define _NGX_HTTP_IM_STAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_error.h"


/*
 * Counters in shared memory.  A worker has one block for its calls and one
 * for each store, and nobody else writes to them: counting is an addition
 * without a lock, also while the workers of two configurations run.
 *
 * When a worker exits, the counters of its blocks are added to the sums of
 * the dead, one block for calls and one for each store's name; its gauges are
 * dropped.  The blocks of a worker that was killed are found by the next
 * worker that starts and by the next status request.
 */

typedef struct {
    ngx_queue_t                queue;
    ngx_pid_t                  pid;           /* 0: the sum of the dead */
    ngx_uint_t                 worker;
    ngx_uint_t                 generation;    /* of the configuration */
    time_t                     started;
    ngx_str_t                  name;          /* of the store */
    ngx_uint_t                 is_store;      /* 0: of calls */
    ngx_uint_t                 size;
    uint64_t                   n[1];          /* of size elements */
} ngx_http_im_stat_t;


typedef struct ngx_http_im_stat_sh_s  ngx_http_im_stat_sh_t;

/* one per configuration; sh is the same for all */

typedef struct {
    ngx_http_im_stat_sh_t     *sh;
    ngx_slab_pool_t           *shpool;
    ngx_uint_t                 generation;
    ngx_uint_t                 full;          /* this worker has told so */
} ngx_http_im_stat_zone_t;


/* the first counters of any block are gauges */
#define NGX_HTTP_IM_STAT_GAUGES    10
#define NGX_HTTP_IM_STAT_BUCKETS   13


/*
 * Of calls: the gauge of calls in flight, then for each call a counter for
 * each code, the last of them for clients that closed the connection before
 * they were answered.
 */

#define NGX_HTTP_IM_STAT_IN_FLIGHT   0
#define NGX_HTTP_IM_STAT_ABORTED     NGX_HTTP_IM_CODES

#define ngx_http_im_stat_cell(call, code)                                   \
    (NGX_HTTP_IM_STAT_GAUGES + (call) * (NGX_HTTP_IM_CODES + 1) + (code))


/*
 * Of a store.  What is not a sum over all time is a gauge; the names and the
 * help texts are in ngx_http_im_sum.c.
 */

typedef enum {
    NGX_HTTP_IM_STAT_JOBS = 0,
    NGX_HTTP_IM_STAT_WAITING,            /* commands not yet written */
    NGX_HTTP_IM_STAT_WAITING_BYTES,
    NGX_HTTP_IM_STAT_SENT,               /* commands not yet answered */
    NGX_HTTP_IM_STAT_CONNECTED,
    NGX_HTTP_IM_STAT_CONNECTIONS,        /* configured */
    NGX_HTTP_IM_STAT_STREAMS,
    NGX_HTTP_IM_STAT_SUBSCRIBED,         /* connections that read events */

    NGX_HTTP_IM_STAT_COMMANDS = NGX_HTTP_IM_STAT_GAUGES,
    NGX_HTTP_IM_STAT_REFUSALS,
    NGX_HTTP_IM_STAT_LATE,
    NGX_HTTP_IM_STAT_TIMEOUTS,
    NGX_HTTP_IM_STAT_UNKNOWN,
    NGX_HTTP_IM_STAT_OVERLOADS,
    NGX_HTTP_IM_STAT_CONNECTS,
    NGX_HTTP_IM_STAT_FAILURES,
    NGX_HTTP_IM_STAT_LOST,
    NGX_HTTP_IM_STAT_OPENED,
    NGX_HTTP_IM_STAT_RESUMED,
    NGX_HTTP_IM_STAT_RESET,
    NGX_HTTP_IM_STAT_GAP,
    NGX_HTTP_IM_STAT_SLOW,
    NGX_HTTP_IM_STAT_EVENTS,
    NGX_HTTP_IM_STAT_DELIVERIES,
    NGX_HTTP_IM_STAT_MOVED,              /* redirections of a cluster */
    NGX_HTTP_IM_STAT_ASK,
    NGX_HTTP_IM_STAT_AGAIN,              /* commands refused for a moment */
    NGX_HTTP_IM_STAT_REFRESHES,          /* a node was asked for the slots */
    NGX_HTTP_IM_STAT_TLS_FAILURES,
    NGX_HTTP_IM_STAT_FAILOVERS,
    NGX_HTTP_IM_STAT_TIME,               /* ms in round trips */
    NGX_HTTP_IM_STAT_ROUNDS,             /* the first bucket */

    NGX_HTTP_IM_STAT_STORE = NGX_HTTP_IM_STAT_ROUNDS
                              + NGX_HTTP_IM_STAT_BUCKETS
} ngx_http_im_stat_e;


/* NULL after an error was logged */
ngx_shm_zone_t *ngx_http_im_stat_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);

/* a block in the pool, not in the zone; without a name it is of calls */
ngx_http_im_stat_t *ngx_http_im_stat_create(ngx_pool_t *pool,
    const ngx_str_t *name, ngx_uint_t size);

/* a worker starts: merges the blocks of dead workers */
void ngx_http_im_stat_start(ngx_http_im_stat_zone_t *zone);

/*
 * A block in the zone, of the same name and size as the given one.  If the
 * zone is full, the given one: its counters are not in the totals before it
 * is detached.
 */
ngx_http_im_stat_t *ngx_http_im_stat_attach(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat, ngx_log_t *log);

/* a worker exits: the block must not be used afterwards */
void ngx_http_im_stat_detach(ngx_http_im_stat_zone_t *zone,
    ngx_http_im_stat_t *stat);

/* of the same store, or both of calls */
ngx_uint_t ngx_http_im_stat_eq(ngx_http_im_stat_t *a,
    ngx_http_im_stat_t *b);

/* pushes copies of all blocks, in the array's pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_stat_read(ngx_http_im_stat_zone_t *zone,
    ngx_array_t *blocks);

/* when the zone was created */
time_t ngx_http_im_stat_since(ngx_http_im_stat_zone_t *zone);

/* counts a round trip of a store */
void ngx_http_im_stat_round(ngx_http_im_stat_t *stat, ngx_msec_t ms);

/* upper bound of a bucket in seconds, "+Inf" of the last */
const ngx_str_t *ngx_http_im_stat_bound(ngx_uint_t bucket);


static ngx_inline void
ngx_http_im_stat_inc(ngx_http_im_stat_t *stat, ngx_uint_t counter)
{
    stat->n[counter]++;
}


static ngx_inline void
ngx_http_im_stat_add(ngx_http_im_stat_t *stat, ngx_uint_t counter,
    ngx_int_t n)
{
    stat->n[counter] += n;
}


static ngx_inline void
ngx_http_im_stat_set(ngx_http_im_stat_t *stat, ngx_uint_t counter,
    uint64_t n)
{
    stat->n[counter] = n;
}


#endif /* _NGX_HTTP_IM_STAT_H_INCLUDED_ */
