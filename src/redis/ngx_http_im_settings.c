
#include "ngx_http_im_settings.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_id.h"


#define NGX_HTTP_IM_SETTINGS_TEXT   512


typedef enum {
    NGX_HTTP_IM_SETTINGS_APPENDONLY = 0,
    NGX_HTTP_IM_SETTINGS_APPENDFSYNC,
    NGX_HTTP_IM_SETTINGS_ON_REWRITE,
    NGX_HTTP_IM_SETTINGS_MIN_REPLICAS,
    NGX_HTTP_IM_SETTINGS_MAX_LAG,
    NGX_HTTP_IM_SETTINGS
} ngx_http_im_settings_e;


/* a setting as CONFIG and as INFO know it, and what is said where it is bad */

static const struct {
    ngx_str_t               config;
    ngx_str_t               info;           /* empty: not told there */
    ngx_str_t               text;
} ngx_http_im_settings_table[NGX_HTTP_IM_SETTINGS] = {

    { ngx_string("appendonly"), ngx_string("aof_enabled"),
      ngx_string("appendonly is not yes") },

    { ngx_string("appendfsync"), ngx_null_string,
      ngx_string("appendfsync is not always") },

    /* with yes there, "always" is not kept while a child writes a file */

    { ngx_string("no-appendfsync-on-rewrite"), ngx_null_string,
      ngx_string("no-appendfsync-on-rewrite is not no") },

    { ngx_string("min-replicas-to-write"),
      ngx_string("min_slaves_good_slaves"),
      ngx_string("min-replicas-to-write is less than required") },

    /* 0 there turns min-replicas-to-write off, too */

    { ngx_string("min-replicas-max-lag"),
      ngx_string("min_slaves_good_slaves"),
      ngx_string("min-replicas-max-lag is 0") }
};


/* bits: a setting that is bad, and one that is not told */

#define ngx_http_im_settings_bad(i)      ((ngx_uint_t) 1 << (i))
#define ngx_http_im_settings_unknown(i)   ((ngx_uint_t) 0x100 << (i))


static ngx_uint_t ngx_http_im_settings_setting(
    const ngx_http_im_settings_t *settings, ngx_uint_t i,
    ngx_http_im_cmd_t *cmd);
static ngx_uint_t ngx_http_im_settings_config(ngx_http_im_cmd_t *cmd,
    const ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_im_settings_info(ngx_http_im_cmd_t *cmd,
    const ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_im_settings_is(const ngx_str_t *a, const char *b);


char *
ngx_http_im_settings_require(ngx_http_im_settings_t *settings, ngx_str_t *word)
{
    ngx_int_t  n;

    if (ngx_http_im_settings_is(word, "appendonly")) {

        if (settings->appendonly) {
            return "is duplicate";
        }

        settings->appendonly = 1;
        return NGX_CONF_OK;
    }

    if (ngx_http_im_settings_is(word, "appendfsync=always")) {

        if (settings->always) {
            return "is duplicate";
        }

        settings->always = 1;
        return NGX_CONF_OK;
    }

    if (word->len > 13 && ngx_strncmp(word->data, "min-replicas=", 13) == 0) {

        if (settings->min_replicas) {
            return "is a second \"min-replicas\"; remove one";
        }

        n = ngx_atoi(word->data + 13, word->len - 13);

        if (n < 1 || n > 1000) {
            return "needs a number between 1 and 1000";
        }

        settings->min_replicas = n;
        return NGX_CONF_OK;
    }

    return "is nothing that can be required; known are appendonly, "
           "appendfsync=always, min-replicas=NUMBER";
}


void
ngx_http_im_settings_fetch(const ngx_http_im_settings_t *settings,
    ngx_http_im_pipeline_t *p)
{
    ngx_str_t  argv[3];

    ngx_str_set(&argv[0], "INFO");
    ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv, 1);

    ngx_str_set(&argv[0], "CONFIG");
    ngx_str_set(&argv[1], "GET");

    ngx_str_set(&argv[2], "client-output-buffer-limit");
    ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv, 3);

    /* one pattern each: older servers take no more */

    if (settings->appendonly || settings->always) {
        ngx_str_set(&argv[2], "*append*");
        ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv, 3);
    }

    if (settings->min_replicas) {
        ngx_str_set(&argv[2], "min-replicas-*");
        ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv, 3);
    }
}


ngx_uint_t
ngx_http_im_settings_check(const ngx_http_im_settings_t *settings,
    ngx_http_im_cmd_t *cmd)
{
    ngx_uint_t  unmet;

    unmet = ngx_http_im_settings_role(cmd);

    if (settings->appendonly || settings->always) {
        unmet |= ngx_http_im_settings_setting(settings,
                                    NGX_HTTP_IM_SETTINGS_APPENDONLY, cmd);
    }

    if (settings->always) {
        unmet |= ngx_http_im_settings_setting(settings,
                                    NGX_HTTP_IM_SETTINGS_APPENDFSYNC, cmd);
        unmet |= ngx_http_im_settings_setting(settings,
                                    NGX_HTTP_IM_SETTINGS_ON_REWRITE, cmd);
    }

    if (settings->min_replicas) {
        unmet |= ngx_http_im_settings_setting(settings,
                                    NGX_HTTP_IM_SETTINGS_MIN_REPLICAS, cmd);
        unmet |= ngx_http_im_settings_setting(settings,
                                    NGX_HTTP_IM_SETTINGS_MAX_LAG, cmd);
    }

    return unmet;
}


