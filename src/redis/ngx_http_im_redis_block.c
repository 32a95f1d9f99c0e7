
#include "ngx_http_im_redis_block.h"
#include "ngx_http_im_redis_conf.h"
#include "ngx_http_im_server.h"


#define NGX_HTTP_IM_TIMEOUT_MAX    86400000    /* poll() takes an int of ms */

/* names of all directives, for an error */
#define NGX_HTTP_IM_REDIS_BLOCK_NAMES  1024


static char *ngx_http_im_redis_block_directive(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_im_redis_block_unknown(ngx_conf_t *cf, ngx_str_t *name);
static char *ngx_http_im_redis_block_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_im_redis_block_require(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_im_redis_block_check_timeout(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_num_bounds_t  ngx_http_im_redis_block_database_bounds = {
    ngx_conf_check_num_bounds, 0, 1000000
};

static ngx_conf_num_bounds_t  ngx_http_im_redis_block_connections_bounds = {
    ngx_conf_check_num_bounds, 1, 64
};

static ngx_conf_num_bounds_t  ngx_http_im_redis_block_pending_bounds = {
    ngx_conf_check_num_bounds, 1, 10000000
};


static ngx_conf_post_t  ngx_http_im_redis_block_timeout_post = {
    ngx_http_im_redis_block_check_timeout
};


/* the directives inside an im_redis block */

static ngx_command_t  ngx_http_im_redis_block_commands[] = {

    { ngx_string("server"),
      NGX_CONF_TAKE1,
      ngx_http_im_redis_block_server,
      0,
      0,
      NULL },

    { ngx_string("username"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, auth.username),
      NULL },

    { ngx_string("password"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, auth.password),
      NULL },

    { ngx_string("password_file"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, auth.file),
      NULL },

    { ngx_string("cluster"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, cluster),
      NULL },

    { ngx_string("database"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, database),
      &ngx_http_im_redis_block_database_bounds },

    { ngx_string("connections"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, connections),
      &ngx_http_im_redis_block_connections_bounds },

    { ngx_string("connect_timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, connect_timeout),
      &ngx_http_im_redis_block_timeout_post },

    { ngx_string("timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, timeout),
      &ngx_http_im_redis_block_timeout_post },

    { ngx_string("max_pending"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, max_pending),
      &ngx_http_im_redis_block_pending_bounds },

    { ngx_string("require"),
      NGX_CONF_1MORE,
      ngx_http_im_redis_block_require,
      0,
      0,
      NULL },

    { ngx_string("sentinel"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, master),
      NULL },

    { ngx_string("sentinel_username"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, sentinel_auth.username),
      NULL },

    { ngx_string("sentinel_password"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, sentinel_auth.password),
      NULL },

    { ngx_string("sentinel_password_file"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, sentinel_auth.file),
      NULL },

    { ngx_string("sentinel_ssl"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, tls.sentinel),
      NULL },

    { ngx_string("ssl"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, tls.enable),
      NULL },

    { ngx_string("ssl_trusted_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, tls.trusted),
      NULL },

    { ngx_string("ssl_certificate"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, tls.certificate),
      NULL },

    { ngx_string("ssl_certificate_key"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, tls.certificate_key),
      NULL },

    { ngx_string("ssl_verify"),
      NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, tls.verify),
      NULL },

    { ngx_string("ssl_name"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, tls.name),
      NULL },

      ngx_null_command
};


char *
ngx_http_im_redis_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_conf_t                 save;
    ngx_array_t               *stores = conf;
    ngx_http_im_redis_conf_t  *store;

    value = cf->args->elts;

    if (ngx_strlchr(value[1].data, value[1].data + value[1].len, ':')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a store's name must have no \":\", "
                           "\"%V\" looks like an address: "
                           "write it as \"server\" inside the block",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_im_redis_conf_find(stores, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate im_redis \"%V\"; rename or remove one",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    store = ngx_http_im_redis_conf_create(cf, stores, &value[1]);
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    save = *cf;
    cf->handler = ngx_http_im_redis_block_directive;
    cf->handler_conf = (char *) store;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_im_redis_conf_complete(cf, store);
}


static char *
ngx_http_im_redis_block_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    char           *rv;
    ngx_str_t      *value;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    for (cmd = ngx_http_im_redis_block_commands; cmd->name.len; cmd++) {

        if (cmd->name.len != value[0].len
            || ngx_strncmp(cmd->name.data, value[0].data, value[0].len) != 0)
        {
            continue;
        }

        if (cf->args->nelts != 2
            && (cmd->type != NGX_CONF_1MORE || cf->args->nelts < 2))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in an im_redis block takes one value%s",
                               &value[0],
                               cmd->type == NGX_CONF_1MORE ? " or more" : "");
            return NGX_CONF_ERROR;
        }

        rv = cmd->set(cf, cmd, conf);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s", &value[0], rv);

        return NGX_CONF_ERROR;
    }

    return ngx_http_im_redis_block_unknown(cf, &value[0]);
}


static char *
ngx_http_im_redis_block_unknown(ngx_conf_t *cf, ngx_str_t *name)
{
    u_char          text[NGX_HTTP_IM_REDIS_BLOCK_NAMES], *p;
    ngx_command_t  *cmd;

    p = text;

    for (cmd = ngx_http_im_redis_block_commands; cmd->name.len; cmd++) {
        p = ngx_slprintf(p, text + sizeof(text), "%s%V",
                         p == text ? "" : ", ", &cmd->name);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in an im_redis block; known "
                       "are %*s", name, (size_t) (p - text), text);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_im_redis_block_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_http_im_redis_conf_t  *store = conf;

    value = cf->args->elts;

    return (ngx_http_im_server_add(cf, &store->servers, &value[1]) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_im_redis_block_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_im_redis_conf_t  *store = conf;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_http_im_settings_require(&store->settings, &value[i]);

        if (rv != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"require %V\" %s",
                               &value[i], rv);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_im_redis_block_check_timeout(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *ms = data;

    if (*ms == 0) {
        return "of 0 would let nothing pass; give it some milliseconds";
    }

    return (*ms <= NGX_HTTP_IM_TIMEOUT_MAX) ? NGX_CONF_OK
                                            : "must be at most a day";
}
