
#include "ngx_http_im_channel.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_pass.h"
#include "ngx_http_im_stream_handler.h"


static char *ngx_http_im_stream_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_im_stream_check_positive(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_im_stream_check_msec(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_im_stream_check_buffer(ngx_conf_t *cf, void *post,
    void *data);
static void *ngx_http_im_stream_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_im_stream_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_im_stream_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_im_stream_inherit(ngx_conf_t *cf,
    ngx_http_im_stream_loc_conf_t *prev, ngx_http_im_stream_loc_conf_t *conf);
static char *ngx_http_im_stream_publish(ngx_conf_t *cf,
    ngx_http_im_stream_loc_conf_t *conf, ngx_http_im_loc_conf_t *lcf);
static char *ngx_http_im_stream_channel(ngx_conf_t *cf,
    ngx_http_im_stream_loc_conf_t *conf, ngx_http_im_loc_conf_t *lcf);
static ngx_int_t ngx_http_im_stream_init_process(ngx_cycle_t *cycle);
static void ngx_http_im_stream_exit_process(ngx_cycle_t *cycle);


static ngx_conf_post_t  ngx_http_im_stream_positive_post = {
    ngx_http_im_stream_check_positive
};
static ngx_conf_post_t  ngx_http_im_stream_msec_post = {
    ngx_http_im_stream_check_msec
};
static ngx_conf_post_t  ngx_http_im_stream_buffer_post = {
    ngx_http_im_stream_check_buffer
};


#define NGX_HTTP_IM_STREAM_ANY_CONF                                          \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_command_t  ngx_http_im_stream_commands[] = {

    { ngx_string("im_stream"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_im_stream_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_publish"),
      NGX_HTTP_IM_STREAM_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_stream_loc_conf_t, publish),
      NULL },

    { ngx_string("im_stream_max"),
      NGX_HTTP_IM_STREAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_stream_loc_conf_t, max),
      &ngx_http_im_stream_positive_post },

    { ngx_string("im_stream_replay_max"),
      NGX_HTTP_IM_STREAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_stream_loc_conf_t, replay_max),
      &ngx_http_im_stream_positive_post },

    { ngx_string("im_stream_ping"),
      NGX_HTTP_IM_STREAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_stream_loc_conf_t, ping),
      &ngx_http_im_stream_msec_post },

    { ngx_string("im_stream_drain"),
      NGX_HTTP_IM_STREAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_stream_loc_conf_t, drain),
      &ngx_http_im_stream_msec_post },

    { ngx_string("im_stream_max_time"),
      NGX_HTTP_IM_STREAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_stream_loc_conf_t, max_time),
      &ngx_http_im_stream_msec_post },

    { ngx_string("im_stream_buffer"),
      NGX_HTTP_IM_STREAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_stream_loc_conf_t, buffer),
      &ngx_http_im_stream_buffer_post },

    { ngx_string("im_stream_until"),
      NGX_HTTP_IM_STREAM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_stream_loc_conf_t, until),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_im_stream_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_im_stream_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_im_stream_create_loc_conf,    /* create location configuration */
    ngx_http_im_stream_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_im_stream_module = {
    NGX_MODULE_V1,
    &ngx_http_im_stream_module_ctx,        /* module context */
    ngx_http_im_stream_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_im_stream_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_im_stream_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_im_stream_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_stream_loc_conf_t  *slcf = conf;

    ngx_str_t                       *value;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_im_stream_main_conf_t  *smcf;

    if (slcf->pass) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "cannot stand beside another handler; give it a location of "
               "its own";
    }

    value = cf->args->elts;

    slcf->pass = ngx_http_im_pass_add(cf, &value[1], "im_stream");
    if (slcf->pass == NULL) {
        return NGX_CONF_ERROR;
    }

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_stream_module);
    smcf->streams = 1;

    clcf->handler = ngx_http_im_stream_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_im_stream_check_positive(ngx_conf_t *cf, void *post, void *data)
{
    ngx_uint_t  *n = data;

    return (*n > 0 && *n <= 1000) ? NGX_CONF_OK
                                  : "must be between 1 and 1000";
}


static char *
ngx_http_im_stream_check_msec(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *ms = data;

    /* nginx compares times that are less than 24 days apart */

    return (*ms > 0 && *ms <= 7 * 86400 * 1000) ? NGX_CONF_OK
                                        : "must be between 1ms and 7d";
}


static char *
ngx_http_im_stream_check_buffer(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *size = data;

    return (*size >= 1024 && *size <= 16 * 1024 * 1024) ? NGX_CONF_OK
                                        : "must be between 1k and 16m";
}


static void *
ngx_http_im_stream_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_im_stream_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_stream_main_conf_t));

    if (smcf == NULL
        || ngx_array_init(&smcf->channels, cf->pool, 1,
                          sizeof(ngx_http_im_channel_t *)) != NGX_OK)
    {
        return NULL;
    }

    return smcf;
}


static void *
ngx_http_im_stream_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_im_stream_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_stream_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->publish = NGX_CONF_UNSET;
    conf->max = NGX_CONF_UNSET_UINT;
    conf->replay_max = NGX_CONF_UNSET_UINT;
    conf->ping = NGX_CONF_UNSET_MSEC;
    conf->drain = NGX_CONF_UNSET_MSEC;
    conf->max_time = NGX_CONF_UNSET_MSEC;
    conf->buffer = NGX_CONF_UNSET_SIZE;
    conf->until = NGX_CONF_UNSET_PTR;

    return conf;
}


