
#include "ngx_http_im_status.h"
#include "ngx_http_im_json.h"
#include "ngx_http_im_prometheus.h"
#include "ngx_http_im_sum.h"
#include "ngx_http_im_response.h"
#include "ngx_http_im_route.h"


#define NGX_HTTP_IM_STATUS_ZONE     (4 * 1024 * 1024)
#define NGX_HTTP_IM_STATUS_BUFFER   8192


static ngx_uint_t ngx_http_im_status_format_get(ngx_http_request_t *r);
static ngx_uint_t ngx_http_im_status_accept_parse(ngx_http_request_t *r);
static ngx_int_t ngx_http_im_status_write(ngx_http_request_t *r,
    ngx_http_im_writer_t *w, ngx_uint_t format);


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

    if (lcf->pass || lcf->health) {
        return "cannot stand beside im_pass or im_health; give it a location "
               "of its own";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 1) {
        lcf->status = NGX_HTTP_IM_STATUS_ANY;

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
 * The size does not depend on the configuration: a zone of another size would
 * start empty after a reload.  It is enough for a thousand workers; pages that
 * are not used take no memory.
 */

ngx_int_t
ngx_http_im_status_zone_add(ngx_conf_t *cf, ngx_http_im_main_conf_t *imcf,
    void *tag)
{
    ngx_str_t                   name = ngx_string("im_status");
    ngx_uint_t                  i;
    ngx_http_im_redis_conf_t  **store;

    if (imcf->passes.nelts == 0 && !imcf->status && !imcf->has_health) {
        return NGX_OK;
    }

    imcf->stat_zone = ngx_http_im_stat_zone_add(cf, &name,
                                             NGX_HTTP_IM_STATUS_ZONE, tag);

    imcf->stat = ngx_http_im_stat_create(cf->pool, NULL,
                        ngx_http_im_stat_cell(ngx_http_im_route_calls(), 0));

    if (imcf->stat_zone == NULL || imcf->stat == NULL) {
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im status zone calls:%ui stores:%ui",
                   ngx_http_im_route_calls(), imcf->stores.nelts);

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
    ngx_http_im_stat_zone_t    *zone;
    ngx_http_im_redis_conf_t  **store;

    if (imcf->stat_zone == NULL) {
        return;
    }

    zone = imcf->stat_zone->data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                   "im status attach worker:%ui generation:%ui stores:%ui",
                   ngx_worker, zone->generation, imcf->stores.nelts);

    ngx_http_im_stat_start(zone);

    imcf->stat = ngx_http_im_stat_attach(zone, imcf->stat, log);

    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        store[i]->stat = ngx_http_im_stat_attach(zone, store[i]->stat, log);
    }
}


void
ngx_http_im_status_detach(ngx_http_im_main_conf_t *imcf)
{
    ngx_uint_t                  i;
    ngx_http_im_stat_zone_t    *zone;
    ngx_http_im_redis_conf_t  **store;

    if (imcf->stat_zone == NULL) {
        return;
    }

    zone = imcf->stat_zone->data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im status detach worker:%ui generation:%ui",
                   ngx_worker, zone->generation);

    ngx_http_im_stat_detach(zone, imcf->stat);

    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        ngx_http_im_stat_detach(zone, store[i]->stat);
    }
}


ngx_int_t
ngx_http_im_status_handler(ngx_http_request_t *r)
{
    off_t                 length;
    ngx_int_t             rc;
    ngx_str_t             type, methods = ngx_string("GET, HEAD");
    ngx_uint_t            format;
    ngx_http_im_writer_t  w;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return (ngx_http_im_response_set(r, "Allow", &methods) == NGX_OK)
               ? NGX_HTTP_NOT_ALLOWED
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    format = ngx_http_im_status_format_get(r);

    if (format == NGX_HTTP_IM_STATUS_PROMETHEUS) {
        ngx_str_set(&type, "text/plain; version=0.0.4; charset=utf-8");

    } else {
        ngx_str_set(&type, "application/json");
    }

    ngx_http_im_writer_init(&w, r->pool, NGX_HTTP_IM_STATUS_BUFFER);

    if (ngx_http_im_status_write(r, &w, format) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    length = ngx_http_im_writer_close(&w);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im status format:\"%V\" length:%O", &type, length);

    if (length == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_im_response_send(r, NGX_HTTP_OK, &type, w.first, length);
}


static ngx_uint_t
ngx_http_im_status_format_get(ngx_http_request_t *r)
{
    ngx_str_t                value;
    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    if (lcf->status != NGX_HTTP_IM_STATUS_ANY) {
        return lcf->status;
    }

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) != NGX_OK) {
        return ngx_http_im_status_accept_parse(r);
    }

    return (value.len == 10 && ngx_strncmp(value.data, "prometheus", 10) == 0)
           ? NGX_HTTP_IM_STATUS_PROMETHEUS
           : NGX_HTTP_IM_STATUS_JSON;
}


/*
 * Prometheus names openmetrics and text/plain in Accept.  A client that names
 * application/json gets JSON, whatever else it names.
 */

static ngx_uint_t
ngx_http_im_status_accept_parse(ngx_http_request_t *r)
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
ngx_http_im_status_write(ngx_http_request_t *r, ngx_http_im_writer_t *w,
    ngx_uint_t format)
{
    ngx_http_im_sum_t         sum;
    ngx_http_im_main_conf_t  *imcf;
    ngx_http_im_cache_stat_t  cache;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    if (ngx_http_im_sum_init(&sum, r->pool, imcf->stat_zone->data) != NGX_OK) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "im status: counters not read, no memory");
        return NGX_ERROR;
    }

    if (imcf->cache) {
        ngx_http_im_cache_stat_get(imcf->cache->data, &cache);
        sum.cache = &cache;
    }

    if (format == NGX_HTTP_IM_STATUS_PROMETHEUS) {
        ngx_http_im_prometheus_write(w, &sum);

    } else {
        ngx_http_im_json_write(w, &sum);
    }

    return NGX_OK;
}
