
#include "ngx_http_im_prometheus.h"
#include "ngx_http_im_route.h"


static void ngx_http_im_prometheus_workers(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum);
static void ngx_http_im_prometheus_requests(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum);
static ngx_uint_t ngx_http_im_prometheus_shown(ngx_uint_t call,
    ngx_uint_t code, uint64_t n);
static void ngx_http_im_prometheus_in_flight(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum);
static void ngx_http_im_prometheus_counter(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum, const ngx_http_im_sum_counter_t *row);
static void ngx_http_im_prometheus_gauge(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum, const ngx_http_im_sum_counter_t *row);
static void ngx_http_im_prometheus_round_trips(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum);
static void ngx_http_im_prometheus_histogram(ngx_http_im_writer_t *w,
    const char *name, ngx_http_im_stat_t *store);
static void ngx_http_im_prometheus_cache(ngx_http_im_writer_t *w,
    ngx_http_im_cache_stat_t *cache);
static void ngx_http_im_prometheus_single(ngx_http_im_writer_t *w,
    const char *name, const char *type, const char *help, uint64_t n);
static void ngx_http_im_prometheus_family(ngx_http_im_writer_t *w,
    const char *name, const char *type, const char *help);
static void ngx_http_im_prometheus_store(ngx_http_im_writer_t *w,
    const char *name, const char *suffix, ngx_http_im_stat_t *store);
static void ngx_http_im_prometheus_value(ngx_http_im_writer_t *w, uint64_t n);
static void ngx_http_im_prometheus_label(ngx_http_im_writer_t *w,
    ngx_str_t *value);
static void ngx_http_im_prometheus_text(ngx_http_im_writer_t *w,
    const char *text);


void
ngx_http_im_prometheus_write(ngx_http_im_writer_t *w, ngx_http_im_sum_t *sum)
{
    const ngx_http_im_sum_counter_t  *row;

    ngx_http_im_prometheus_single(w, "im_start_time_seconds", "gauge",
                                  "When counting began, since the epoch.",
                                  sum->since);

    ngx_http_im_prometheus_workers(w, sum);
    ngx_http_im_prometheus_requests(w, sum);
    ngx_http_im_prometheus_in_flight(w, sum);

    for (row = ngx_http_im_sum_counters_get(); row->name.len; row++) {

        if (row->stat < NGX_HTTP_IM_STAT_GAUGES) {
            ngx_http_im_prometheus_gauge(w, sum, row);

        } else {
            ngx_http_im_prometheus_counter(w, sum, row);
        }
    }

    ngx_http_im_prometheus_round_trips(w, sum);

    if (sum->cache) {
        ngx_http_im_prometheus_cache(w, sum->cache);
    }
}


static void
ngx_http_im_prometheus_workers(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum)
{
    ngx_uint_t            i, leaving;
    ngx_http_im_stat_t  **worker;

    worker = sum->workers.elts;

    for (leaving = 0, i = 0; i < sum->workers.nelts; i++) {
        leaving += (worker[i]->generation < sum->generation);
    }

    ngx_http_im_prometheus_single(w, "im_workers", "gauge",
                                  "Workers of the present configuration.",
                                  sum->workers.nelts - leaving);

    ngx_http_im_prometheus_single(w, "im_workers_leaving", "gauge",
                                  "Workers of earlier configurations.",
                                  leaving);
}


