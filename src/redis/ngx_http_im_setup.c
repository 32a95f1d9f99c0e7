
#include "ngx_http_im_setup.h"
#include "ngx_http_im_settings.h"
#include "ngx_http_im_sub.h"


/* in the pool of the job */

typedef struct {
    ngx_http_im_conn_t              *conn;
    const ngx_http_im_redis_conf_t  *conf;
    ngx_http_im_setup_handler_pt     handler;
    ngx_http_im_cmd_t               *trials;     /* the first one */
    ngx_http_im_cmd_t               *settings;   /* first one that asks */
    ngx_http_im_cmd_t               *slots;      /* CLUSTER SLOTS, or NULL */
    ngx_str_t                        refused;
} ngx_http_im_setup_ctx_t;


static ngx_http_im_setup_ctx_t *ngx_http_im_setup_create(
    ngx_http_im_conn_t *conn, const ngx_http_im_redis_conf_t *conf,
    ngx_http_im_jobs_t *jobs, ngx_http_im_setup_handler_pt handler);
static void ngx_http_im_setup_add(const ngx_http_im_redis_conf_t *conf,
    ngx_http_im_pipeline_t *p);
static void ngx_http_im_setup_add_trials(
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_pipeline_t *p);
static ngx_int_t ngx_http_im_setup_send(ngx_http_im_setup_ctx_t *ctx);
static ngx_uint_t ngx_http_im_setup_trial(ngx_http_im_setup_ctx_t *ctx,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_setup_publish(ngx_http_im_setup_ctx_t *ctx,
    ngx_http_im_reply_t *reply);
static ngx_uint_t ngx_http_im_setup_trial_error(ngx_http_im_setup_ctx_t *ctx,
    ngx_http_im_cmd_t *cmd);
static ngx_uint_t ngx_http_im_setup_refused(ngx_http_im_setup_ctx_t *ctx,
    ngx_str_t *commands, ngx_str_t *words);
static void ngx_http_im_setup_job_handler(ngx_http_im_job_t *job);


ngx_int_t
ngx_http_im_setup_start(ngx_http_im_conn_t *conn,
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_jobs_t *jobs,
    ngx_uint_t slots, ngx_http_im_setup_handler_pt handler)
{
    ngx_http_im_cmd_t        **trials;
    ngx_http_im_setup_ctx_t   *ctx;

    ctx = ngx_http_im_setup_create(conn, conf, jobs, handler);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_setup_add(conf, &conn->job->pipeline);

    if (slots) {
        ctx->slots = ngx_http_im_cmd_add_slots(&conn->job->pipeline);
    }

    trials = conn->job->pipeline.last;

    ngx_http_im_setup_add_trials(conf, &conn->job->pipeline);

    ctx->trials = *trials;

    return ngx_http_im_setup_send(ctx);
}


ngx_int_t
ngx_http_im_setup_check(ngx_http_im_conn_t *conn,
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_jobs_t *jobs,
    ngx_http_im_setup_handler_pt handler)
{
    ngx_http_im_setup_ctx_t  *ctx;

    ctx = ngx_http_im_setup_create(conn, conf, jobs, handler);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_im_setup_send(ctx);
}


static ngx_http_im_setup_ctx_t *
ngx_http_im_setup_create(ngx_http_im_conn_t *conn,
    const ngx_http_im_redis_conf_t *conf, ngx_http_im_jobs_t *jobs,
    ngx_http_im_setup_handler_pt handler)
{
    ngx_http_im_job_t        *job;
    ngx_http_im_setup_ctx_t  *ctx;

    job = ngx_http_im_job_create(jobs);
    if (job == NULL) {
        return NULL;
    }

    ctx = ngx_pcalloc(job->pool, sizeof(ngx_http_im_setup_ctx_t));
    if (ctx == NULL) {
        ngx_http_im_job_free(job);
        return NULL;
    }

    ctx->conn = conn;
    ctx->conf = conf;
    ctx->handler = handler;

    job->handler = ngx_http_im_setup_job_handler;
    job->data = ctx;

    conn->job = job;

    return ctx;
}


static void
ngx_http_im_setup_add(const ngx_http_im_redis_conf_t *conf,
    ngx_http_im_pipeline_t *p)
{
    u_char      db[NGX_INT_T_LEN];
    ngx_str_t   argv[3];
    ngx_uint_t  i;

    ngx_http_im_auth_add(&conf->auth, p);

    if (conf->database) {
        ngx_str_set(&argv[0], "SELECT");
        argv[1].data = db;
        argv[1].len = ngx_sprintf(db, "%i", conf->database) - db;
        ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv, 2);
    }

    for (i = 0; i < conf->nscripts; i++) {
        ngx_str_set(&argv[0], "SCRIPT");
        ngx_str_set(&argv[1], "LOAD");
        argv[2] = conf->scripts[i].text;
        ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv, 3);
    }
}


