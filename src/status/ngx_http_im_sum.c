
#include "ngx_http_im_sum.h"
#include "ngx_http_im_route.h"


/* stores have no tenth gauge: here it counts the blocks added up */
#define NGX_HTTP_IM_SUM_BLOCKS   (NGX_HTTP_IM_STAT_GAUGES - 1)


#define ngx_http_im_sum_gauge(name, stat, help)                              \
    { ngx_string(name), "im_store_" name, stat, help }

#define ngx_http_im_sum_counter(name, stat, help)                            \
    { ngx_string(name), "im_store_" name "_total", stat, help }


static ngx_int_t ngx_http_im_sum_blocks_add(ngx_http_im_sum_t *sum);
static ngx_int_t ngx_http_im_sum_gauges_add(ngx_http_im_sum_t *sum);
static uint64_t *ngx_http_im_sum_gauges_find(ngx_http_im_sum_t *sum,
    ngx_uint_t store, ngx_uint_t worker);
static ngx_int_t ngx_http_im_sum_store_find(ngx_http_im_sum_t *sum,
    ngx_http_im_stat_t *stat);
static ngx_http_im_stat_t *ngx_http_im_sum_total_get(ngx_http_im_sum_t *sum,
    ngx_http_im_stat_t *stat);
static int ngx_libc_cdecl ngx_http_im_sum_cmp(const void *one,
    const void *two);


static const ngx_http_im_sum_counter_t  ngx_http_im_sum_counters[] = {

    ngx_http_im_sum_gauge("jobs", NGX_HTTP_IM_STAT_JOBS,
        "Calls and handshakes that use the store, as max_pending counts "
        "them."),

    ngx_http_im_sum_gauge("waiting_commands", NGX_HTTP_IM_STAT_WAITING,
        "Commands not yet written to the store."),

    ngx_http_im_sum_gauge("waiting_bytes", NGX_HTTP_IM_STAT_WAITING_BYTES,
        "Bytes of commands not yet written to the store."),

    ngx_http_im_sum_gauge("unanswered_commands", NGX_HTTP_IM_STAT_SENT,
        "Commands written to the store and not yet answered."),

    ngx_http_im_sum_gauge("connected", NGX_HTTP_IM_STAT_CONNECTED,
        "Connections to the store that are ready."),

    ngx_http_im_sum_gauge("connections", NGX_HTTP_IM_STAT_CONNECTIONS,
        "Connections to the store that there should be."),

    ngx_http_im_sum_gauge("streams", NGX_HTTP_IM_STAT_STREAMS,
        "Streams that are open."),

    ngx_http_im_sum_gauge("subscribed", NGX_HTTP_IM_STAT_SUBSCRIBED,
        "Workers that read the events of the store."),

    ngx_http_im_sum_counter("commands", NGX_HTTP_IM_STAT_COMMANDS,
        "Commands written, also of handshakes and repeated ones."),

    ngx_http_im_sum_counter("refused_commands", NGX_HTTP_IM_STAT_REFUSALS,
        "Commands that the store refused to execute."),

    ngx_http_im_sum_counter("late_replies", NGX_HTTP_IM_STAT_LATE,
        "Replies that came after their call had ended."),

    ngx_http_im_sum_counter("timeouts", NGX_HTTP_IM_STAT_TIMEOUTS,
        "Calls that the store did not answer in time."),

    ngx_http_im_sum_counter("outcome_unknown", NGX_HTTP_IM_STAT_UNKNOWN,
        "Calls that ended while a write was in doubt."),

    ngx_http_im_sum_counter("overloads", NGX_HTTP_IM_STAT_OVERLOADS,
        "Calls refused as too much was pending already."),

    ngx_http_im_sum_counter("connects", NGX_HTTP_IM_STAT_CONNECTS,
        "Connections that became ready."),

    ngx_http_im_sum_counter("connect_failures", NGX_HTTP_IM_STAT_FAILURES,
        "Connections that failed before they were ready."),

    ngx_http_im_sum_counter("disconnects", NGX_HTTP_IM_STAT_LOST,
        "Connections lost or given up after they were ready."),

    ngx_http_im_sum_counter("streams_opened", NGX_HTTP_IM_STAT_OPENED,
        "Streams opened."),

    ngx_http_im_sum_counter("streams_resumed", NGX_HTTP_IM_STAT_RESUMED,
        "Streams that were told what they had missed."),

    ngx_http_im_sum_counter("streams_reset", NGX_HTTP_IM_STAT_RESET,
        "Streams told to load the list, in place of what they had missed."),

    ngx_http_im_sum_counter("streams_gap", NGX_HTTP_IM_STAT_GAP,
        "Conversations of which a stream was told the newest messages only."),

    ngx_http_im_sum_counter("streams_slow", NGX_HTTP_IM_STAT_SLOW,
        "Streams cut off, as too much was unsent."),

    ngx_http_im_sum_counter("events", NGX_HTTP_IM_STAT_EVENTS,
        "Events that concern a stream, counted by each worker."),

    ngx_http_im_sum_counter("deliveries", NGX_HTTP_IM_STAT_DELIVERIES,
        "Events sent to streams."),

    ngx_http_im_sum_counter("redirects_moved", NGX_HTTP_IM_STAT_MOVED,
        "Commands of a cluster whose slot belongs to another node."),

    ngx_http_im_sum_counter("redirects_ask", NGX_HTTP_IM_STAT_ASK,
        "Commands of a cluster whose slot is being moved."),

    ngx_http_im_sum_counter("tries_again", NGX_HTTP_IM_STAT_AGAIN,
        "Commands of a cluster that were refused for a moment."),

    ngx_http_im_sum_counter("slot_refreshes", NGX_HTTP_IM_STAT_REFRESHES,
        "Requests to a cluster for its slots."),

    ngx_http_im_sum_counter("tls_failures", NGX_HTTP_IM_STAT_TLS_FAILURES,
        "Connections whose TLS handshake or certificate failed."),

    ngx_http_im_sum_counter("failovers", NGX_HTTP_IM_STAT_FAILOVERS,
        "Masters that a Sentinel told in place of another one."),

    { ngx_null_string, NULL, 0, NULL }
};


