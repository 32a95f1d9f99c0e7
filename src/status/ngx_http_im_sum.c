
#include "ngx_http_im_sum.h"


#define NGX_HTTP_IM_SUM_LINE   512

/* the gauge that no store has: how many blocks were added up */
#define NGX_HTTP_IM_SUM_SEEN   (NGX_HTTP_IM_STAT_GAUGES - 1)


static ngx_int_t ngx_http_im_sum_sum_gauges(ngx_http_im_sum_t *report);
static ngx_int_t ngx_http_im_sum_store(ngx_http_im_sum_t *report,
    ngx_http_im_stat_t *count);
static ngx_http_im_stat_t *ngx_http_im_sum_total(
    ngx_http_im_sum_t *report, ngx_http_im_stat_t *count);
static uint64_t *ngx_http_im_sum_cell(ngx_http_im_sum_t *report,
    ngx_uint_t store, ngx_uint_t worker);
static int ngx_libc_cdecl ngx_http_im_sum_cmp(const void *one,
    const void *two);
static void ngx_http_im_sum_json_calls(ngx_http_im_writer_t *w,
    ngx_http_im_stat_t *count);
static ngx_int_t ngx_http_im_sum_json_stores(
    ngx_http_im_sum_t *report, ngx_array_t *blocks, ngx_pid_t pid);
static ngx_int_t ngx_http_im_sum_json_store(ngx_http_im_sum_t *report,
    ngx_http_im_stat_t *count);
static void ngx_http_im_sum_json_rounds(ngx_http_im_writer_t *w,
    ngx_http_im_stat_t *count);


static const ngx_http_im_counter_t  ngx_http_im_counters[] = {

    { ngx_string("jobs"), NGX_HTTP_IM_STAT_JOBS,
      "Calls and handshakes that use the store, as max_pending counts them." },

    { ngx_string("waiting_commands"), NGX_HTTP_IM_STAT_WAITING,
      "Commands not yet written to the store." },

    { ngx_string("waiting_bytes"), NGX_HTTP_IM_STAT_WAITING_BYTES,
      "Bytes of commands not yet written to the store." },

    { ngx_string("unanswered_commands"), NGX_HTTP_IM_STAT_SENT,
      "Commands written to the store and not yet answered." },

    { ngx_string("connected"), NGX_HTTP_IM_STAT_CONNECTED,
      "Connections to the store that are ready." },

    { ngx_string("connections"), NGX_HTTP_IM_STAT_CONNECTIONS,
      "Connections to the store that there should be." },

    { ngx_string("commands"), NGX_HTTP_IM_STAT_COMMANDS,
      "Commands written, also of handshakes and repeated ones." },

    { ngx_string("refused_commands"), NGX_HTTP_IM_STAT_REFUSALS,
      "Commands that the store refused to execute." },

    { ngx_string("late_replies"), NGX_HTTP_IM_STAT_LATE,
      "Replies that came after their call had ended." },

    { ngx_string("timeouts"), NGX_HTTP_IM_STAT_TIMEOUTS,
      "Calls that the store did not answer in time." },

    { ngx_string("outcome_unknown"), NGX_HTTP_IM_STAT_UNKNOWN,
      "Calls that ended while a write was in doubt." },

    { ngx_string("overloads"), NGX_HTTP_IM_STAT_OVERLOADS,
      "Calls refused as too much was pending already." },

    { ngx_string("connects"), NGX_HTTP_IM_STAT_CONNECTS,
      "Connections that became ready." },

    { ngx_string("connect_failures"), NGX_HTTP_IM_STAT_FAILURES,
      "Connections that failed before they were ready." },

    { ngx_string("disconnects"), NGX_HTTP_IM_STAT_LOST,
      "Connections lost or given up after they were ready." },

    { ngx_null_string, 0, NULL }
};


/* a store that the configuration had once is still told */

