
#include "ngx_http_im_json.h"
#include "ngx_http_im_route.h"


static void ngx_http_im_json_cache(ngx_http_im_writer_t *w,
    ngx_http_im_cache_stat_t *cache);
static void ngx_http_im_json_worker(ngx_http_im_writer_t *w,
    ngx_http_im_sum_t *sum, ngx_http_im_stat_t *worker);
static void ngx_http_im_json_calls(ngx_http_im_writer_t *w,
    ngx_http_im_stat_t *stat);
static void ngx_http_im_json_codes(ngx_http_im_writer_t *w,
    const ngx_str_t *name, uint64_t *codes);
static void ngx_http_im_json_stores(ngx_http_im_writer_t *w,
    ngx_array_t *blocks, ngx_pid_t pid);
static void ngx_http_im_json_store(ngx_http_im_writer_t *w,
    ngx_http_im_stat_t *stat);
static void ngx_http_im_json_round_trips(ngx_http_im_writer_t *w,
    ngx_http_im_stat_t *stat);


void
ngx_http_im_json_write(ngx_http_im_writer_t *w, ngx_http_im_sum_t *sum)
{
    ngx_uint_t            i;
    ngx_http_im_stat_t  **worker;

    ngx_http_im_write_object_open(w);

    ngx_http_im_write_name_lit(w, "since");
    ngx_http_im_write_int(w, sum->since);
    ngx_http_im_write_name_lit(w, "generation");
    ngx_http_im_write_uint64(w, sum->generation);

    ngx_http_im_write_name_lit(w, "total");
    ngx_http_im_write_object_open(w);
    ngx_http_im_json_calls(w, sum->calls);
    ngx_http_im_json_stores(w, &sum->stores, 0);
    ngx_http_im_write_object_close(w);

    ngx_http_im_write_name_lit(w, "profile_cache");
    ngx_http_im_json_cache(w, sum->cache);

    ngx_http_im_write_name_lit(w, "workers");
    ngx_http_im_write_array_open(w);

    worker = sum->workers.elts;

    for (i = 0; i < sum->workers.nelts; i++) {
        ngx_http_im_json_worker(w, sum, worker[i]);
    }

    ngx_http_im_write_array_close(w);

    ngx_http_im_write_object_close(w);
    ngx_http_im_write_lit(w, "\n");
}


static void
ngx_http_im_json_cache(ngx_http_im_writer_t *w,
    ngx_http_im_cache_stat_t *cache)
{
    if (cache == NULL) {
        ngx_http_im_write_lit(w, "null");
        return;
    }

    ngx_http_im_write_object_open(w);

    ngx_http_im_write_name_lit(w, "hits");
    ngx_http_im_write_uint64(w, cache->hits);
    ngx_http_im_write_name_lit(w, "misses");
    ngx_http_im_write_uint64(w, cache->misses);
    ngx_http_im_write_name_lit(w, "evictions");
    ngx_http_im_write_uint64(w, cache->evictions);

    ngx_http_im_write_object_close(w);
}


static void
ngx_http_im_json_worker(ngx_http_im_writer_t *w, ngx_http_im_sum_t *sum,
    ngx_http_im_stat_t *worker)
{
    ngx_http_im_write_object_open(w);

    ngx_http_im_write_name_lit(w, "worker");
    ngx_http_im_write_uint64(w, worker->worker);
    ngx_http_im_write_name_lit(w, "pid");
    ngx_http_im_write_int(w, worker->pid);
    ngx_http_im_write_name_lit(w, "generation");
    ngx_http_im_write_uint64(w, worker->generation);
    ngx_http_im_write_name_lit(w, "started");
    ngx_http_im_write_int(w, worker->started);

    ngx_http_im_json_calls(w, worker);
    ngx_http_im_json_stores(w, &sum->blocks, worker->pid);

    ngx_http_im_write_object_close(w);
}


