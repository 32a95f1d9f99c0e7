
#include "ngx_http_im_prometheus.h"


static void ngx_http_im_prometheus_family(ngx_http_im_writer_t *w,
    const char *name, const char *type, const char *help);
static void ngx_http_im_prometheus_single(ngx_http_im_writer_t *w,
    const char *name, const char *type, const char *help, uint64_t n);
static void ngx_http_im_prometheus_store(ngx_http_im_writer_t *w,
    const char *name, ngx_http_im_stat_t *store);
static void ngx_http_im_prometheus_workers(ngx_http_im_sum_t *report);
static void ngx_http_im_prometheus_requests(ngx_http_im_sum_t *report);
static ngx_uint_t ngx_http_im_prometheus_shown(ngx_uint_t call,
    ngx_uint_t code, uint64_t n);
static void ngx_http_im_prometheus_in_flight(ngx_http_im_sum_t *report);
static void ngx_http_im_prometheus_counter(ngx_http_im_sum_t *report,
    const ngx_http_im_counter_t *row);
static void ngx_http_im_prometheus_gauge(ngx_http_im_sum_t *report,
    const char *name, ngx_uint_t figure, ngx_uint_t store);
static void ngx_http_im_prometheus_rounds(ngx_http_im_sum_t *report);
static void ngx_http_im_prometheus_cache(ngx_http_im_sum_t *report);
static void ngx_http_im_prometheus_label(ngx_http_im_writer_t *w,
    ngx_str_t *value);


void
ngx_http_im_prometheus(ngx_http_im_sum_t *report)
{
    ngx_http_im_writer_t         *w;
    const ngx_http_im_counter_t  *row;

    w = report->w;

    ngx_http_im_prometheus_single(w, "im_start_time_seconds", "gauge",
                                  "When counting began, since the epoch.",
                                  report->since);

    ngx_http_im_prometheus_workers(report);
    ngx_http_im_prometheus_requests(report);
    ngx_http_im_prometheus_in_flight(report);

    for (row = ngx_http_im_counters_get(); row->name.len; row++) {
        ngx_http_im_prometheus_counter(report, row);
    }

    ngx_http_im_prometheus_rounds(report);
    ngx_http_im_prometheus_cache(report);
}


static void
ngx_http_im_prometheus_family(ngx_http_im_writer_t *w, const char *name,
    const char *type, const char *help)
{
    ngx_http_im_sum_put(w, "# HELP %s %s\n# TYPE %s %s\n",
                        name, help, name, type);
}


/* a family that is one figure */

static void
ngx_http_im_prometheus_single(ngx_http_im_writer_t *w, const char *name,
    const char *type, const char *help, uint64_t n)
{
    ngx_http_im_prometheus_family(w, name, type, help);
    ngx_http_im_sum_put(w, "%s %uL\n", name, n);
}


/* the front of a sample of a store, up to where other labels may follow */

static void
ngx_http_im_prometheus_store(ngx_http_im_writer_t *w, const char *name,
    ngx_http_im_stat_t *store)
{
    ngx_http_im_sum_put(w, "%s{store=\"", name);
    ngx_http_im_prometheus_label(w, &store->name);
    ngx_http_im_write_lit(w, "\"");
}


static void
ngx_http_im_prometheus_workers(ngx_http_im_sum_t *report)
{
    ngx_uint_t              i, leaving;
    ngx_http_im_stat_t    **worker;
    ngx_http_im_writer_t   *w;

    w = report->w;
    worker = report->workers.elts;

    for (leaving = 0, i = 0; i < report->workers.nelts; i++) {
        leaving += (worker[i]->generation < report->generation);
    }

    ngx_http_im_prometheus_single(w, "im_workers", "gauge",
                                  "Workers of the present configuration.",
                                  report->workers.nelts - leaving);

    ngx_http_im_prometheus_single(w, "im_workers_leaving", "gauge",
                                  "Workers of earlier configurations.",
                                  leaving);
}


static void
ngx_http_im_prometheus_requests(ngx_http_im_sum_t *report)
{
    uint64_t               n;
    ngx_uint_t             call, code;
    const ngx_str_t       *name;
    ngx_http_im_writer_t  *w;

    w = report->w;

    ngx_http_im_prometheus_family(w, "im_requests_total", "counter",
                                  "Requests by call and code of the answer.");

    for (call = 0; call < ngx_http_im_route_calls(); call++) {
        name = ngx_http_im_sum_call(call);

        for (code = 0; name && code <= NGX_HTTP_IM_STAT_ABORTED; code++) {
            n = report->calls->n[ngx_http_im_stat_cell(call, code)];

            if (ngx_http_im_prometheus_shown(call, code, n)) {
                ngx_http_im_sum_put(w, "im_requests_total{call=\"%V\""
                                    ",code=\"%V\"} %uL\n", name,
                                    ngx_http_im_sum_code(code), n);
            }
        }
    }
}


/*
 * What success and alarms are made of is there from the start, so that its
 * first increase is seen; the rest once it has happened.
 */

static ngx_uint_t
ngx_http_im_prometheus_shown(ngx_uint_t call, ngx_uint_t code, uint64_t n)
{
    if (n || call == ngx_http_im_route_calls() - 1) {
        return n != 0;
    }

    return code == NGX_HTTP_IM_OK
           || (code != NGX_HTTP_IM_STAT_ABORTED
               && ngx_http_im_error_code(code)->status >= 500);
}