ngx_int_t
ngx_http_im_sum_init(ngx_http_im_sum_t *report)
{
    ngx_uint_t           i, n;
    ngx_http_im_stat_t  *total, **block, **worker;

    report->calls = ngx_http_im_stat_create(report->pool, NULL,
                        ngx_http_im_stat_cell(ngx_http_im_route_calls(), 0));

    if (report->calls == NULL
        || ngx_array_init(&report->stores, report->pool, 4,
                          sizeof(ngx_http_im_stat_t *))
           != NGX_OK
        || ngx_array_init(&report->workers, report->pool, 16,
                          sizeof(ngx_http_im_stat_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    block = report->blocks.elts;

    for (i = 0; i < report->blocks.nelts; i++) {

        total = ngx_http_im_sum_total(report, block[i]);
        if (total == NULL) {
            return NGX_ERROR;
        }

        for (n = 0; n < total->size; n++) {
            total->n[n] += block[i]->n[n];
        }

        if (block[i]->is_store || block[i]->pid == 0) {
            continue;
        }

        worker = ngx_array_push(&report->workers);
        if (worker == NULL) {
            return NGX_ERROR;
        }

        *worker = block[i];
    }

    ngx_qsort(report->workers.elts, report->workers.nelts,
              sizeof(ngx_http_im_stat_t *), ngx_http_im_sum_cmp);

    return ngx_http_im_sum_sum_gauges(report);
}


static ngx_int_t
ngx_http_im_sum_sum_gauges(ngx_http_im_sum_t *report)
{
    uint64_t             *gauges;
    ngx_uint_t            i, n, store;
    ngx_http_im_stat_t  **block, **worker;

    worker = report->workers.elts;
    n = report->workers.nelts;

    report->numbers = n ? worker[n - 1]->worker + 1 : 0;

    n = report->stores.nelts * report->numbers * NGX_HTTP_IM_STAT_GAUGES;

    report->gauges = ngx_pcalloc(report->pool, (n + 1) * sizeof(uint64_t));
    if (report->gauges == NULL) {
        return NGX_ERROR;
    }

    block = report->blocks.elts;

    for (i = 0; i < report->blocks.nelts; i++) {

        if (!block[i]->is_store || block[i]->pid == 0
            || block[i]->worker >= report->numbers)
        {
            continue;
        }

        store = ngx_http_im_sum_store(report, block[i]);
        gauges = ngx_http_im_sum_cell(report, store, block[i]->worker);

        for (n = 0; n < NGX_HTTP_IM_SUM_SEEN; n++) {
            gauges[n] += block[i]->n[n];
        }

        gauges[NGX_HTTP_IM_SUM_SEEN]++;
    }

    return NGX_OK;
}


static uint64_t *
ngx_http_im_sum_cell(ngx_http_im_sum_t *report, ngx_uint_t store,
    ngx_uint_t worker)
{
    return report->gauges
           + (store * report->numbers + worker) * NGX_HTTP_IM_STAT_GAUGES;
}


uint64_t *
ngx_http_im_sum_gauges(ngx_http_im_sum_t *report, ngx_uint_t store,
    ngx_uint_t worker)
{
    uint64_t  *gauges;

    gauges = ngx_http_im_sum_cell(report, store, worker);

    return gauges[NGX_HTTP_IM_SUM_SEEN] ? gauges : NULL;
}


/* its place in the array; NGX_DECLINED */

static ngx_int_t
ngx_http_im_sum_store(ngx_http_im_sum_t *report,
    ngx_http_im_stat_t *count)
{
    ngx_uint_t            i;
    ngx_http_im_stat_t  **store;

    store = report->stores.elts;

    for (i = 0; i < report->stores.nelts; i++) {
        if (ngx_http_im_stat_eq(store[i], count)) {
            return i;
        }
    }

    return NGX_DECLINED;
}


static ngx_http_im_stat_t *
ngx_http_im_sum_total(ngx_http_im_sum_t *report,
    ngx_http_im_stat_t *count)
{
    ngx_int_t             i;
    ngx_http_im_stat_t  **store;

    if (!count->is_store) {
        return report->calls;
    }

    i = ngx_http_im_sum_store(report, count);

    if (i >= 0) {
        store = report->stores.elts;
        return store[i];
    }

    store = ngx_array_push(&report->stores);
    if (store == NULL) {
        return NULL;
    }

    *store = ngx_http_im_stat_create(report->pool, &count->name,
                                     count->size);

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


const ngx_http_im_counter_t *
ngx_http_im_counters_get(void)
{
    return ngx_http_im_counters;
}


const ngx_str_t *
ngx_http_im_sum_call(ngx_uint_t number)
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
ngx_http_im_sum_code(ngx_uint_t code)
{
    static const ngx_str_t  aborted = ngx_string("aborted");

    return (code == NGX_HTTP_IM_STAT_ABORTED)
           ? &aborted : &ngx_http_im_error_code(code)->code;
}


void
ngx_http_im_sum_put(ngx_http_im_writer_t *w, const char *fmt, ...)
{
    u_char   buf[NGX_HTTP_IM_SUM_LINE], *p;
    va_list  args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    ngx_http_im_write_bytes(w, buf, p - buf);
}


/* seconds, as short as they can be written */

void
ngx_http_im_sum_bound(ngx_http_im_writer_t *w, ngx_uint_t bucket)
{
    u_char      buf[NGX_INT_T_LEN], *p;
    ngx_msec_t  ms;

    if (bucket == NGX_HTTP_IM_STAT_BUCKETS - 1) {
        ngx_http_im_write_lit(w, "+Inf");
        return;
    }

    ms = ngx_http_im_stat_bound(bucket);

    p = ngx_sprintf(buf, "%M.%03M", ms / 1000, ms % 1000);

    while (p[-1] == '0') {
        p--;
    }

    if (p[-1] == '.') {
        p--;
    }

    ngx_http_im_write_bytes(w, buf, p - buf);
}


ngx_int_t
ngx_http_im_sum_json(ngx_http_im_sum_t *report)
{
    ngx_uint_t              i;
    ngx_http_im_stat_t    **worker;
    ngx_http_im_writer_t   *w;

    w = report->w;

    ngx_http_im_sum_put(w, "{\"since\":%T,\"generation\":%ui,\"total\":{",
                        report->since, report->generation);

    ngx_http_im_sum_json_calls(w, report->calls);

    if (ngx_http_im_sum_json_stores(report, &report->stores, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_im_write_lit(w, "},\"profile_cache\":");

    if (report->cached) {
        ngx_http_im_sum_put(w, "{\"hits\":%uL,\"misses\":%uL,"
                            "\"evictions\":%uL}", report->cache.hits,
                            report->cache.misses, report->cache.evictions);

    } else {
        ngx_http_im_write_lit(w, "null");
    }

    ngx_http_im_write_lit(w, ",\"workers\":[");

    worker = report->workers.elts;

    for (i = 0; i < report->workers.nelts; i++) {
        ngx_http_im_sum_put(w, "%s{\"worker\":%ui,\"pid\":%P,"
                            "\"generation\":%ui,\"started\":%T,",
                            i ? "," : "", worker[i]->worker,
                            worker[i]->pid, worker[i]->generation,
                            worker[i]->started);

        ngx_http_im_sum_json_calls(w, worker[i]);

        if (ngx_http_im_sum_json_stores(report, &report->blocks,
                                        worker[i]->pid)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_im_write_lit(w, "}");
    }

    ngx_http_im_write_lit(w, "]}\n");

    return NGX_OK;
}


/* what is not there is 0 */

static void
ngx_http_im_sum_json_calls(ngx_http_im_writer_t *w,
    ngx_http_im_stat_t *count)
{
    uint64_t          n;
    ngx_uint_t        call, code, calls, codes;
    const ngx_str_t  *name;

    ngx_http_im_sum_put(w, "\"in_flight\":%uL,\"requests\":{",
                        count->n[NGX_HTTP_IM_STAT_IN_FLIGHT]);
    calls = 0;

    for (call = 0; call < ngx_http_im_route_calls(); call++) {
        name = ngx_http_im_sum_call(call);
        codes = 0;

        for (code = 0; name && code <= NGX_HTTP_IM_STAT_ABORTED; code++) {
            n = count->n[ngx_http_im_stat_cell(call, code)];

            if (n == 0) {
                continue;
            }

            if (codes++ == 0) {
                ngx_http_im_sum_put(w, "%s\"%V\":{",
                                    calls++ ? "," : "", name);
            }

            ngx_http_im_sum_put(w, "%s\"%V\":%uL",
                                (codes > 1) ? "," : "",
                                ngx_http_im_sum_code(code), n);
        }

        if (codes) {
            ngx_http_im_write_lit(w, "}");
        }
    }

    ngx_http_im_write_lit(w, "}");
}


/* of this process; 0: all */

static ngx_int_t
ngx_http_im_sum_json_stores(ngx_http_im_sum_t *report,
    ngx_array_t *blocks, ngx_pid_t pid)
{
    ngx_uint_t            i, n;
    ngx_http_im_stat_t  **block;

    ngx_http_im_write_lit(report->w, ",\"stores\":{");

    block = blocks->elts;

    for (n = 0, i = 0; i < blocks->nelts; i++) {

        if (!block[i]->is_store || block[i]->pid != pid) {
            continue;
        }

        if (n++) {
            ngx_http_im_write_lit(report->w, ",");
        }

        if (ngx_http_im_sum_json_store(report, block[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_http_im_write_lit(report->w, "}");

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_sum_json_store(ngx_http_im_sum_t *report,
    ngx_http_im_stat_t *count)
{
    ngx_str_t                     name;
    const ngx_http_im_counter_t  *row;

    if (ngx_http_im_json_escape(report->pool, &name, count->name.data,
                                count->name.len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_im_write_lit(report->w, "\"");
    ngx_http_im_write_raw(report->w, &name);
    ngx_http_im_write_lit(report->w, "\":{");

    for (row = ngx_http_im_counters; row->name.len; row++) {
        ngx_http_im_sum_put(report->w, "\"%V\":%uL,", &row->name,
                            count->n[row->figure]);
    }

    ngx_http_im_sum_json_rounds(report->w, count);

    ngx_http_im_write_lit(report->w, "}");

    return NGX_OK;
}


static void
ngx_http_im_sum_json_rounds(ngx_http_im_writer_t *w,
    ngx_http_im_stat_t *count)
{
    uint64_t    n;
    ngx_uint_t  i;

    ngx_http_im_write_lit(w, "\"round_trips\":{\"buckets\":{");

    for (n = 0, i = 0; i < NGX_HTTP_IM_STAT_BUCKETS; i++) {
        n += count->n[NGX_HTTP_IM_STAT_ROUNDS + i];

        ngx_http_im_sum_put(w, "%s\"", i ? "," : "");
        ngx_http_im_sum_bound(w, i);
        ngx_http_im_sum_put(w, "\":%uL", n);
    }

    ngx_http_im_sum_put(w, "},\"count\":%uL,\"sum\":%uL.%03uL}", n,
                        count->n[NGX_HTTP_IM_STAT_TIME] / 1000,
                        count->n[NGX_HTTP_IM_STAT_TIME] % 1000);
}
