
#include "ngx_http_im_redis_conf.h"
#include "ngx_http_im_reply.h"
#include "ngx_http_im_server.h"


#define NGX_HTTP_IM_PASSWORD_MAX   4096
#define NGX_HTTP_IM_TIMEOUT_MAX    86400000    /* poll() takes an int of ms */

/* of a stored text, what is not the text, and more */
#define NGX_HTTP_IM_REDIS_CONF_ROW  1024


static char *ngx_http_im_redis_conf_directive(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_im_redis_conf_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_im_redis_conf_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_im_redis_conf_t *ngx_http_im_redis_conf_create(ngx_conf_t *cf,
    ngx_array_t *stores, ngx_str_t *name);
static char *ngx_http_im_redis_conf_complete(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store);
static char *ngx_http_im_redis_conf_password(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store);
static char *ngx_http_im_redis_conf_check_timeout(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_num_bounds_t  ngx_http_im_redis_conf_database_bounds = {
    ngx_conf_check_num_bounds, 0, 1000000
};

static ngx_conf_num_bounds_t  ngx_http_im_redis_conf_connections_bounds = {
    ngx_conf_check_num_bounds, 1, 64
};

static ngx_conf_num_bounds_t  ngx_http_im_redis_conf_pending_bounds = {
    ngx_conf_check_num_bounds, 1, 10000000
};


static ngx_conf_post_t  ngx_http_im_redis_conf_timeout_post = {
    ngx_http_im_redis_conf_check_timeout
};


/* the directives inside an im_redis block */

static ngx_command_t  ngx_http_im_redis_conf_commands[] = {

    { ngx_string("server"),
      NGX_CONF_TAKE1,
      ngx_http_im_redis_conf_server,
      0,
      0,
      NULL },

    { ngx_string("username"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, username),
      NULL },

    { ngx_string("password"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, password),
      NULL },

    { ngx_string("password_file"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, password_file),
      NULL },

    { ngx_string("database"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, database),
      &ngx_http_im_redis_conf_database_bounds },

    { ngx_string("connections"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, connections),
      &ngx_http_im_redis_conf_connections_bounds },

    { ngx_string("connect_timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, connect_timeout),
      &ngx_http_im_redis_conf_timeout_post },

    { ngx_string("timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, timeout),
      &ngx_http_im_redis_conf_timeout_post },

    { ngx_string("max_pending"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_im_redis_conf_t, max_pending),
      &ngx_http_im_redis_conf_pending_bounds },

    { ngx_string("require"),
      NGX_CONF_1MORE,
      ngx_http_im_redis_conf_require,
      0,
      0,
      NULL },

      ngx_null_command
};


char *
ngx_http_im_redis_conf_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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
    cf->handler = ngx_http_im_redis_conf_directive;
    cf->handler_conf = (char *) store;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_im_redis_conf_complete(cf, store);
}


static char *
ngx_http_im_redis_conf_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    char           *rv;
    ngx_str_t      *value;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    for (cmd = ngx_http_im_redis_conf_commands; cmd->name.len; cmd++) {

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

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in an im_redis block; known "
                       "are server, username, password, password_file, "
                       "database, connections, connect_timeout, timeout, "
                       "max_pending, require", &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_im_redis_conf_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_http_im_redis_conf_t  *store = conf;

    value = cf->args->elts;

    if (store->servers.nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a second \"server\" in im_redis \"%V\": these "
                           "would be two stores with different data; "
                           "remove one", &store->name);
        return NGX_CONF_ERROR;
    }

    return (ngx_http_im_server_add(cf, &store->servers, &value[1]) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_im_redis_conf_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
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
ngx_http_im_redis_conf_check_timeout(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *ms = data;

    if (*ms == 0) {
        return "of 0 would let nothing pass; give it some milliseconds";
    }

    return (*ms <= NGX_HTTP_IM_TIMEOUT_MAX) ? NGX_CONF_OK
                                            : "must be at most a day";
}


static ngx_http_im_redis_conf_t *
ngx_http_im_redis_conf_create(ngx_conf_t *cf, ngx_array_t *stores,
    ngx_str_t *name)
{
    ngx_http_im_redis_conf_t  *store, **new;

    store = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_redis_conf_t));
    new = ngx_array_push(stores);

    if (store == NULL || new == NULL
        || ngx_array_init(&store->servers, cf->pool, 1,
                          sizeof(ngx_http_im_server_t))
           != NGX_OK
        || ngx_array_init(&store->prefixes, cf->pool, 1, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    *new = store;

    store->name = *name;
    store->database = NGX_CONF_UNSET;
    store->connections = NGX_CONF_UNSET;
    store->max_pending = NGX_CONF_UNSET;
    store->connect_timeout = NGX_CONF_UNSET_MSEC;
    store->timeout = NGX_CONF_UNSET_MSEC;

    return store;
}


static char *
ngx_http_im_redis_conf_complete(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store)
{
    ngx_uint_t             i;
    ngx_http_im_server_t  *server;

    if (store->servers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"server\" in im_redis \"%V\"; add "
                           "\"server host:port;\" or \"server unix:/path;\"",
                           &store->name);
        return NGX_CONF_ERROR;
    }

    if (store->password_file.len) {

        if (store->password.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "both \"password\" and \"password_file\" in "
                               "im_redis \"%V\"; remove one", &store->name);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_im_redis_conf_password(cf, store) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (store->username.len && store->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"username\" without a password in im_redis "
                           "\"%V\"; add \"password\" or \"password_file\"",
                           &store->name);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(store->database, 0);
    ngx_conf_init_value(store->connections, 1);
    ngx_conf_init_value(store->max_pending, 16384);
    ngx_conf_init_msec_value(store->connect_timeout, 1000);
    ngx_conf_init_msec_value(store->timeout, 2000);

    server = store->servers.elts;
    store->scope = store->database;

    for (i = 0; i < store->servers.nelts; i++) {
        store->scope = store->scope * 31
                       + ngx_murmur_hash2(server[i].text.data,
                                          server[i].text.len);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im redis \"%V\" servers:%ui connections:%i timeout:%M",
                   &store->name, store->servers.nelts, store->connections,
                   store->timeout);

    return NGX_CONF_OK;
}


/* the first line of the file */

static char *
ngx_http_im_redis_conf_password(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store)
{
    u_char    *buf, *p;
    ssize_t    n;
    ngx_fd_t   fd;

    if (ngx_conf_full_name(cf->cycle, &store->password_file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_IM_PASSWORD_MAX);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(store->password_file.data, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed",
                           &store->password_file);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, NGX_HTTP_IM_PASSWORD_MAX);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed",
                           &store->password_file);
    }

    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed",
                           &store->password_file);
        return NGX_CONF_ERROR;
    }

    for (p = buf; p < buf + n && *p != LF && *p != CR; p++) { /* void */ }

    store->password.data = buf;
    store->password.len = p - buf;

    if (store->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no password in the first line of \"%V\"",
                           &store->password_file);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_im_redis_conf_prefix(ngx_array_t *stores, ngx_str_t *name,
    ngx_str_t *prefix, size_t reply)
{
    ngx_str_t                 *known;
    ngx_uint_t                 i;
    ngx_http_im_redis_conf_t  *store;

    store = ngx_http_im_redis_conf_find(stores, name);

    if (store == NULL) {
        return NGX_CONF_OK;
    }

    store->reply_max = ngx_max(store->reply_max, reply);
    known = store->prefixes.elts;

    for (i = 0; i < store->prefixes.nelts; i++) {
        if (known[i].len == prefix->len
            && ngx_strncmp(known[i].data, prefix->data, prefix->len) == 0)
        {
            return NGX_CONF_OK;
        }
    }

    known = ngx_array_push(&store->prefixes);
    if (known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = *prefix;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_im_redis_conf_resolver(ngx_conf_t *cf,
    ngx_http_im_redis_conf_t *store, ngx_resolver_t *resolver,
    ngx_msec_t timeout)
{
    /* nginx makes one without name servers, where none is configured */

    if (resolver == NULL || resolver->connections.nelts == 0) {
        return ngx_http_im_server_check(cf, &store->servers);
    }

    store->resolver = resolver;
    store->resolver_timeout = (timeout == NGX_CONF_UNSET_MSEC) ? 30000
                                                               : timeout;
    return NGX_OK;
}


ngx_http_im_redis_conf_t *
ngx_http_im_redis_conf_pass(ngx_conf_t *cf, ngx_array_t *stores,
    ngx_str_t *value)
{
    ngx_http_im_redis_conf_t  *store;

    store = ngx_http_im_redis_conf_find(stores, value);

    if (store) {
        return store;
    }

    store = ngx_http_im_redis_conf_create(cf, stores, value);

    if (store == NULL
        || ngx_http_im_server_add(cf, &store->servers, value) != NGX_OK
        || ngx_http_im_redis_conf_complete(cf, store) != NGX_CONF_OK)
    {
        return NULL;
    }

    return store;
}


ngx_http_im_redis_conf_t *
ngx_http_im_redis_conf_find(ngx_array_t *stores, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_im_redis_conf_t  **store;

    store = stores->elts;

    for (i = 0; i < stores->nelts; i++) {
        if (store[i]->name.len == name->len
            && ngx_strncmp(store[i]->name.data, name->data, name->len) == 0)
        {
            return store[i];
        }
    }

    return NULL;
}


/* a text is stored as JSON has it, where a byte may take six */

ngx_int_t
ngx_http_im_redis_conf_fits(ngx_conf_t *cf, ngx_uint_t page, size_t text,
    ngx_uint_t list, ngx_uint_t members)
{
    size_t       row;
    const char  *name;

    row = 6 * ngx_min(text, NGX_HTTP_IM_REPLY_MAX_BULK)
          + NGX_HTTP_IM_REDIS_CONF_ROW;

    name = (row > NGX_HTTP_IM_REPLY_MAX_BULK) ? "im_max_message_size"
           : (page > NGX_HTTP_IM_REPLY_MAX_SIZE / row) ? "im_page_size_max"
           : (list > NGX_HTTP_IM_REPLY_MAX_ELTS / 2) ? "im_list_max"
           : (members > NGX_HTTP_IM_REPLY_MAX_ELTS / 2)
             ? "im_group_max_members"
           : NULL;

    if (name == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "a reply of the store may have %ui bytes, %ui of each "
                       "text, which may be stored six times as long, and %ui "
                       "elements; lower \"%s\"",
                       (ngx_uint_t) NGX_HTTP_IM_REPLY_MAX_SIZE,
                       (ngx_uint_t) NGX_HTTP_IM_REPLY_MAX_BULK,
                       (ngx_uint_t) NGX_HTTP_IM_REPLY_MAX_ELTS, name);

    return NGX_ERROR;
}
