
#include "ngx_http_im_status.h"
#include "ngx_http_im_prometheus.h"
#include "ngx_http_im_sum.h"
#include "ngx_http_im_response.h"


#define NGX_HTTP_IM_STATUS_ZONE   (4 * 1024 * 1024)


static ngx_uint_t ngx_http_im_status_format(ngx_http_request_t *r);
static ngx_uint_t ngx_http_im_status_accept(ngx_http_request_t *r);
static ngx_int_t ngx_http_im_status_gather(ngx_http_request_t *r,
    ngx_http_im_sum_t *report);


char *
ngx_http_im_status_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_loc_conf_t  *lcf = conf;

    ngx_str_t                 *value;
    ngx_http_im_main_conf_t   *imcf;
    ngx_http_core_loc_conf_t  *clcf;

    if (lcf->status) {
        return "is duplicate";
    }

    if (lcf->pass) {
        return "cannot stand beside im_pass; give it a location of its own";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 1) {
        lcf->status = NGX_HTTP_IM_STATUS_ASKED;

    } else if (ngx_strcmp(value[1].data, "json") == 0) {
        lcf->status = NGX_HTTP_IM_STATUS_JSON;

    } else if (ngx_strcmp(value[1].data, "prometheus") == 0) {
        lcf->status = NGX_HTTP_IM_STATUS_PROMETHEUS;

    } else {
        return "takes \"json\", \"prometheus\" or nothing: then the request "
               "says which";
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);
    imcf->status = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_im_status_handler;

    return NGX_CONF_OK;
}


/*
 * The size must not follow from the configuration: what was counted would be
 * lost when it changes.  There is room for a thousand workers, and memory
 * that is not used is not taken.
 */

ngx_int_t
ngx_http_im_status_zone(ngx_conf_t *cf, ngx_http_im_main_conf_t *imcf,
    void *tag)
{
    ngx_str_t                   name = ngx_string("im_status");
    ngx_uint_t                  i;
    ngx_http_im_redis_conf_t  **store;

    if (imcf->passes.nelts == 0 && !imcf->status) {
        return NGX_OK;
    }

    imcf->counts = ngx_http_im_stat_zone_add(cf, &name, NGX_HTTP_IM_STATUS_ZONE,
                                             tag);

    imcf->count = ngx_http_im_stat_create(cf->pool, NULL,
                        ngx_http_im_stat_cell(ngx_http_im_route_calls(), 0));

    if (imcf->counts == NULL || imcf->count == NULL) {
        return NGX_ERROR;
    }

    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        store[i]->stat = ngx_http_im_stat_create(cf->pool, &store[i]->name,
                                                  NGX_HTTP_IM_STAT_STORE);
        if (store[i]->stat == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_im_status_attach(ngx_http_im_main_conf_t *imcf, ngx_log_t *log)
{
    ngx_uint_t                  i;
    ngx_http_im_stat_zone_t    *counts;
    ngx_http_im_redis_conf_t  **store;

    if (imcf->counts == NULL) {
        return;
    }

    counts = imcf->counts->data;

    ngx_http_im_stat_start(counts);

    imcf->count = ngx_http_im_stat_attach(counts, imcf->count, log);

    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        store[i]->stat = ngx_http_im_stat_attach(counts, store[i]->stat,
                                                  log);
    }
}


void
ngx_http_im_status_detach(ngx_http_im_main_conf_t *imcf)
{
    ngx_uint_t                  i;
    ngx_http_im_stat_zone_t    *counts;
    ngx_http_im_redis_conf_t  **store;

    if (imcf->counts == NULL) {
        return;
    }

    counts = imcf->counts->data;

    ngx_http_im_stat_detach(counts, imcf->count);

    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        ngx_http_im_stat_detach(counts, store[i]->stat);
    }
}


ngx_int_t
ngx_http_im_status_handler(ngx_http_request_t *r)
{
    off_t                 length;
    ngx_int_t             rc;
    ngx_str_t             type, methods = ngx_string("GET, HEAD");
    ngx_http_im_writer_t  w;
    ngx_http_im_sum_t     report;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return (ngx_http_im_response_set(r, "Allow", &methods) == NGX_OK)
               ? NGX_HTTP_NOT_ALLOWED
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_im_writer_init(&w, r->pool, 8192);
    report.w = &w;

    if (ngx_http_im_status_gather(r, &report) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_im_status_format(r) == NGX_HTTP_IM_STATUS_PROMETHEUS) {
        ngx_str_set(&type, "text/plain; version=0.0.4; charset=utf-8");
        ngx_http_im_prometheus(&report);

    } else {
        ngx_str_set(&type, "application/json");

        if (ngx_http_im_sum_json(&report) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    length = ngx_http_im_writer_close(&w);

    if (length == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_im_response_send(r, NGX_HTTP_OK, &type, w.first, length);
}


static ngx_uint_t
ngx_http_im_status_format(ngx_http_request_t *r)
{
    ngx_str_t                value;
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    if (lcf->status != NGX_HTTP_IM_STATUS_ASKED) {
        return lcf->status;
    }

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) != NGX_OK) {
        return ngx_http_im_status_accept(r);
    }

    return (value.len == 10 && ngx_strncmp(value.data, "prometheus", 10) == 0)
           ? NGX_HTTP_IM_STATUS_PROMETHEUS
           : NGX_HTTP_IM_STATUS_JSON;
}


/*
 * Prometheus accepts openmetrics and text/plain by name; who accepts JSON by
 * name wants that, whatever else.
 */

static ngx_uint_t
ngx_http_im_status_accept(ngx_http_request_t *r)
{
    ngx_uint_t        i, format;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    format = NGX_HTTP_IM_STATUS_JSON;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return format;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len != 6
            || ngx_strncasecmp(h[i].key.data, (u_char *) "Accept", 6) != 0)
        {
            continue;
        }

        if (ngx_strcasestrn(h[i].value.data, "application/json", 16 - 1)) {
            return NGX_HTTP_IM_STATUS_JSON;
        }

        if (ngx_strcasestrn(h[i].value.data, "openmetrics", 11 - 1)
            || ngx_strcasestrn(h[i].value.data, "text/plain", 10 - 1))
        {
            format = NGX_HTTP_IM_STATUS_PROMETHEUS;
        }
    }
}


static ngx_int_t
ngx_http_im_status_gather(ngx_http_request_t *r, ngx_http_im_sum_t *report)
{
    ngx_http_im_stat_zone_t  *counts;
    ngx_http_im_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);
    counts = imcf->counts->data;

    if (ngx_array_init(&report->blocks, r->pool, 16,
                       sizeof(ngx_http_im_stat_t *))
        != NGX_OK
        || ngx_http_im_stat_read(counts, &report->blocks) != NGX_OK)
    {
        return NGX_ERROR;
    }

    report->pool = r->pool;
    report->since = ngx_http_im_stat_since(counts);
    report->generation = counts->generation;
    report->cached = (imcf->cache != NULL);

    if (imcf->cache) {
        ngx_http_im_cache_read(imcf->cache->data, &report->cache);
    }

    return ngx_http_im_sum_init(report);
}
