
/*
 * What stands in a configuration: the directives of the module, in the blocks
 * that they may stand in, parsed by nginx and set by the module's own tables.
 * Input: the first line of a password file, LF, the inside of an http block.
 *
 * There is "location NAME { }", which may be nested; a name "=x" is exact, "@x"
 * named, "if" an if block, "limit" a limit_except.  Host names have the address
 * 127.0.0.1.  What is accepted must be in the bounds that the documentation
 * tells; what is refused must be said so.
 */

#include "ngx_http_im_module.c"
#include "ngx_http_im_server.h"
#include "fuzz.h"

#include <netdb.h>
#include <sys/mman.h>


#define FUZZ_LOCATIONS  16


typedef struct {
    ngx_http_im_loc_conf_t     *up;
    ngx_http_conf_ctx_t        *ctx;
} fuzz_location_t;


static char *fuzz_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_http_conf_ctx_t *fuzz_ctx(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *up);
static void fuzz_options(ngx_http_im_options_t *o);
static void fuzz_store(ngx_http_im_redis_conf_t *store);


static ngx_command_t  fuzz_commands[] = {

    { ngx_string("location"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      fuzz_location,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


/* stands for the core module of http */

ngx_module_t  ngx_http_core_module = {
    NGX_MODULE_V1,
    NULL,
    fuzz_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


static ngx_module_t  *fuzz_modules[] = {
    &ngx_http_core_module,
    &ngx_http_im_module,
    NULL
};


ngx_module_t            ngx_http_module;
ngx_module_t            ngx_core_module;
ngx_uint_t              ngx_dump_config;
ngx_uint_t              ngx_process;

static fuzz_location_t  fuzz_seen[FUZZ_LOCATIONS];
static ngx_uint_t       fuzz_nseen;
static ngx_str_t        fuzz_password;
static char             fuzz_file[64];
static int              fuzz_fd = -1;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                       *rv;
    ngx_buf_t                   b;
    ngx_str_t                   text;
    ngx_conf_t                  cf;
    ngx_uint_t                  i, refusals;
    ngx_pool_t                 *pool;
    ngx_cycle_t                 cycle;
    const uint8_t              *p, *last;
    ngx_conf_file_t             file;
    ngx_http_im_pass_t        **pass;
    ngx_http_conf_ctx_t        *ctx;
    ngx_http_im_main_conf_t    *imcf;
    ngx_http_im_redis_conf_t  **store;

    if (size > 3500) {
        return 0;
    }

    p = data;
    last = data + size;

    fuzz_password = fuzz_until(&p, last, '\n');
    text.data = (u_char *) p;
    text.len = last - p;

    pool = fuzz_pool();

    ngx_http_core_module.ctx_index = 0;
    ngx_http_im_module.ctx_index = 1;

    ngx_memzero(&cycle, sizeof(ngx_cycle_t));
    cycle.modules = fuzz_modules;
    cycle.log = &fuzz_log;
    cycle.pool = pool;

    ngx_memzero(&file, sizeof(ngx_conf_file_t));
    ngx_str_set(&file.file.name, "fuzz.conf");
    file.file.fd = 0;
    file.line = 1;
    file.buffer = &b;

    /* it is the rest of a block, of a file of which nothing is left to read */

    ngx_memzero(&b, sizeof(ngx_buf_t));
    b.start = ngx_pnalloc(pool, text.len + 2);
    b.pos = b.start;
    b.last = ngx_cpymem(b.start, text.data, text.len);
    *b.last++ = '\n';
    *b.last++ = '}';
    b.end = b.last;

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.args = ngx_array_create(pool, 10, sizeof(ngx_str_t));
    cf.temp_pool = pool;
    cf.pool = pool;
    cf.cycle = &cycle;
    cf.conf_file = &file;
    cf.log = &fuzz_log;
    cf.module_type = NGX_HTTP_MODULE;
    cf.cmd_type = NGX_HTTP_MAIN_CONF;

    fuzz_nseen = 0;
    fuzz_conf = 1;
    refusals = fuzz_refusals;

    ctx = fuzz_ctx(&cf, NULL);
    cf.ctx = ctx;

    imcf = ctx->main_conf[1];

    rv = ngx_conf_parse(&cf, NULL);

    /* as nginx does: blocks from the outside in, then the module as a whole */

    for (i = 0; rv == NGX_CONF_OK && i < fuzz_nseen; i++) {
        cf.ctx = fuzz_seen[i].ctx;
        rv = ngx_http_im_merge_loc_conf(&cf, fuzz_seen[i].up,
                                        fuzz_seen[i].ctx->loc_conf[1]);
    }

    cf.ctx = ctx;

    if (rv == NGX_CONF_OK && ngx_http_im_postconfiguration(&cf) != NGX_OK) {
        rv = NGX_CONF_ERROR;
    }

    fuzz_conf = 0;

    if (rv != NGX_CONF_OK) {
        fuzz_assert(rv == NGX_CONF_ERROR);
        fuzz_assert(fuzz_refusals > refusals);
        goto done;
    }

    fuzz_assert(fuzz_refusals == refusals);

    for (i = 0; i < fuzz_nseen; i++) {
        fuzz_options(&((ngx_http_im_loc_conf_t *)
                       fuzz_seen[i].ctx->loc_conf[1])->options);
    }

    store = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {
        fuzz_store(store[i]);
        fuzz_assert(imcf->stat_zone == NULL || store[i]->stat);
    }

    pass = imcf->passes.elts;

    for (i = 0; i < imcf->passes.nelts; i++) {
        fuzz_assert(pass[i]->store && pass[i]->prefix);
    }

    fuzz_assert((imcf->stat_zone != NULL)
                == (imcf->passes.nelts != 0 || imcf->status));

    fuzz_assert(imcf->passes.nelts == 0
                || (imcf->cache != NULL) == !imcf->cache_off);

done:

    ngx_destroy_pool(pool);

    return 0;
}


static ngx_http_conf_ctx_t *
fuzz_ctx(ngx_conf_t *cf, ngx_http_conf_ctx_t *up)
{
    ngx_http_conf_ctx_t  *ctx;

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_http_conf_ctx_t));
    ctx->loc_conf = ngx_pcalloc(cf->pool, 2 * sizeof(void *));

    if (up == NULL) {
        ctx->main_conf = ngx_pcalloc(cf->pool, 2 * sizeof(void *));
        ctx->main_conf[1] = ngx_http_im_create_main_conf(cf);
        fuzz_assert(ctx->main_conf[1]);

    } else {
        ctx->main_conf = up->main_conf;
    }

    ctx->loc_conf[0] = ngx_pcalloc(cf->pool, sizeof(ngx_http_core_loc_conf_t));
    ctx->loc_conf[1] = ngx_http_im_create_loc_conf(cf);
    fuzz_assert(ctx->loc_conf[1]);

    return ctx;
}


static char *
fuzz_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_conf_t                 save;
    ngx_http_conf_ctx_t       *up, *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    if (fuzz_nseen == FUZZ_LOCATIONS || value[1].len == 0) {
        return "is one too many";
    }

    up = cf->ctx;
    ctx = fuzz_ctx(cf, up);

    clcf = ctx->loc_conf[0];
    clcf->name = value[1];
    clcf->exact_match = (value[1].data[0] == '=');
    clcf->named = (value[1].data[0] == '@');
    clcf->noname = (ngx_strcmp(value[1].data, "if") == 0);
    clcf->lmt_excpt = (ngx_strcmp(value[1].data, "limit") == 0);
    clcf->client_max_body_size = 1024 * 1024;

    fuzz_seen[fuzz_nseen].up = up->loc_conf[1];
    fuzz_seen[fuzz_nseen++].ctx = ctx;

    save = *cf;
    cf->ctx = ctx;
    cf->cmd_type = NGX_HTTP_LOC_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static void
fuzz_options(ngx_http_im_options_t *o)
{
    size_t  i;

    fuzz_assert(o->max_body_size >= 1 && o->max_body_size <= 1024 * 1024);
    fuzz_assert(o->max_message_size >= 1
                && o->max_message_size <= o->max_body_size);
    fuzz_assert(o->list_max >= 1 && o->list_max <= 10000);
    fuzz_assert(o->page_size_max >= 1 && o->page_size_max <= 10000);
    fuzz_assert(o->group_max_members >= 1 && o->group_max_members <= 10000);
    fuzz_assert(o->groups_max >= 1 && o->groups_max <= 10000);
    fuzz_assert(o->group_add <= NGX_HTTP_IM_GROUP_ADD_TRUSTED);
    fuzz_assert(o->idempotency_window < NGX_CONF_UNSET_MSEC);
    fuzz_assert(o->recall_window <= NGX_HTTP_IM_RECALL_OFF);
    fuzz_assert(o->reply_full <= 1);
    fuzz_assert(o->read_on_fetch == 0 || o->read_on_fetch == 1);

    for (i = 0; i < o->key_prefix.len; i++) {
        fuzz_assert(strchr("{} \t\r\n\177", o->key_prefix.data[i]) == NULL);
    }
}


static void
fuzz_store(ngx_http_im_redis_conf_t *store)
{
    ngx_http_im_server_t  *server;

    fuzz_assert(store->servers.nelts == 1);

    server = store->servers.elts;
    fuzz_assert(server->text.len);

    if (store->master.len) {
        fuzz_assert(store->sentinels.nelts && server->naddrs == 0
                    && server->host.len == 0);
        server = store->sentinels.elts;
    }

    fuzz_assert(server->host.len || server->naddrs == 1);
    fuzz_assert(store->sentinel_auth.username.len == 0
                || store->sentinel_auth.password.len);
    fuzz_assert(!store->tls.enable && !store->tls.sentinel);

    fuzz_assert(store->database >= 0 && store->database <= 1000000);
    fuzz_assert(store->connections >= 1 && store->connections <= 64);
    fuzz_assert(store->max_pending >= 1 && store->max_pending <= 10000000);
    fuzz_assert(store->timeout >= 1 && store->timeout <= 86400000);
    fuzz_assert(store->connect_timeout >= 1
                && store->connect_timeout <= 86400000);
    fuzz_assert(store->auth.username.len == 0 || store->auth.password.len);
    fuzz_assert(store->settings.appendonly <= 1 && store->settings.always <= 1
                && store->settings.min_replicas <= 1000);
}


/* --- what the module calls of nginx, NDK and its own other parts */

/* its arguments are constant here, and the values of a request */

char *
ndk_set_var_multi_value(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value, res, back;
    ngx_connection_t            c;
    ngx_http_request_t          r;
    ngx_http_variable_value_t   v[2];

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '$') {
        return "is not given a variable";
    }

    c.log = cf->log;

    r.connection = &c;
    r.pool = cf->pool;

    v[0].data = value[2].data;
    v[0].len = value[2].len;
    v[1].data = value[3].data;
    v[1].len = value[3].len;

    fuzz_assert(((ndk_set_var_t *) cmd->post)->size == 2);

    fuzz_assert(ngx_http_im_conv_id_set(&r, &res, v) == NGX_OK);
    fuzz_assert(res.len == 0 || ngx_http_im_id_is_pair(&res));

    v[0].data = value[3].data;
    v[0].len = value[3].len;
    v[1].data = value[2].data;
    v[1].len = value[2].len;

    fuzz_assert(ngx_http_im_conv_id_set(&r, &back, v) == NGX_OK);
    fuzz_assert(back.len == res.len
                && (res.len == 0
                    || memcmp(back.data, res.data, res.len) == 0));

    return NGX_CONF_OK;
}