/*
 * Scripts that are refused half way through leave half of their writes, so
 * every right is tried before the server is used.  EVAL leaves the script for
 * the EVALSHA behind it, which tries nothing but itself.
 */

static void
ngx_http_im_setup_add_trials(const ngx_http_im_redis_conf_t *conf,
    ngx_http_im_pipeline_t *p)
{
    ngx_str_t    argv[5], *prefix;
    ngx_uint_t   i;

    prefix = conf->prefixes.elts;

    ngx_str_set(&argv[2], "0");

    for (i = 0; i < conf->prefixes.nelts; i++) {
        ngx_str_set(&argv[0], "EVAL");
        argv[1] = conf->trial->text;
        argv[3] = prefix[i];

        if (conf->publish
            && ngx_http_im_sub_channel(p->pool, conf, &prefix[i], &argv[4])
               != NGX_OK)
        {
            p->failed = 1;
            return;
        }

        ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv,
                            conf->publish ? 5 : 4);
    }

    if (i) {
        ngx_str_set(&argv[0], "EVALSHA");
        argv[1] = conf->trial->sha1;
        ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv, 3);
    }
}


/* the settings come last, and everything goes out in one write */

static ngx_int_t
ngx_http_im_setup_send(ngx_http_im_setup_ctx_t *ctx)
{
    ngx_http_im_cmd_t   *cmd, **settings;
    ngx_http_im_job_t   *job;
    ngx_http_im_conn_t  *conn;

    conn = ctx->conn;
    job = conn->job;
    settings = job->pipeline.last;

    ngx_http_im_settings_fetch(&ctx->conf->settings, &job->pipeline);

    if (job->pipeline.failed) {
        conn->job = NULL;
        ngx_http_im_job_free(job);
        return NGX_ERROR;
    }

    ctx->settings = *settings;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p setup job:%p commands:%ui",
                   conn, job, job->pipeline.n);

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {
        cmd->job = job;
        job->outstanding++;
        ngx_queue_insert_tail(&conn->setup, &cmd->queue);
    }

    (void) ngx_http_im_conn_flush(conn);

    return NGX_OK;
}


static void
ngx_http_im_setup_job_handler(ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t        *cmd;
    ngx_http_im_conn_t       *conn;
    ngx_uint_t                trial;
    ngx_http_im_setup_t       setup;
    ngx_http_im_setup_ctx_t  *ctx;

    ctx = job->data;
    conn = ctx->conn;
    trial = 0;

    ngx_memzero(&setup, sizeof(ngx_http_im_setup_t));

    setup.unmet = ngx_http_im_settings_check(&ctx->conf->settings,
                                             ctx->settings);

    for (cmd = job->pipeline.first; cmd != ctx->settings; cmd = cmd->next) {

        if (cmd == ctx->trials) {
            trial = 1;
        }

        if (trial) {
            setup.unmet |= ngx_http_im_setup_trial(ctx, cmd);

        } else if (cmd->reply.type == NGX_HTTP_IM_REPLY_ERROR) {
            setup.error = &cmd->reply.str;
            break;
        }
    }

    if (ctx->conf->cluster) {
        setup.unmet &= ~NGX_HTTP_IM_UNMET_CLUSTER;
        setup.slots = ctx->slots ? &ctx->slots->reply : NULL;
    }

    setup.refused = &ctx->refused;
    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p setup job:%p done, unmet:%xi error:%p",
                   conn, job, setup.unmet, setup.error);

    setup.evicts = ngx_http_im_settings_evicts(ctx->settings);
    setup.limit = ngx_http_im_settings_limit(ctx->settings,
                                             ctx->conf->reply_max);

    /* the job goes last, as the error is in its pool */

    conn->job = NULL;

    ctx->handler(conn, &setup);

    ngx_http_im_job_free(job);
}


/* what a trial found out, as bits; a reply of another form tells nothing */