static void
ngx_http_im_prometheus_in_flight(ngx_http_im_sum_t *report)
{
    uint64_t                n;
    ngx_uint_t              i;
    ngx_http_im_stat_t    **worker;
    ngx_http_im_writer_t   *w;

    w = report->w;

    ngx_http_im_prometheus_family(w, "im_requests_in_flight", "gauge",
                                  "Requests whose call is under way.");

    worker = report->workers.elts;

    for (n = 0, i = 0; i < report->workers.nelts; i++) {
        n += worker[i]->n[NGX_HTTP_IM_STAT_IN_FLIGHT];

        /* those of other configurations have the same number */

        if (i + 1 == report->workers.nelts
            || worker[i + 1]->worker != worker[i]->worker)
        {
            ngx_http_im_sum_put(w, "im_requests_in_flight"
                                "{worker=\"%ui\"} %uL\n",
                                worker[i]->worker, n);
            n = 0;
        }
    }
}


static void
ngx_http_im_prometheus_counter(ngx_http_im_sum_t *report,
    const ngx_http_im_counter_t *row)
{
    u_char                  name[64];
    ngx_uint_t              i, gauge;
    ngx_http_im_stat_t    **store;
    ngx_http_im_writer_t   *w;

    w = report->w;

    gauge = (row->figure < NGX_HTTP_IM_STAT_GAUGES);

    ngx_sprintf(name, "im_store_%V%s%Z", &row->name, gauge ? "" : "_total");

    ngx_http_im_prometheus_family(w, (char *) name,
                                  gauge ? "gauge" : "counter", row->help);

    store = report->stores.elts;

    for (i = 0; i < report->stores.nelts; i++) {

        if (gauge) {
            ngx_http_im_prometheus_gauge(report, (char *) name, row->figure,
                                         i);
            continue;
        }

        ngx_http_im_prometheus_store(w, (char *) name, store[i]);
        ngx_http_im_sum_put(w, "} %uL\n", store[i]->n[row->figure]);
    }
}


static void
ngx_http_im_prometheus_gauge(ngx_http_im_sum_t *report,
    const char *name, ngx_uint_t figure, ngx_uint_t store)
{
    uint64_t               *gauges;
    ngx_uint_t              i;
    ngx_http_im_stat_t    **total;
    ngx_http_im_writer_t   *w;

    w = report->w;
    total = report->stores.elts;

    for (i = 0; i < report->numbers; i++) {
        gauges = ngx_http_im_sum_gauges(report, store, i);

        if (gauges == NULL) {
            continue;
        }

        ngx_http_im_prometheus_store(w, name, total[store]);
        ngx_http_im_sum_put(w, ",worker=\"%ui\"} %uL\n", i,
                            gauges[figure]);
    }
}


static void
ngx_http_im_prometheus_rounds(ngx_http_im_sum_t *report)
{
    uint64_t                n, ms;
    ngx_uint_t              i, k;
    ngx_http_im_stat_t    **store;
    ngx_http_im_writer_t   *w;

    w = report->w;

    ngx_http_im_prometheus_family(w, "im_store_round_trip_seconds",
                                  "histogram",
                                  "From asking the store to the last reply.");

    store = report->stores.elts;

    for (i = 0; i < report->stores.nelts; i++) {

        for (n = 0, k = 0; k < NGX_HTTP_IM_STAT_BUCKETS; k++) {
            n += store[i]->n[NGX_HTTP_IM_STAT_ROUNDS + k];

            ngx_http_im_prometheus_store(w,
                                         "im_store_round_trip_seconds_bucket",
                                         store[i]);
            ngx_http_im_write_lit(w, ",le=\"");
            ngx_http_im_sum_bound(w, k);
            ngx_http_im_sum_put(w, "\"} %uL\n", n);
        }

        ms = store[i]->n[NGX_HTTP_IM_STAT_TIME];

        ngx_http_im_prometheus_store(w, "im_store_round_trip_seconds_sum",
                                     store[i]);
        ngx_http_im_sum_put(w, "} %uL.%03uL\n", ms / 1000, ms % 1000);

        ngx_http_im_prometheus_store(w, "im_store_round_trip_seconds_count",
                                     store[i]);
        ngx_http_im_sum_put(w, "} %uL\n", n);
    }
}


static void
ngx_http_im_prometheus_cache(ngx_http_im_sum_t *report)
{
    ngx_http_im_writer_t        *w;
    ngx_http_im_cache_counts_t  *cache;

    w = report->w;

    if (!report->cached) {
        return;
    }

    cache = &report->cache;

    ngx_http_im_prometheus_single(w, "im_profile_cache_hits_total",
                                  "counter", "Profiles that the cache had.",
                                  cache->hits);

    ngx_http_im_prometheus_single(w, "im_profile_cache_misses_total",
                                  "counter", "Profiles that it had not.",
                                  cache->misses);

    ngx_http_im_prometheus_single(w, "im_profile_cache_evictions_total",
                                  "counter",
                                  "Entries that made room for others.",
                                  cache->evictions);
}


static void
ngx_http_im_prometheus_label(ngx_http_im_writer_t *w, ngx_str_t *value)
{
    u_char  *p, *last;

    last = value->data + value->len;

    for (p = value->data; p < last; p++) {

        if (*p == '\n') {
            ngx_http_im_write_lit(w, "\\n");
            continue;
        }

        if (*p == '"' || *p == '\\') {
            ngx_http_im_write_lit(w, "\\");
        }

        ngx_http_im_write_bytes(w, p, 1);
    }
}