char *
ngx_http_set_complex_value_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    void  **field;

    field = (void **) ((char *) conf + cmd->offset);

    if (*field != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    *field = cf;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_script_variables_count(ngx_str_t *value)
{
    ngx_uint_t  i, n;

    for (n = 0, i = 0; i < value->len; i++) {
        n += (value->data[i] == '$');
    }

    return n;
}


ngx_int_t
ngx_http_compile_complex_value(ngx_http_compile_complex_value_t *ccv)
{
    ccv->complex_value->value = *ccv->value;

    return NGX_OK;
}


/* no request asks who the caller is */

ngx_int_t
ngx_http_complex_value(ngx_http_request_t *r, ngx_http_complex_value_t *val,
    ngx_str_t *value)
{
    return NGX_ERROR;
}


char *
ngx_http_im_health_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_loc_conf_t  *lcf = conf;

    ngx_http_im_main_conf_t  *imcf;

    if (lcf->health || lcf->pass || lcf->status) {
        return "is duplicate";
    }

    lcf->health = 1;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);
    imcf->has_health = 1;

    return NGX_CONF_OK;
}


ngx_http_im_health_t *
ngx_http_im_health_create(ngx_pool_t *pool)
{
    return ngx_pcalloc(pool, 1);
}


ngx_int_t
ngx_http_im_health_handler(ngx_http_request_t *r)
{
    return NGX_OK;
}


