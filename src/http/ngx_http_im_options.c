
#include "ngx_http_im_options.h"


void
ngx_http_im_options_init(ngx_http_im_options_t *options)
{
    options->max_body_size = NGX_CONF_UNSET_SIZE;
    options->max_message_size = NGX_CONF_UNSET_SIZE;
    options->list_max = NGX_CONF_UNSET_UINT;
    options->page_size_max = NGX_CONF_UNSET_UINT;
    options->group_max_members = NGX_CONF_UNSET_UINT;
    options->group_add = NGX_CONF_UNSET_UINT;
    options->groups_max = NGX_CONF_UNSET_UINT;
    options->idempotency_window = NGX_CONF_UNSET_MSEC;
    options->recall_window = NGX_CONF_UNSET_MSEC;
    options->read_on_fetch = NGX_CONF_UNSET;
    options->reply_full = NGX_CONF_UNSET_UINT;
}


char *
ngx_http_im_options_merge(ngx_conf_t *cf, ngx_http_im_options_t *prev,
    ngx_http_im_options_t *conf)
{
    ngx_conf_merge_str_value(conf->key_prefix, prev->key_prefix, "im:");
    ngx_conf_merge_size_value(conf->max_body_size, prev->max_body_size,
                              262144);
    ngx_conf_merge_size_value(conf->max_message_size, prev->max_message_size,
                              32768);
    ngx_conf_merge_uint_value(conf->list_max, prev->list_max, 500);
    ngx_conf_merge_uint_value(conf->page_size_max, prev->page_size_max, 200);
    ngx_conf_merge_uint_value(conf->group_max_members,
                              prev->group_max_members, 500);
    ngx_conf_merge_uint_value(conf->group_add, prev->group_add,
                              NGX_HTTP_IM_GROUP_ADD_MEMBER);
    ngx_conf_merge_uint_value(conf->groups_max, prev->groups_max, 1000);
    ngx_conf_merge_msec_value(conf->idempotency_window,
                              prev->idempotency_window, 86400000);
    ngx_conf_merge_msec_value(conf->recall_window, prev->recall_window,
                              120000);
    ngx_conf_merge_value(conf->read_on_fetch, prev->read_on_fetch, 1);
    ngx_conf_merge_uint_value(conf->reply_full, prev->reply_full, 0);

    if (conf->max_message_size > conf->max_body_size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "im_max_message_size %uz is more than "
                           "im_max_body_size %uz lets in; raise "
                           "im_max_body_size",
                           conf->max_message_size, conf->max_body_size);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_im_redis_conf_fits(cf, conf->page_size_max,
                                    conf->max_message_size, conf->list_max,
                                    conf->group_max_members) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im options prefix:\"%V\" body:%uz message:%uz",
                   &conf->key_prefix, conf->max_body_size,
                   conf->max_message_size);

    return NGX_CONF_OK;
}