/* the other module has merged its directives of this location before */

static char *
ngx_http_im_stream_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_im_stream_loc_conf_t *prev = parent;
    ngx_http_im_stream_loc_conf_t *conf = child;

    ngx_http_im_loc_conf_t  *lcf;

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_im_module);

    if (conf->publish == NGX_CONF_UNSET) {
        conf->publish = prev->publish;
    }

    ngx_conf_merge_uint_value(conf->max, prev->max, 8);
    ngx_conf_merge_uint_value(conf->replay_max, prev->replay_max, 1000);
    ngx_conf_merge_msec_value(conf->ping, prev->ping, 25000);
    ngx_conf_merge_msec_value(conf->drain, prev->drain, 10000);
    ngx_conf_merge_msec_value(conf->max_time, prev->max_time, 3600000);
    ngx_conf_merge_size_value(conf->buffer, prev->buffer, 65536);
    ngx_conf_merge_ptr_value(conf->until, prev->until, NULL);

    ngx_http_im_stream_inherit(cf, prev, conf);

    if (conf->pass) {
        return ngx_http_im_stream_channel(cf, conf, lcf);
    }

    if (lcf->pass) {
        return ngx_http_im_stream_publish(cf, conf, lcf);
    }

    return NGX_CONF_OK;
}


/* an "if" or "limit_except" does what the location around it does */

static void
ngx_http_im_stream_inherit(ngx_conf_t *cf,
    ngx_http_im_stream_loc_conf_t *prev, ngx_http_im_stream_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if ((clcf->noname || clcf->lmt_excpt) && !conf->pass && prev->pass
        && (clcf->handler == NULL
            || clcf->handler == ngx_http_im_stream_handler))
    {
        conf->pass = prev->pass;
        clcf->handler = ngx_http_im_stream_handler;
    }
}


/* calls of this location publish what streams are to be told */

static char *
ngx_http_im_stream_publish(ngx_conf_t *cf,
    ngx_http_im_stream_loc_conf_t *conf, ngx_http_im_loc_conf_t *lcf)
{
    ngx_http_im_main_conf_t         *imcf;
    ngx_http_im_redis_conf_t        *store;
    ngx_http_im_stream_main_conf_t  *smcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);
    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_stream_module);

    store = ngx_http_im_redis_conf_find(&imcf->stores, &lcf->pass->value);

    /* of a cluster nobody reads events */

    if (store == NULL || conf->publish == 0 || store->cluster == 1
        || (conf->publish == NGX_CONF_UNSET && !smcf->streams))
    {
        return NGX_CONF_OK;
    }

    store->publish = 1;

    return (ngx_http_im_sub_channel(cf->pool, store, &lcf->options.key_prefix,
                                    &lcf->options.channel)
            == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_im_stream_channel(ngx_conf_t *cf,
    ngx_http_im_stream_loc_conf_t *conf, ngx_http_im_loc_conf_t *lcf)
{
    ngx_str_t                       *prefix;
    ngx_uint_t                       i;
    ngx_http_im_channel_t          **channel;
    ngx_http_im_main_conf_t         *imcf;
    ngx_http_im_redis_conf_t        *store;
    ngx_http_im_stream_main_conf_t  *smcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);
    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_stream_module);

    prefix = &lcf->options.key_prefix;
    store = ngx_http_im_redis_conf_find(&imcf->stores, &conf->pass->value);

    if (store == NULL) {

        /* there is an error to come */

        return NGX_CONF_OK;
    }

    if (store->cluster == 1 || store->master.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "im_stream needs a store that is one Redis server, "
                           "\"%V\" has \"%s\"", &conf->pass->value,
                           store->cluster == 1 ? "cluster" : "sentinel");
        return NGX_CONF_ERROR;
    }

    channel = smcf->channels.elts;

    for (i = 0; i < smcf->channels.nelts; i++) {
        if (channel[i]->store == store
            && ngx_http_im_str_eq(&channel[i]->options->key_prefix, prefix))
        {
            conf->channel = channel[i];
            return NGX_CONF_OK;
        }
    }

    channel = ngx_array_push(&smcf->channels);
    if (channel == NULL) {
        return NGX_CONF_ERROR;
    }

    *channel = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_channel_t));
    if (*channel == NULL) {
        return NGX_CONF_ERROR;
    }

    (*channel)->store = store;
    (*channel)->options = &lcf->options;
    (*channel)->scope = lcf->scope;
    (*channel)->imcf = imcf;

    conf->channel = *channel;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im stream store:\"%V\" prefix:\"%V\"",
                   &store->name, prefix);

    if (ngx_http_im_sub_channel(cf->pool, store, prefix, &(*channel)->name)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_im_redis_conf_prefix(&imcf->stores, &conf->pass->value,
                                 prefix,
                                 ngx_http_im_call_reply_max(&lcf->options));
}


static ngx_int_t
ngx_http_im_stream_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_im_channel_t          **channel;
    ngx_http_im_stream_main_conf_t  *smcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_im_stream_module);
    if (smcf == NULL) {
        return NGX_OK;
    }

    channel = smcf->channels.elts;

    for (i = 0; i < smcf->channels.nelts; i++) {
        if (ngx_http_im_channel_init(channel[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_im_stream_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_im_channel_t          **channel;
    ngx_http_im_stream_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_im_stream_module);
    if (smcf == NULL) {
        return;
    }

    channel = smcf->channels.elts;

    for (i = 0; i < smcf->channels.nelts; i++) {
        ngx_http_im_channel_exit(channel[i]);
    }
}