ngx_int_t
ngx_http_im_sum_init(ngx_http_im_sum_t *sum, ngx_pool_t *pool,
    ngx_http_im_stat_zone_t *zone)
{
    ngx_memzero(sum, sizeof(ngx_http_im_sum_t));

    sum->pool = pool;
    sum->since = ngx_http_im_stat_since(zone);
    sum->generation = zone->generation;

    sum->calls = ngx_http_im_stat_create(pool, NULL,
                        ngx_http_im_stat_cell(ngx_http_im_route_calls(), 0));

    if (sum->calls == NULL
        || ngx_array_init(&sum->blocks, pool, 16,
                          sizeof(ngx_http_im_stat_t *))
           != NGX_OK
        || ngx_array_init(&sum->stores, pool, 4,
                          sizeof(ngx_http_im_stat_t *))
           != NGX_OK
        || ngx_array_init(&sum->workers, pool, 16,
                          sizeof(ngx_http_im_stat_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_im_stat_read(zone, &sum->blocks) != NGX_OK
        || ngx_http_im_sum_blocks_add(sum) != NGX_OK
        || ngx_http_im_sum_gauges_add(sum) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                   "im sum blocks:%ui stores:%ui workers:%ui generation:%ui",
                   sum->blocks.nelts, sum->stores.nelts, sum->workers.nelts,
                   sum->generation);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_sum_blocks_add(ngx_http_im_sum_t *sum)
{
    ngx_uint_t           i, n;
    ngx_http_im_stat_t  *total, **block, **worker;

    block = sum->blocks.elts;

    for (i = 0; i < sum->blocks.nelts; i++) {

        total = ngx_http_im_sum_total_get(sum, block[i]);
        if (total == NULL) {
            return NGX_ERROR;
        }

        for (n = 0; n < total->size; n++) {
            total->n[n] += block[i]->n[n];
        }

        if (block[i]->is_store || block[i]->pid == 0) {
            continue;
        }

        worker = ngx_array_push(&sum->workers);
        if (worker == NULL) {
            return NGX_ERROR;
        }

        *worker = block[i];
    }

    ngx_qsort(sum->workers.elts, sum->workers.nelts,
              sizeof(ngx_http_im_stat_t *), ngx_http_im_sum_cmp);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_sum_gauges_add(ngx_http_im_sum_t *sum)
{
    uint64_t             *gauges;
    ngx_uint_t            i, n, store;
    ngx_http_im_stat_t  **block, **worker;

    worker = sum->workers.elts;
    n = sum->workers.nelts;

    sum->numbers = n ? worker[n - 1]->worker + 1 : 0;

    n = sum->stores.nelts * sum->numbers * NGX_HTTP_IM_STAT_GAUGES;

    sum->gauges = ngx_pcalloc(sum->pool, (n + 1) * sizeof(uint64_t));
    if (sum->gauges == NULL) {
        return NGX_ERROR;
    }

    block = sum->blocks.elts;

    for (i = 0; i < sum->blocks.nelts; i++) {

        if (!block[i]->is_store || block[i]->pid == 0
            || block[i]->worker >= sum->numbers)
        {
            continue;
        }

        store = ngx_http_im_sum_store_find(sum, block[i]);
        gauges = ngx_http_im_sum_gauges_find(sum, store, block[i]->worker);

        for (n = 0; n < NGX_HTTP_IM_SUM_BLOCKS; n++) {
            gauges[n] += block[i]->n[n];
        }

        gauges[NGX_HTTP_IM_SUM_BLOCKS]++;
    }

    return NGX_OK;
}


static uint64_t *
ngx_http_im_sum_gauges_find(ngx_http_im_sum_t *sum, ngx_uint_t store,
    ngx_uint_t worker)
{
    return sum->gauges
           + (store * sum->numbers + worker) * NGX_HTTP_IM_STAT_GAUGES;
}


uint64_t *
ngx_http_im_sum_gauges_get(ngx_http_im_sum_t *sum, ngx_uint_t store,
    ngx_uint_t worker)
{
    uint64_t  *gauges;

    gauges = ngx_http_im_sum_gauges_find(sum, store, worker);

    return gauges[NGX_HTTP_IM_SUM_BLOCKS] ? gauges : NULL;
}


/* the index in sum->stores, or NGX_DECLINED */

static ngx_int_t
ngx_http_im_sum_store_find(ngx_http_im_sum_t *sum, ngx_http_im_stat_t *stat)
{
    ngx_uint_t            i;
    ngx_http_im_stat_t  **store;

    store = sum->stores.elts;

    for (i = 0; i < sum->stores.nelts; i++) {
        if (ngx_http_im_stat_eq(store[i], stat)) {
            return i;
        }
    }

    return NGX_DECLINED;
}


/*
 * A store has a total as long as there is a block of it, also if it was
 * removed from the configuration.
 */

static ngx_http_im_stat_t *
ngx_http_im_sum_total_get(ngx_http_im_sum_t *sum, ngx_http_im_stat_t *stat)
{
    ngx_int_t             i;
    ngx_http_im_stat_t  **store;

    if (!stat->is_store) {
        return sum->calls;
    }

    i = ngx_http_im_sum_store_find(sum, stat);

    if (i >= 0) {
        store = sum->stores.elts;
        return store[i];
    }

    store = ngx_array_push(&sum->stores);
    if (store == NULL) {
        return NULL;
    }

    *store = ngx_http_im_stat_create(sum->pool, &stat->name, stat->size);

    return *store;
}


static int ngx_libc_cdecl
ngx_http_im_sum_cmp(const void *one, const void *two)
{
    ngx_http_im_stat_t  *a, *b;

    a = *(ngx_http_im_stat_t **) one;
    b = *(ngx_http_im_stat_t **) two;

    if (a->worker != b->worker) {
        return (a->worker < b->worker) ? -1 : 1;
    }

    if (a->generation != b->generation) {
        return (a->generation < b->generation) ? -1 : 1;
    }

    return 0;
}


const ngx_http_im_sum_counter_t *
ngx_http_im_sum_counters_get(void)
{
    return ngx_http_im_sum_counters;
}


const ngx_str_t *
ngx_http_im_sum_call_name(ngx_uint_t number)
{
    const ngx_http_im_op_t  *op;

    static const ngx_str_t   none = ngx_string("none");

    if (number == ngx_http_im_route_calls() - 1) {
        return &none;
    }

    op = ngx_http_im_route_op(number);

    return op ? &op->name : NULL;
}


const ngx_str_t *
ngx_http_im_sum_code_name(ngx_uint_t code)
{
    static const ngx_str_t  aborted = ngx_string("aborted");

    return (code == NGX_HTTP_IM_STAT_ABORTED)
           ? &aborted : &ngx_http_im_error_code(code)->code;
}