static ngx_uint_t
ngx_http_im_setup_trial(ngx_http_im_setup_ctx_t *ctx, ngx_http_im_cmd_t *cmd)
{
    ngx_str_t             commands, words, state;
    ngx_uint_t            unmet;
    ngx_http_im_reply_t  *elts;

    if (cmd->reply.type == NGX_HTTP_IM_REPLY_ERROR) {
        return ngx_http_im_setup_trial_error(ctx, cmd);
    }

    elts = cmd->reply.elts;

    if (ngx_http_im_reply_array(&cmd->reply, ctx->conf->publish ? 4 : 3)
        != NGX_OK
        || ngx_http_im_reply_string(&elts[0], &commands) != NGX_OK
        || ngx_http_im_reply_string(&elts[1], &words) != NGX_OK
        || ngx_http_im_reply_string(&elts[2], &state) != NGX_OK)
    {
        return 0;
    }

    unmet = 0;

    if (ctx->conf->publish) {
        ngx_http_im_setup_publish(ctx, &elts[3]);
    }

    if (state.len == 7) {
        unmet = (ngx_strncmp(state.data, "replica", 7) == 0)
                ? NGX_HTTP_IM_UNMET_REPLICA : NGX_HTTP_IM_UNMET_CLUSTER;
    }

    if (commands.len) {
        unmet |= ngx_http_im_setup_refused(ctx, &commands, &words);
    }

    return unmet;
}


/* the store is used without events: nothing but streams needs them */

static void
ngx_http_im_setup_publish(ngx_http_im_setup_ctx_t *ctx,
    ngx_http_im_reply_t *reply)
{
    ngx_str_t                words;
    ngx_http_im_endpoint_t  *endpoint;

    endpoint = ctx->conn->endpoint;

    if (ngx_http_im_reply_string(reply, &words) != NGX_OK || words.len == 0) {
        endpoint->no_publish = 0;
        return;
    }

    if (endpoint->no_publish) {
        return;
    }

    endpoint->no_publish = 1;

    ngx_log_error(NGX_LOG_WARN, endpoint->log, 0,
                  "im store \"%V\": %V refuses to publish events: streams "
                  "are not told of messages: \"%V\"",
                  endpoint->store, ctx->conn->open.peer.name, &words);
}


/* EVAL or EVALSHA itself: refused for good, or for the moment */

static ngx_uint_t
ngx_http_im_setup_trial_error(ngx_http_im_setup_ctx_t *ctx,
    ngx_http_im_cmd_t *cmd)
{
    ngx_str_t  *error, eval = ngx_string("EVAL"),
               evalsha = ngx_string("EVALSHA");

    error = &cmd->reply.str;

    if (ngx_strlcasestrn(error->data, error->data + error->len,
                         (u_char *) "NOPERM", 6 - 1)
        || ngx_strlcasestrn(error->data, error->data + error->len,
                            (u_char *) "unknown command", 15 - 1))
    {
        return ngx_http_im_setup_refused(ctx, cmd->next == ctx->settings
                                              ? &evalsha : &eval, error);
    }

    return 0;
}


static ngx_uint_t
ngx_http_im_setup_refused(ngx_http_im_setup_ctx_t *ctx, ngx_str_t *commands,
    ngx_str_t *words)
{
    u_char  *p;

    if (ctx->refused.len) {
        return NGX_HTTP_IM_UNMET_RIGHTS;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->conn->endpoint->log, 0,
                   "im conn:%p setup trial refused: %V", ctx->conn, commands);

    ngx_str_set(&ctx->refused, "no memory");

    p = ngx_pnalloc(ctx->conn->job->pool, commands->len + words->len
                                          + sizeof(": \"\"") - 1);
    if (p) {
        ctx->refused.data = p;
        ctx->refused.len = ngx_sprintf(p, "%V: \"%V\"", commands, words) - p;
    }

    return NGX_HTTP_IM_UNMET_RIGHTS;
}


void
ngx_http_im_setup_abort(ngx_http_im_conn_t *conn)
{
    ngx_queue_t        *q;
    ngx_http_im_job_t  *job;

    while (!ngx_queue_empty(&conn->setup)) {
        q = ngx_queue_head(&conn->setup);
        ngx_queue_remove(q);

        ngx_http_im_cmd_complete(ngx_queue_data(q, ngx_http_im_cmd_t, queue),
                                 NGX_HTTP_IM_CMD_REFUSED);
    }

    job = conn->job;

    if (job == NULL) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p setup job:%p aborted, posted:%ui",
                   conn, job, (ngx_uint_t) job->posted);

    conn->job = NULL;

    /* all of its commands are complete, so it is posted */

    if (job->posted) {
        job->posted = 0;
        ngx_queue_remove(&job->ready);
    }

    ngx_http_im_job_free(job);
}
