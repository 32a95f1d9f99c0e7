
#include "ngx_http_im.h"
#include "ngx_http_im_body.h"
#include "ngx_http_im_check.h"
#include "ngx_http_im_handler.h"
#include "ngx_http_im_health.h"
#include "ngx_http_im_identity.h"
#include "ngx_http_im_limit.h"
#include "ngx_http_im_options.h"
#include "ngx_http_im_pass.h"
#include "ngx_http_im_redis_block.h"
#include "ngx_http_im_status.h"
#include "ngx_http_im_variable.h"

#include <ndk.h>


static char *ngx_http_im_redis_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_im_cache_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_im_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_im_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_im_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_im_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_im_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_im_inherit(ngx_conf_t *cf,
    ngx_http_im_loc_conf_t *up, ngx_http_im_loc_conf_t *lcf);
static ngx_int_t ngx_http_im_init_process(ngx_cycle_t *cycle);
static void ngx_http_im_exit_process(ngx_cycle_t *cycle);


static ngx_conf_post_t  ngx_http_im_prefix_post = { ngx_http_im_check_prefix };
static ngx_conf_post_t  ngx_http_im_positive_post = {
    ngx_http_im_check_positive
};
static ngx_conf_post_t  ngx_http_im_size_post = { ngx_http_im_check_size };
static ngx_conf_post_t  ngx_http_im_import_size_post = {
    ngx_http_im_check_import_size
};