static void
ngx_http_im_prometheus_requests(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum)
{
    uint64_t          n;
    ngx_uint_t        call, code;
    const ngx_str_t  *name;

    ngx_http_im_prometheus_family(w, "im_requests_total", "counter",
                                  "Requests by call and code of the answer.");

    for (call = 0; call < ngx_http_im_route_calls(); call++) {
        name = ngx_http_im_sum_call_name(call);

        for (code = 0; name && code <= NGX_HTTP_IM_STAT_ABORTED; code++) {
            n = sum->calls->n[ngx_http_im_stat_cell(call, code)];

            if (!ngx_http_im_prometheus_shown(call, code, n)) {
                continue;
            }

            ngx_http_im_write_lit(w, "im_requests_total{call=\"");
            ngx_http_im_write_raw(w, name);
            ngx_http_im_write_lit(w, "\",code=\"");
            ngx_http_im_write_raw(w, ngx_http_im_sum_code_name(code));
            ngx_http_im_write_lit(w, "\"");
            ngx_http_im_prometheus_value(w, n);
        }
    }
}


/*
 * Prometheus does not see the increase of a series that starts at 1, so what
 * success rates and alarms are made of is there from the start: "ok" and the
 * 5xx of each call.  Other codes are shown once they have happened.
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
ngx_http_im_prometheus_in_flight(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum)
{
    uint64_t              n;
    ngx_uint_t            i;
    ngx_http_im_stat_t  **worker;

    ngx_http_im_prometheus_family(w, "im_requests_in_flight", "gauge",
                                  "Requests whose call is under way.");

    worker = sum->workers.elts;

    for (n = 0, i = 0; i < sum->workers.nelts; i++) {
        n += worker[i]->n[NGX_HTTP_IM_STAT_IN_FLIGHT];

        /* workers of the same number, of two configurations, are one sample */

        if (i + 1 < sum->workers.nelts
            && worker[i + 1]->worker == worker[i]->worker)
        {
            continue;
        }

        ngx_http_im_write_lit(w, "im_requests_in_flight{worker=\"");
        ngx_http_im_write_uint64(w, worker[i]->worker);
        ngx_http_im_write_lit(w, "\"");
        ngx_http_im_prometheus_value(w, n);

        n = 0;
    }
}


static void
ngx_http_im_prometheus_counter(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum, const ngx_http_im_sum_counter_t *row)
{
    ngx_uint_t            i;
    ngx_http_im_stat_t  **store;

    ngx_http_im_prometheus_family(w, row->metric, "counter", row->help);

    store = sum->stores.elts;

    for (i = 0; i < sum->stores.nelts; i++) {
        ngx_http_im_prometheus_store(w, row->metric, "", store[i]);
        ngx_http_im_prometheus_value(w, store[i]->n[row->stat]);
    }
}


static void
ngx_http_im_prometheus_gauge(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum, const ngx_http_im_sum_counter_t *row)
{
    uint64_t             *gauges;
    ngx_uint_t            i, k;
    ngx_http_im_stat_t  **store;

    ngx_http_im_prometheus_family(w, row->metric, "gauge", row->help);

    store = sum->stores.elts;

    for (i = 0; i < sum->stores.nelts; i++) {

        for (k = 0; k < sum->numbers; k++) {
            gauges = ngx_http_im_sum_gauges_get(sum, i, k);

            if (gauges == NULL) {
                continue;
            }

            ngx_http_im_prometheus_store(w, row->metric, "", store[i]);
            ngx_http_im_write_lit(w, ",worker=\"");
            ngx_http_im_write_uint64(w, k);
            ngx_http_im_write_lit(w, "\"");
            ngx_http_im_prometheus_value(w, gauges[row->stat]);
        }
    }
}


static void
ngx_http_im_prometheus_round_trips(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum)
{
    ngx_uint_t            i;
    ngx_http_im_stat_t  **store;

    ngx_http_im_prometheus_family(w, "im_store_round_trip_seconds",
                                  "histogram",
                                  "From asking the store to the last reply.");

    store = sum->stores.elts;

    for (i = 0; i < sum->stores.nelts; i++) {
        ngx_http_im_prometheus_histogram(w, "im_store_round_trip_seconds",
                                         store[i]);
    }
}