ngx_http_variable_t *
ngx_http_add_variable(ngx_conf_t *cf, ngx_str_t *name, ngx_uint_t flags)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_variable_t));
}


void
ngx_http_im_body_end(ngx_http_im_body_t *body)
{
}


ngx_int_t
ngx_http_im_handler_init(ngx_conf_t *cf, ngx_http_im_main_conf_t *imcf)
{
    return NGX_OK;
}


size_t
ngx_http_im_body_max(ngx_http_request_t *r, ngx_http_im_ctx_t *ctx)
{
    return 0;
}


size_t
ngx_http_im_body_limit(ngx_http_core_loc_conf_t *clcf, size_t max)
{
    return max;
}


ngx_int_t
ngx_http_im_handler(ngx_http_request_t *r)
{
    return NGX_OK;
}


ngx_http_im_store_t *
ngx_http_im_store_get(ngx_http_im_redis_conf_t *conf)
{
    return NULL;
}


void
ngx_http_im_store_close(ngx_http_im_redis_conf_t *conf)
{
}


/* a status that is set is never asked for */

ngx_int_t
ngx_http_discard_request_body(ngx_http_request_t *r)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_http_arg(ngx_http_request_t *r, u_char *name, size_t len,
    ngx_str_t *value)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_send_header(ngx_http_request_t *r)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_http_output_filter(ngx_http_request_t *r, ngx_chain_t *chain)
{
    return NGX_ERROR;
}