static ngx_conf_enum_t  ngx_http_im_replies[] = {
    { ngx_string("v1"), 0 },
    { ngx_string("full"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_im_group_adds[] = {
    { ngx_string("member"), NGX_HTTP_IM_GROUP_ADD_MEMBER },
    { ngx_string("owner"), NGX_HTTP_IM_GROUP_ADD_OWNER },
    { ngx_string("trusted"), NGX_HTTP_IM_GROUP_ADD_TRUSTED },
    { ngx_null_string, 0 }
};


static ndk_set_var_t  ngx_http_im_conv_id_filter = {
    NDK_SET_VAR_MULTI_VALUE,
    (void *) ngx_http_im_conv_id_set,
    2,
    NULL
};


#define NGX_HTTP_IM_ANY_CONF                                                 \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_command_t  ngx_http_im_commands[] = {

    { ngx_string("im_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_im_redis_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_im_cache_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_pass"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_im_pass_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_im_status_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_im_health_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_key_prefix"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.key_prefix),
      &ngx_http_im_prefix_post },

    { ngx_string("im_user"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, user),
      NULL },

    { ngx_string("im_trusted"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_im_identity_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_origin"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_im_origin_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, origins),
      NULL },

    { ngx_string("im_rate"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_im_limit_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("im_reply"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.reply_full),
      &ngx_http_im_replies },

    { ngx_string("im_read_on_fetch"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.read_on_fetch),
      NULL },

    { ngx_string("im_list_max"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.list_max),
      &ngx_http_im_positive_post },

    { ngx_string("im_page_size_max"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.page_size_max),
      &ngx_http_im_positive_post },

    { ngx_string("im_group_max_members"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.group_max_members),
      &ngx_http_im_positive_post },

    { ngx_string("im_group_add"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.group_add),
      &ngx_http_im_group_adds },

    { ngx_string("im_groups_max"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.groups_max),
      &ngx_http_im_positive_post },

    { ngx_string("im_max_body_size"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.max_body_size),
      &ngx_http_im_size_post },

    { ngx_string("im_max_message_size"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.max_message_size),
      &ngx_http_im_size_post },

    { ngx_string("im_import"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, import),
      NULL },

    { ngx_string("im_import_max_body_size"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, import_max),
      &ngx_http_im_import_size_post },

    { ngx_string("im_idempotency_window"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.idempotency_window),
      NULL },

    { ngx_string("im_recall_window"),
      NGX_HTTP_IM_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_im_check_recall_window,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_im_loc_conf_t, options.recall_window),
      NULL },

    { ngx_string("set_im_conv_id"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_SIF_CONF|NGX_HTTP_LOC_CONF
                       |NGX_HTTP_LIF_CONF|NGX_CONF_TAKE3,
      ndk_set_var_multi_value,
      0,
      0,
      &ngx_http_im_conv_id_filter },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_im_module_ctx = {
    ngx_http_im_preconfiguration,          /* preconfiguration */
    ngx_http_im_postconfiguration,         /* postconfiguration */

    ngx_http_im_create_main_conf,          /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_im_create_loc_conf,           /* create location configuration */
    ngx_http_im_merge_loc_conf             /* merge location configuration */
};


ngx_module_t  ngx_http_im_module = {
    NGX_MODULE_V1,
    &ngx_http_im_module_ctx,               /* module context */
    ngx_http_im_commands,                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_im_init_process,              /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_im_exit_process,              /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_im_redis_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_main_conf_t  *imcf = conf;

    return ngx_http_im_redis_block(cf, cmd, &imcf->stores);
}


static char *
ngx_http_im_cache_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_main_conf_t  *imcf = conf;

    ngx_str_t  *value;

    if (imcf->cache || imcf->cache_off) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
        imcf->cache_off = 1;
        return NGX_CONF_OK;
    }

    return ngx_http_im_cache_conf(cf, &value[1], &ngx_http_im_module,
                                  &imcf->cache);
}


static ngx_int_t
ngx_http_im_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_im_variables(cf);
}


static ngx_int_t
ngx_http_im_postconfiguration(ngx_conf_t *cf)
{
    ngx_str_t                   name = ngx_string("im_cache");
    ngx_uint_t                  i;
    ngx_http_im_main_conf_t    *imcf;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_im_redis_conf_t  **store;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);

    if (imcf->passes.nelts && ngx_http_im_handler_init(cf, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (imcf->cache == NULL && !imcf->cache_off && imcf->passes.nelts) {
        imcf->cache = ngx_http_im_cache_zone_add(cf, &name, 48 * 1024 * 1024,
                                             &ngx_http_im_module);
        if (imcf->cache == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_im_limit_zone_add(cf, imcf) != NGX_OK
        || ngx_http_im_passes_init(cf, imcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (imcf->has_health && imcf->stores.nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "there is an im_health, but no store: add an im_pass, "
                      "or an im_redis");
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        store[i]->scripts = imcf->scripts;
        store[i]->nscripts = NGX_HTTP_IM_SCRIPT_TRIAL;
        store[i]->trial = &imcf->scripts[NGX_HTTP_IM_SCRIPT_TRIAL];

        if (ngx_http_im_redis_conf_resolver(cf, store[i], clcf->resolver,
                                            clcf->resolver_timeout)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_im_status_zone_add(cf, imcf, ngx_http_im_commands);
}


static void *
ngx_http_im_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_im_main_conf_t  *imcf;

    imcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_main_conf_t));
    if (imcf == NULL) {
        return NULL;
    }

    ngx_http_im_unsent_init(&imcf->unsent);
    imcf->health = ngx_http_im_health_create(cf->pool);

    imcf->scripts = ngx_http_im_scripts_create(cf->pool);

    if (imcf->scripts == NULL || imcf->health == NULL
        || ngx_array_init(&imcf->stores, cf->pool, 2,
                          sizeof(ngx_http_im_redis_conf_t *))
           != NGX_OK
        || ngx_array_init(&imcf->passes, cf->pool, 2,
                          sizeof(ngx_http_im_pass_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return imcf;
}


static void *
ngx_http_im_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_im_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->pass = NULL;
     *     conf->trusted_value = NULL;
     */

    conf->user = NGX_CONF_UNSET_PTR;
    conf->origins = NGX_CONF_UNSET_PTR;
    conf->trusted = NGX_CONF_UNSET_UINT;
    conf->limits[NGX_HTTP_IM_RATE_USER].rate = NGX_HTTP_IM_RATE_UNSET;
    conf->limits[NGX_HTTP_IM_RATE_CONV].rate = NGX_HTTP_IM_RATE_UNSET;
    conf->import = NGX_CONF_UNSET;
    conf->import_max = NGX_CONF_UNSET_SIZE;

    ngx_http_im_options_init(&conf->options);

    return conf;
}


static char *
ngx_http_im_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_im_options_t    *conf;
    ngx_http_im_loc_conf_t   *up, *lcf;
    ngx_http_im_main_conf_t  *imcf;

    up = parent;
    lcf = child;
    conf = &lcf->options;

    ngx_http_im_identity_merge(cf, up, lcf);
    ngx_http_im_limit_merge(up, lcf);

    ngx_conf_merge_value(lcf->import, up->import, 0);
    ngx_conf_merge_size_value(lcf->import_max, up->import_max,
                              4 * 1024 * 1024);

    if (ngx_http_im_options_merge(cf, &up->options, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    lcf->scope = ngx_murmur_hash2(conf->key_prefix.data, conf->key_prefix.len);

    ngx_http_im_inherit(cf, up, lcf);

    if (lcf->pass) {
        imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);

        return ngx_http_im_redis_conf_prefix(&imcf->stores, &lcf->pass->value,
                                             &conf->key_prefix,
                                             ngx_http_im_call_reply_max(conf));
    }

    return NGX_CONF_OK;
}


/* an "if" or "limit_except" does what the location around it does */

static void
ngx_http_im_inherit(ngx_conf_t *cf, ngx_http_im_loc_conf_t *up,
    ngx_http_im_loc_conf_t *lcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if ((clcf->noname || clcf->lmt_excpt)
        && !lcf->pass && !lcf->status && !lcf->health)
    {
        lcf->pass = up->pass;
        lcf->status = up->status;
        lcf->health = up->health;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = lcf->pass ? ngx_http_im_handler
                          : lcf->status ? ngx_http_im_status_handler
                          : lcf->health ? ngx_http_im_health_handler
                          : NULL;
        }
    }

    if (lcf->pass) {
        lcf->body_max = ngx_http_im_body_limit(clcf,
                                               lcf->options.max_body_size);
    }
}


static ngx_int_t
ngx_http_im_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_http_im_main_conf_t    *imcf;
    ngx_http_im_redis_conf_t  **store;

    /* the cache manager and loader come here, too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_im_module);

    if (imcf == NULL) {
        return NGX_OK;
    }

    ngx_http_im_status_attach(imcf, cycle->log);

    if (imcf->passes.nelts == 0 && !imcf->has_health) {
        return NGX_OK;
    }

    ngx_http_im_field_init();

    if (ngx_http_im_unique_init(&imcf->unique, cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the clock stood still while a long configuration was read */

    ngx_time_update();

    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        if (ngx_http_im_store_get(store[i]) == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_im_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_http_im_main_conf_t    *imcf;
    ngx_http_im_redis_conf_t  **store;

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_im_module);

    if (imcf == NULL) {
        return;
    }

    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        ngx_http_im_store_close(store[i]);
    }

    ngx_http_im_status_detach(imcf);
}