static void
ngx_http_im_prometheus_histogram(ngx_http_im_writer_t *w, const char *name,
    ngx_http_im_stat_t *store)
{
    uint64_t    n;
    ngx_uint_t  i;

    for (n = 0, i = 0; i < NGX_HTTP_IM_STAT_BUCKETS; i++) {
        n += store->n[NGX_HTTP_IM_STAT_ROUNDS + i];

        ngx_http_im_prometheus_store(w, name, "_bucket", store);
        ngx_http_im_write_lit(w, ",le=\"");
        ngx_http_im_write_raw(w, ngx_http_im_stat_bound(i));
        ngx_http_im_write_lit(w, "\"");
        ngx_http_im_prometheus_value(w, n);
    }

    ngx_http_im_prometheus_store(w, name, "_sum", store);
    ngx_http_im_write_lit(w, "} ");
    ngx_http_im_write_seconds(w, store->n[NGX_HTTP_IM_STAT_TIME]);
    ngx_http_im_write_lit(w, "\n");

    ngx_http_im_prometheus_store(w, name, "_count", store);
    ngx_http_im_prometheus_value(w, n);
}


static void
ngx_http_im_prometheus_cache(ngx_http_im_writer_t *w,
    ngx_http_im_cache_stat_t *cache)
{
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


/* a family of one sample without labels */

static void
ngx_http_im_prometheus_single(ngx_http_im_writer_t *w, const char *name,
    const char *type, const char *help, uint64_t n)
{
    ngx_http_im_prometheus_family(w, name, type, help);

    ngx_http_im_prometheus_text(w, name);
    ngx_http_im_write_lit(w, " ");
    ngx_http_im_write_uint64(w, n);
    ngx_http_im_write_lit(w, "\n");
}


static void
ngx_http_im_prometheus_family(ngx_http_im_writer_t *w, const char *name,
    const char *type, const char *help)
{
    ngx_http_im_write_lit(w, "# HELP ");
    ngx_http_im_prometheus_text(w, name);
    ngx_http_im_write_lit(w, " ");
    ngx_http_im_prometheus_text(w, help);

    ngx_http_im_write_lit(w, "\n# TYPE ");
    ngx_http_im_prometheus_text(w, name);
    ngx_http_im_write_lit(w, " ");
    ngx_http_im_prometheus_text(w, type);
    ngx_http_im_write_lit(w, "\n");
}


/* a sample up to its label "store": other labels or the value may follow */

static void
ngx_http_im_prometheus_store(ngx_http_im_writer_t *w, const char *name,
    const char *suffix, ngx_http_im_stat_t *store)
{
    ngx_http_im_prometheus_text(w, name);
    ngx_http_im_prometheus_text(w, suffix);
    ngx_http_im_write_lit(w, "{store=\"");
    ngx_http_im_prometheus_label(w, &store->name);
    ngx_http_im_write_lit(w, "\"");
}


/* after the last label */

static void
ngx_http_im_prometheus_value(ngx_http_im_writer_t *w, uint64_t n)
{
    ngx_http_im_write_lit(w, "} ");
    ngx_http_im_write_uint64(w, n);
    ngx_http_im_write_lit(w, "\n");
}


/* escapes what the format requires: \ " and line feeds */

static void
ngx_http_im_prometheus_label(ngx_http_im_writer_t *w, ngx_str_t *value)
{
    u_char  *p, *last, *start;

    start = value->data;
    last = value->data + value->len;

    for (p = start; p < last; p++) {

        if (*p != '"' && *p != '\\' && *p != LF) {
            continue;
        }

        ngx_http_im_write_bytes(w, start, p - start);
        ngx_http_im_write_lit(w, "\\");
        start = p;

        if (*p == LF) {
            ngx_http_im_write_lit(w, "n");
            start++;
        }
    }

    ngx_http_im_write_bytes(w, start, last - start);
}


static void
ngx_http_im_prometheus_text(ngx_http_im_writer_t *w, const char *text)
{
    ngx_http_im_write_bytes(w, text, ngx_strlen(text));
}