void
ngx_time_update(void)
{
}


/* whatever file is named, it is this one */

ngx_int_t
ngx_get_full_name(ngx_pool_t *pool, ngx_str_t *prefix, ngx_str_t *name)
{
    if (fuzz_fd == -1) {
        fuzz_fd = memfd_create("password", 0);
        snprintf(fuzz_file, sizeof(fuzz_file), "/proc/self/fd/%d", fuzz_fd);
    }

    fuzz_assert(ftruncate(fuzz_fd, 0) == 0);
    fuzz_assert(pwrite(fuzz_fd, fuzz_password.data, fuzz_password.len, 0)
                == (ssize_t) fuzz_password.len);

    name->data = (u_char *) fuzz_file;
    name->len = strlen(fuzz_file);

    return NGX_OK;
}


int
__wrap_getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    struct sockaddr_in  *sin;

    if (strchr(node, '!')) {
        return EAI_NONAME;
    }

    *res = calloc(1, sizeof(struct addrinfo) + sizeof(struct sockaddr_in));
    sin = (struct sockaddr_in *) (*res + 1);

    sin->sin_family = AF_INET;
    sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    (*res)->ai_family = AF_INET;
    (*res)->ai_socktype = SOCK_STREAM;
    (*res)->ai_addrlen = sizeof(struct sockaddr_in);
    (*res)->ai_addr = (struct sockaddr *) sin;

    return 0;
}


void
__wrap_freeaddrinfo(struct addrinfo *res)
{
    free(res);
}
