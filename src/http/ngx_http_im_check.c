
#include "ngx_http_im_check.h"
#include "ngx_http_im_call.h"


char *
ngx_http_im_check_prefix(ngx_conf_t *cf, void *post, void *data)
{
    u_char     *p, *last;
    ngx_str_t  *prefix = data;

    last = prefix->data + prefix->len;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im check prefix \"%V\"", prefix);

    for (p = prefix->data; p < last; p++) {
        if (*p == '{' || *p == '}' || *p <= ' ' || *p == 0x7f) {
            return "must have no braces, spaces or control characters: the "
                   "braces in a key decide its slot in a cluster";
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_im_check_positive(ngx_conf_t *cf, void *post, void *data)
{
    ngx_int_t  *n = data;

    return (*n > 0 && *n <= 10000) ? NGX_CONF_OK
                                   : "must be between 1 and 10000";
}


char *
ngx_http_im_check_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *size = data;

    return (*size > 0 && *size <= 1024 * 1024) ? NGX_CONF_OK
                                   : "must be between 1 and 1m: a body is "
                                     "parsed at once, while others wait";
}


char *
ngx_http_im_check_import_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *size = data;

    return (*size > 0 && *size <= 16 * 1024 * 1024) ? NGX_CONF_OK
                                   : "must be between 1 and 16m: a batch is "
                                     "parsed at once, while others wait";
}


char *
ngx_http_im_check_recall_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    ngx_str_t   *value;
    ngx_msec_t  *window;

    window = (ngx_msec_t *) (p + cmd->offset);
    value = cf->args->elts;

    if (*window == NGX_CONF_UNSET_MSEC
        && ngx_strcmp(value[1].data, "off") == 0)
    {
        *window = NGX_HTTP_IM_RECALL_OFF;
        return NGX_CONF_OK;
    }

    return ngx_conf_set_msec_slot(cf, cmd, conf);
}
