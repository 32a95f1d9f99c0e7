
#include "ngx_http_im_settings.h"
#include "ngx_http_im_id.h"


typedef enum {
    NGX_HTTP_IM_SETTINGS_APPENDONLY = 0,
    NGX_HTTP_IM_SETTINGS_APPENDFSYNC,
    NGX_HTTP_IM_SETTINGS_ON_REWRITE,
    NGX_HTTP_IM_SETTINGS_MIN_REPLICAS,
    NGX_HTTP_IM_SETTINGS_MAX_LAG,
    NGX_HTTP_IM_SETTINGS_SETTINGS
} ngx_http_im_settings_e;


/* a setting as CONFIG and as INFO know it, and what is said where it is bad */

static const struct {
    ngx_str_t               config;
    ngx_str_t               info;           /* empty: not told there */
    ngx_str_t               text;
} ngx_http_im_settings[NGX_HTTP_IM_SETTINGS_SETTINGS] = {

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
    const ngx_http_im_settings_t *require, ngx_uint_t i,
    ngx_http_im_cmd_t *cmd);
static ngx_uint_t ngx_http_im_settings_config(ngx_http_im_cmd_t *cmd,
    const ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_im_settings_info(ngx_http_im_cmd_t *cmd,
    const ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_im_settings_is(const ngx_str_t *a, const char *b);


char *
ngx_http_im_settings_require(ngx_http_im_settings_t *require, ngx_str_t *word)
{
    ngx_int_t  n;

    if (ngx_http_im_settings_is(word, "appendonly")) {

        if (require->appendonly) {
            return "is duplicate";
        }

        require->appendonly = 1;
        return NGX_CONF_OK;
    }

    if (ngx_http_im_settings_is(word, "appendfsync=always")) {

        if (require->always) {
            return "is duplicate";
        }

        require->always = 1;
        return NGX_CONF_OK;
    }

    if (word->len > 13 && ngx_strncmp(word->data, "min-replicas=", 13) == 0) {

        if (require->min_replicas) {
            return "is a second \"min-replicas\"; remove one";
        }

        n = ngx_atoi(word->data + 13, word->len - 13);

        if (n < 1 || n > 1000) {
            return "needs a number between 1 and 1000";
        }

        require->min_replicas = n;
        return NGX_CONF_OK;
    }

    return "is nothing that can be required; known are appendonly, "
           "appendfsync=always, min-replicas=NUMBER";
}


void
ngx_http_im_settings_fetch(const ngx_http_im_settings_t *require,
    ngx_http_im_pipeline_t *p)
{
    ngx_str_t  argv[3];

    ngx_str_set(&argv[0], "INFO");
    ngx_http_im_pipeline_add(p, NGX_HTTP_IM_READ, 0, argv, 1);

    ngx_str_set(&argv[0], "CONFIG");
    ngx_str_set(&argv[1], "GET");

    /* one pattern each: older servers take no more */

    if (require->appendonly || require->always) {
        ngx_str_set(&argv[2], "*append*");
        ngx_http_im_pipeline_add(p, NGX_HTTP_IM_READ, 0, argv, 3);
    }

    if (require->min_replicas) {
        ngx_str_set(&argv[2], "min-replicas-*");
        ngx_http_im_pipeline_add(p, NGX_HTTP_IM_READ, 0, argv, 3);
    }
}


ngx_uint_t
ngx_http_im_settings_check(const ngx_http_im_settings_t *require,
    ngx_http_im_cmd_t *cmd)
{
    ngx_uint_t  wanting;

    wanting = 0;

    if (require->appendonly || require->always) {
        wanting |= ngx_http_im_settings_setting(require,
                                    NGX_HTTP_IM_SETTINGS_APPENDONLY, cmd);
    }

    if (require->always) {
        wanting |= ngx_http_im_settings_setting(require,
                                    NGX_HTTP_IM_SETTINGS_APPENDFSYNC, cmd);
        wanting |= ngx_http_im_settings_setting(require,
                                    NGX_HTTP_IM_SETTINGS_ON_REWRITE, cmd);
    }

    if (require->min_replicas) {
        wanting |= ngx_http_im_settings_setting(require,
                                    NGX_HTTP_IM_SETTINGS_MIN_REPLICAS, cmd);
        wanting |= ngx_http_im_settings_setting(require,
                                    NGX_HTTP_IM_SETTINGS_MAX_LAG, cmd);
    }

    return wanting;
}


static ngx_uint_t
ngx_http_im_settings_setting(const ngx_http_im_settings_t *require,
    ngx_uint_t i, ngx_http_im_cmd_t *cmd)
{
    int64_t     n;
    ngx_str_t   value;
    ngx_uint_t  config, good;

    config = ngx_http_im_settings_config(cmd,
                                         &ngx_http_im_settings[i].config,
                                         &value);

    if (!config
        && !ngx_http_im_settings_info(cmd, &ngx_http_im_settings[i].info,
                                      &value))
    {
        return ngx_http_im_settings_unknown(i);
    }

    n = ngx_http_im_reply_atoi(value.data, value.len);

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

        if (!config && require->min_replicas > 1) {
            return ngx_http_im_settings_unknown(i);
        }

        good = !config || n >= (int64_t) require->min_replicas;
        break;

    default: /* NGX_HTTP_IM_SETTINGS_MAX_LAG */
        good = !config || n > 0;
    }

    return good ? 0 : ngx_http_im_settings_bad(i);
}


u_char *
ngx_http_im_settings_text(ngx_uint_t wanting, u_char *p, u_char *last)
{
    u_char      *start;
    ngx_uint_t   i;

    start = p;

    for (i = 0; i < NGX_HTTP_IM_SETTINGS_SETTINGS; i++) {

        if (wanting & ngx_http_im_settings_bad(i)) {
            p = ngx_slprintf(p, last, "%s%V", p == start ? "" : ", ",
                             &ngx_http_im_settings[i].text);
        }

        if (wanting & ngx_http_im_settings_unknown(i)) {
            p = ngx_slprintf(p, last, "%s%V is not shown by CONFIG GET",
                             p == start ? "" : ", ",
                             &ngx_http_im_settings[i].config);
        }
    }

    return p;
}


ngx_uint_t
ngx_http_im_settings_evicts(ngx_http_im_cmd_t *cmd)
{
    ngx_str_t  memory, policy;

    static const ngx_str_t  maxmemory = ngx_string("maxmemory");
    static const ngx_str_t  maxmemory_policy = ngx_string("maxmemory_policy");

    return ngx_http_im_settings_info(cmd, &maxmemory, &memory)
           && ngx_http_im_reply_atoi(memory.data, memory.len) > 0
           && ngx_http_im_settings_info(cmd, &maxmemory_policy, &policy)
           && !ngx_http_im_settings_is(&policy, "noeviction");
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
