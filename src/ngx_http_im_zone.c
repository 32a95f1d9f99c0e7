
#include "ngx_http_im_zone.h"


char *
ngx_http_im_zone_parse(ngx_str_t *value, char *usage, ngx_str_t *name,
    size_t *size)
{
    u_char     *colon, *last;
    ssize_t     n;
    ngx_str_t   text;

    last = value->data + value->len;
    colon = ngx_strlchr(value->data, last, ':');

    if (ngx_strncmp(value->data, "zone=", 5) != 0 || colon == NULL) {
        return usage;
    }

    name->data = value->data + 5;
    name->len = colon - name->data;
    text.data = colon + 1;
    text.len = last - text.data;

    n = ngx_parse_size(&text);

    if (name->len == 0 || n < (ssize_t) (8 * ngx_pagesize)) {
        return "needs a name and a size of at least 32k";
    }

    *size = n;

    return NGX_CONF_OK;
}


ngx_shm_zone_t *
ngx_http_im_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag,
    ngx_shm_zone_init_pt init, void *data)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, name, size, tag);
    if (zone == NULL) {
        return NULL;
    }

    if (zone->init) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the zone \"%V\" is used for something else", name);
        return NULL;
    }

    zone->init = init;
    zone->data = data;

    return zone;
}
