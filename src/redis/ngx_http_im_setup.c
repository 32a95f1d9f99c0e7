
#include "ngx_http_im_conn.h"
#include "ngx_http_im_settings.h"


#define NGX_HTTP_IM_HANDSHAKE_AGAIN   5000    /* ms between two questions */
#define NGX_HTTP_IM_HANDSHAKE_TEXT    512


static void ngx_http_im_handshake_send(ngx_http_im_conn_t *conn,
    ngx_http_im_job_t *job);
static void ngx_http_im_handshake_ready(ngx_http_im_job_t *job);
static ngx_http_im_cmd_t *ngx_http_im_handshake_check(
    ngx_http_im_conn_t *conn, ngx_http_im_job_t *job);
static void ngx_http_im_handshake_checked(ngx_http_im_job_t *job);
static ngx_uint_t ngx_http_im_handshake_judge(ngx_http_im_conn_t *conn,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_handshake_retire(ngx_http_im_redis_t *redis);
static ngx_uint_t ngx_http_im_handshake_requires(ngx_http_im_redis_conf_t *store);


/*
 * The handshake is a job like any other, but for its queue: everything goes
 * out in one write, before the first command of a request.
 */

void
ngx_http_im_handshake(ngx_http_im_conn_t *conn)
{
    u_char                     db[NGX_INT_T_LEN];
    ngx_str_t                  argv[3];
    ngx_uint_t                 i;
    ngx_http_im_job_t         *job;
    ngx_http_im_pipeline_t    *p;
    ngx_http_im_redis_conf_t  *store;

    store = conn->redis->store;

    job = ngx_http_im_redis_job(conn->redis);
    if (job == NULL) {
        ngx_http_im_conn_fail(conn, 0, "out of memory");
        return;
    }

    job->handler = ngx_http_im_handshake_ready;
    job->data = conn;

    p = &job->pipeline;

    if (store->password.len) {
        ngx_str_set(&argv[0], "AUTH");
        argv[1] = store->username.len ? store->username : store->password;
        argv[2] = store->password;
        ngx_http_im_pipeline_add(p, NGX_HTTP_IM_UPSERT, 0, argv,
                                 store->username.len ? 3 : 2);
    }

    if (store->database) {
        ngx_str_set(&argv[0], "SELECT");
        argv[1].data = db;
        argv[1].len = ngx_sprintf(db, "%i", store->database) - db;
        ngx_http_im_pipeline_add(p, NGX_HTTP_IM_UPSERT, 0, argv, 2);
    }

    for (i = 0; i < NGX_HTTP_IM_SCRIPTS; i++) {
        ngx_str_set(&argv[0], "SCRIPT");
        ngx_str_set(&argv[1], "LOAD");
        argv[2] = store->scripts[i].text;
        ngx_http_im_pipeline_add(p, NGX_HTTP_IM_UPSERT, 0, argv, 3);
    }

    ngx_http_im_settings_fetch(&store->require, p);

    if (p->failed) {
        ngx_http_im_redis_release(job);
        ngx_http_im_conn_fail(conn, 0, "out of memory");
        return;
    }

    conn->state = NGX_HTTP_IM_CONN_HANDSHAKE;

    ngx_http_im_handshake_send(conn, job);
}


static void
ngx_http_im_handshake_send(ngx_http_im_conn_t *conn, ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t  *cmd;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {
        cmd->job = job;
        cmd->retried = 1;
        job->outstanding++;
        ngx_queue_insert_tail(&conn->hello, &cmd->queue);
    }

    conn->handshake = job;

    ngx_http_im_conn_flush(conn);
}


static void
ngx_http_im_handshake_ready(ngx_http_im_job_t *job)
{
    ngx_http_im_cmd_t   *cmd;
    ngx_http_im_conn_t  *conn;

    conn = job->data;

    cmd = ngx_http_im_handshake_check(conn, job);
    if (cmd == NULL) {
        return;
    }

    if (ngx_http_im_handshake_judge(conn, cmd)) {
        ngx_http_im_conn_fail(conn, 0, "the server is weaker than required");
        ngx_http_im_handshake_retire(conn->redis);
        return;
    }

    conn->handshake = NULL;
    ngx_http_im_redis_release(job);

    if (conn->tries) {
        ngx_log_error(NGX_LOG_NOTICE, conn->redis->log, 0,
                      "im store \"%V\": %V is reachable again",
                      &conn->redis->store->name, conn->peer.name);
    }

    ngx_del_timer(&conn->timer);

    if (ngx_http_im_handshake_requires(conn->redis->store)) {
        ngx_add_timer(&conn->timer, NGX_HTTP_IM_HANDSHAKE_AGAIN);
    }

    conn->tries = 0;
    conn->state = NGX_HTTP_IM_CONN_READY;

    ngx_http_im_stat_inc(conn->redis->count, NGX_HTTP_IM_STAT_CONNECTS);
    ngx_http_im_stat_inc(conn->redis->count, NGX_HTTP_IM_STAT_CONNECTED);

    ngx_http_im_redis_up(conn->redis);
}


/*
 * Returns the first of the questions after what must not be refused, NULL: the
 * connection has failed.
 */

static ngx_http_im_cmd_t *
ngx_http_im_handshake_check(ngx_http_im_conn_t *conn, ngx_http_im_job_t *job)
{
    ngx_uint_t                 n;
    ngx_http_im_cmd_t         *cmd;
    ngx_http_im_redis_conf_t  *store;

    store = conn->redis->store;

    n = (store->password.len != 0) + (store->database != 0)
        + NGX_HTTP_IM_SCRIPTS;

    for (cmd = job->pipeline.first; n; cmd = cmd->next, n--) {

        if (cmd->reply.type == NGX_HTTP_IM_REPLY_ERROR) {
            ngx_log_error(NGX_LOG_ERR, conn->redis->log, 0,
                          "im store \"%V\": %V refused the handshake: \"%V\"",
                          &store->name, conn->peer.name, &cmd->reply.str);
            ngx_http_im_conn_fail(conn, 0, "the handshake failed");
            return NULL;
        }
    }

    return cmd;
}


/* what is required may be changed while the connection is up */

void
ngx_http_im_handshake_again(ngx_http_im_conn_t *conn)
{
    ngx_http_im_job_t  *job;

    if (conn->handshake
        && ngx_current_msec - conn->moved >= conn->redis->store->timeout)
    {
        ngx_http_im_conn_fail(conn, 0, "no answer in time");
        return;
    }

    ngx_add_timer(&conn->timer, NGX_HTTP_IM_HANDSHAKE_AGAIN);

    if (conn->handshake || conn->renew) {
        return;
    }

    job = ngx_http_im_redis_job(conn->redis);
    if (job == NULL) {
        return;
    }

    job->handler = ngx_http_im_handshake_checked;
    job->data = conn;

    ngx_http_im_settings_fetch(&conn->redis->store->require, &job->pipeline);

    if (job->pipeline.failed) {
        ngx_http_im_redis_release(job);
        return;
    }

    ngx_http_im_handshake_send(conn, job);
}


static void
ngx_http_im_handshake_checked(ngx_http_im_job_t *job)
{
    ngx_uint_t           wanting;
    ngx_http_im_conn_t  *conn;

    conn = job->data;

    wanting = ngx_http_im_handshake_judge(conn, job->pipeline.first);

    conn->handshake = NULL;
    ngx_http_im_redis_release(job);

    if (wanting) {
        ngx_http_im_handshake_retire(conn->redis);
    }
}


/* logged once for the store, until it changes; returns what is wanting */

static ngx_uint_t
ngx_http_im_handshake_judge(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd)
{
    u_char                text[NGX_HTTP_IM_HANDSHAKE_TEXT], *last;
    ngx_uint_t            evicts, wanting;
    ngx_http_im_redis_t  *redis;

    redis = conn->redis;

    evicts = ngx_http_im_settings_evicts(cmd);

    if (evicts && !redis->evicts) {
        ngx_log_error(NGX_LOG_WARN, redis->log, 0,
                      "im store \"%V\": %V may evict messages: it has a "
                      "maxmemory, and its maxmemory-policy is not noeviction",
                      &redis->store->name, conn->peer.name);
    }

    redis->evicts = evicts;

    wanting = ngx_http_im_settings_check(&redis->store->require, cmd);

    if (wanting == redis->wanting) {
        return wanting;
    }

    redis->wanting = wanting;

    if (wanting) {
        last = ngx_http_im_settings_text(wanting, text, text + sizeof(text));

        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "im store \"%V\": %V is not used, it is weaker than "
                      "required: %*s", &redis->store->name, conn->peer.name,
                      (size_t) (last - text), text);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "im store \"%V\": %V has all that is required",
                      &redis->store->name, conn->peer.name);
    }

    return wanting;
}


/* all connections lead to the same server: no other is used either */

static void
ngx_http_im_handshake_retire(ngx_http_im_redis_t *redis)
{
    ngx_int_t            i;
    ngx_http_im_conn_t  *conn;

    for (i = 0; i < redis->store->connections; i++) {
        conn = &redis->conns[i];

        if (conn->state != NGX_HTTP_IM_CONN_READY) {
            continue;
        }

        conn->renew = 1;

        if (ngx_queue_empty(&conn->sent)) {
            ngx_http_im_conn_fail(conn, 0,
                                  "the server is weaker than required");
        }
    }
}


static ngx_uint_t
ngx_http_im_handshake_requires(ngx_http_im_redis_conf_t *store)
{
    return store->require.appendonly || store->require.always
           || store->require.min_replicas;
}