static ngx_uint_t
ngx_http_im_settings_setting(const ngx_http_im_settings_t *settings,
    ngx_uint_t i, ngx_http_im_cmd_t *cmd)
{
    int64_t     n;
    ngx_str_t   value;
    ngx_uint_t  config, good;

    config = ngx_http_im_settings_config(cmd,
                                         &ngx_http_im_settings_table[i].config,
                                         &value);

    if (!config
        && !ngx_http_im_settings_info(cmd, &ngx_http_im_settings_table[i].info,
                                      &value))
    {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im setting \"%V\" is not told",
                       &ngx_http_im_settings_table[i].config);

        return ngx_http_im_settings_unknown(i);
    }

    n = ngx_http_im_atoi(value.data, value.len);

    switch (i) {

    case NGX_HTTP_IM_SETTINGS_APPENDONLY:
        good = config ? ngx_http_im_settings_is(&value, "yes") : (n == 1);
        break;

    case NGX_HTTP_IM_SETTINGS_APPENDFSYNC:
        good = ngx_http_im_settings_is(&value, "always");
        break;

    case NGX_HTTP_IM_SETTINGS_ON_REWRITE:
        good = ngx_http_im_settings_is(&value, "no");
        break;

    case NGX_HTTP_IM_SETTINGS_MIN_REPLICAS:

        /* that INFO has a line of it tells that one is required, or more */

        if (!config && settings->min_replicas > 1) {
            return ngx_http_im_settings_unknown(i);
        }

        good = !config || n >= (int64_t) settings->min_replicas;
        break;

    default: /* NGX_HTTP_IM_SETTINGS_MAX_LAG */
        good = !config || n > 0;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im setting \"%V\" is \"%V\", of CONFIG:%ui good:%ui",
                   &ngx_http_im_settings_table[i].config, &value, config,
                   good);

    return good ? 0 : ngx_http_im_settings_bad(i);
}


/* a server that does not show INFO may still refuse the trial for its role */

ngx_uint_t
ngx_http_im_settings_role(ngx_http_im_cmd_t *cmd)
{
    ngx_str_t   value;
    ngx_uint_t  unmet;

    static const ngx_str_t  role = ngx_string("role");
    static const ngx_str_t  cluster = ngx_string("cluster_enabled");

    unmet = 0;

    if (ngx_http_im_settings_info(cmd, &role, &value)
        && !ngx_http_im_settings_is(&value, "master"))
    {
        unmet |= NGX_HTTP_IM_UNMET_REPLICA;
    }

    if (ngx_http_im_settings_info(cmd, &cluster, &value)
        && ngx_http_im_settings_is(&value, "1"))
    {
        unmet |= NGX_HTTP_IM_UNMET_CLUSTER;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im settings of the role, unmet:%xi", unmet);

    return unmet;
}


const char *
ngx_http_im_settings_reason(ngx_uint_t unmet)
{
    if (unmet & NGX_HTTP_IM_UNMET_CLUSTER) {
        return "the store is a part of a Redis Cluster";
    }

    if (unmet & NGX_HTTP_IM_UNMET_REPLICA) {
        return "the store is a replica";
    }

    if (unmet & NGX_HTTP_IM_UNMET_RIGHTS) {
        return "the Redis user lacks permissions";
    }

    return unmet ? "the store is weaker than required" : "no connection";
}


u_char *
ngx_http_im_settings_text(ngx_uint_t unmet, u_char *p, u_char *last)
{
    u_char      *start;
    ngx_uint_t   i;

    start = p;

    for (i = 0; i < NGX_HTTP_IM_SETTINGS; i++) {

        if (unmet & ngx_http_im_settings_bad(i)) {
            p = ngx_slprintf(p, last, "%s%V", p == start ? "" : ", ",
                             &ngx_http_im_settings_table[i].text);
        }

        if (unmet & ngx_http_im_settings_unknown(i)) {
            p = ngx_slprintf(p, last, "%s%V is not shown by CONFIG GET",
                             p == start ? "" : ", ",
                             &ngx_http_im_settings_table[i].config);
        }
    }

    return p;
}


void
ngx_http_im_settings_log(const ngx_str_t *store, ngx_str_t *server,
    ngx_uint_t evicts, ngx_uint_t unmet, ngx_uint_t before,
    ngx_str_t *refused, ngx_log_t *log)
{
    u_char  text[NGX_HTTP_IM_SETTINGS_TEXT], *last;

    if (evicts) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "im store \"%V\": %V may evict messages: it has a "
                      "maxmemory, and its maxmemory-policy is not noeviction",
                      store, server);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, log, 0,
                   "im settings of %V unmet:%xi before:%xi evicts:%ui",
                   server, unmet, before, evicts);

    if (unmet == before) {
        return;
    }

    if (unmet == 0) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "im store \"%V\": %V has all that is required",
                      store, server);
        return;
    }

    if (unmet & NGX_HTTP_IM_UNMET_CLUSTER) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "im store \"%V\": %V is not used, it is in cluster mode "
                      "(cluster-enabled yes); set \"cluster on\"",
                      store, server);
        return;
    }

    if (unmet & NGX_HTTP_IM_UNMET_REPLICA) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "im store \"%V\": %V is not used, it is a replica",
                      store, server);
        return;
    }

    if (unmet & NGX_HTTP_IM_UNMET_RIGHTS) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "im store \"%V\": %V is not used, the Redis user lacks "
                      "permissions: %V", store, server, refused);
        return;
    }

    last = ngx_http_im_settings_text(unmet, text, text + sizeof(text));

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "im store \"%V\": %V is not used, it is weaker than "
                  "required: %*s",
                  store, server, (size_t) (last - text), text);
}