static void
ngx_http_im_json_calls(ngx_http_im_writer_t *w, ngx_http_im_stat_t *stat)
{
    ngx_uint_t        call;
    const ngx_str_t  *name;

    ngx_http_im_write_name_lit(w, "in_flight");
    ngx_http_im_write_uint64(w, stat->n[NGX_HTTP_IM_STAT_IN_FLIGHT]);

    ngx_http_im_write_name_lit(w, "requests");
    ngx_http_im_write_object_open(w);

    for (call = 0; call < ngx_http_im_route_calls(); call++) {
        name = ngx_http_im_sum_call_name(call);

        if (name) {
            ngx_http_im_json_codes(w, name,
                                   &stat->n[ngx_http_im_stat_cell(call, 0)]);
        }
    }

    ngx_http_im_write_object_close(w);
}


/* zeros are left out, and so is a call with nothing else */

static void
ngx_http_im_json_codes(ngx_http_im_writer_t *w, const ngx_str_t *name,
    uint64_t *codes)
{
    ngx_uint_t  code, opened;

    opened = 0;

    for (code = 0; code <= NGX_HTTP_IM_STAT_ABORTED; code++) {

        if (codes[code] == 0) {
            continue;
        }

        if (!opened) {
            ngx_http_im_write_name(w, name);
            ngx_http_im_write_object_open(w);
            opened = 1;
        }

        ngx_http_im_write_name(w, ngx_http_im_sum_code_name(code));
        ngx_http_im_write_uint64(w, codes[code]);
    }

    if (opened) {
        ngx_http_im_write_object_close(w);
    }
}


/* those of a worker by its pid, totals by 0 */

static void
ngx_http_im_json_stores(ngx_http_im_writer_t *w, ngx_array_t *blocks,
    ngx_pid_t pid)
{
    ngx_uint_t            i;
    ngx_http_im_stat_t  **block;

    ngx_http_im_write_name_lit(w, "stores");
    ngx_http_im_write_object_open(w);

    block = blocks->elts;

    for (i = 0; i < blocks->nelts; i++) {
        if (block[i]->is_store && block[i]->pid == pid) {
            ngx_http_im_json_store(w, block[i]);
        }
    }

    ngx_http_im_write_object_close(w);
}


static void
ngx_http_im_json_store(ngx_http_im_writer_t *w, ngx_http_im_stat_t *stat)
{
    const ngx_http_im_sum_counter_t  *row;

    ngx_http_im_write_name(w, &stat->name);
    ngx_http_im_write_object_open(w);

    for (row = ngx_http_im_sum_counters_get(); row->name.len; row++) {
        ngx_http_im_write_name(w, &row->name);
        ngx_http_im_write_uint64(w, stat->n[row->stat]);
    }

    ngx_http_im_json_round_trips(w, stat);

    ngx_http_im_write_object_close(w);
}


/* a bucket has what is within its bound, so also what lower ones have */

static void
ngx_http_im_json_round_trips(ngx_http_im_writer_t *w,
    ngx_http_im_stat_t *stat)
{
    uint64_t    n;
    ngx_uint_t  i;

    ngx_http_im_write_name_lit(w, "round_trips");
    ngx_http_im_write_object_open(w);

    ngx_http_im_write_name_lit(w, "buckets");
    ngx_http_im_write_object_open(w);

    for (n = 0, i = 0; i < NGX_HTTP_IM_STAT_BUCKETS; i++) {
        n += stat->n[NGX_HTTP_IM_STAT_ROUNDS + i];

        ngx_http_im_write_name(w, ngx_http_im_stat_bound(i));
        ngx_http_im_write_uint64(w, n);
    }

    ngx_http_im_write_object_close(w);

    ngx_http_im_write_name_lit(w, "count");
    ngx_http_im_write_uint64(w, n);
    ngx_http_im_write_name_lit(w, "sum");
    ngx_http_im_write_seconds(w, stat->n[NGX_HTTP_IM_STAT_TIME]);

    ngx_http_im_write_object_close(w);
}