ngx_uint_t
ngx_http_im_settings_required(const ngx_http_im_settings_t *settings)
{
    return settings->appendonly || settings->always
           || settings->min_replicas;
}


ngx_uint_t
ngx_http_im_settings_evicts(ngx_http_im_cmd_t *cmd)
{
    ngx_str_t  memory, policy;

    static const ngx_str_t  maxmemory = ngx_string("maxmemory");
    static const ngx_str_t  maxmemory_policy = ngx_string("maxmemory_policy");

    return ngx_http_im_settings_info(cmd, &maxmemory, &memory)
           && ngx_http_im_atoi(memory.data, memory.len) > 0
           && ngx_http_im_settings_info(cmd, &maxmemory_policy, &policy)
           && !ngx_http_im_settings_is(&policy, "noeviction");
}


/* "normal HARD SOFT SECONDS", then the same of other classes of clients */

size_t
ngx_http_im_settings_limit(ngx_http_im_cmd_t *cmd, size_t size)
{
    u_char     *p, *last, *end;
    ssize_t     n;
    ngx_str_t   value;

    static const ngx_str_t  name = ngx_string("client-output-buffer-limit");

    if (!ngx_http_im_settings_config(cmd, &name, &value)) {
        return 0;
    }

    last = value.data + value.len;

    p = ngx_strnstr(value.data, "normal ", value.len);
    if (p == NULL) {
        return 0;
    }

    p += sizeof("normal ") - 1;

    for (end = p; end < last && *end != ' '; end++) { /* void */ }

    n = ngx_http_im_atoi(p, end - p);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im setting \"%V\" is %z for normal clients", &name, n);

    return (n > 0 && (size_t) n < size) ? (size_t) n : 0;
}


void
ngx_http_im_settings_log_limit(const ngx_str_t *store, ngx_str_t *server,
    size_t limit, size_t size, ngx_log_t *log)
{
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "im store \"%V\": %V closes connections at replies of more "
                  "than %uz bytes, but those of pages and lists may have %uz; "
                  "set \"client-output-buffer-limit normal 0 0 0\" there, or "
                  "lower \"im_max_message_size\" or \"im_page_size_max\" and "
                  "\"im_list_max\"", store, server, limit, size);
}


/* names and values in turn */

static ngx_uint_t
ngx_http_im_settings_config(ngx_http_im_cmd_t *cmd, const ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_str_t             str;
    ngx_uint_t            i;
    ngx_http_im_reply_t  *elts;

    for ( /* void */ ; cmd; cmd = cmd->next) {

        if (cmd->reply.type != NGX_HTTP_IM_REPLY_ARRAY) {
            continue;
        }

        elts = cmd->reply.elts;

        for (i = 0; i + 1 < cmd->reply.nelts; i += 2) {

            if (ngx_http_im_reply_string(&elts[i], &str) == NGX_OK
                && ngx_http_im_str_eq(&str, name)
                && ngx_http_im_reply_string(&elts[i + 1], value) == NGX_OK)
            {
                return 1;
            }
        }
    }

    return 0;
}


/* lines of "name:value" */

static ngx_uint_t
ngx_http_im_settings_info(ngx_http_im_cmd_t *cmd, const ngx_str_t *name,
    ngx_str_t *value)
{
    u_char  *p, *last, *end;

    for ( /* void */ ; cmd && name->len; cmd = cmd->next) {

        if (cmd->reply.type != NGX_HTTP_IM_REPLY_STRING) {
            continue;
        }

        p = cmd->reply.str.data;
        last = p + cmd->reply.str.len;

        for ( /* void */ ; p < last; p = end + 1) {

            for (end = p; end < last && *end != LF; end++) { /* void */ }

            if ((size_t) (end - p) <= name->len
                || ngx_memcmp(p, name->data, name->len) != 0
                || p[name->len] != ':')
            {
                continue;
            }

            value->data = p + name->len + 1;
            value->len = end - value->data;

            if (value->len && value->data[value->len - 1] == CR) {
                value->len--;
            }

            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_im_settings_is(const ngx_str_t *a, const char *b)
{
    return a->len == ngx_strlen(b) && ngx_memcmp(a->data, b, a->len) == 0;
}
