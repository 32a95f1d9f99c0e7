
#include "ngx_http_im_sentinel.h"
#include "ngx_http_im_auth.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_probe.h"
#include "ngx_http_im_sentinel_addr.h"
#include "ngx_http_im_setup.h"


#define NGX_HTTP_IM_SENTINEL_EVERY   250     /* ms between two questions */
#define NGX_HTTP_IM_SENTINEL_PAUSE   50      /* as few as this, in doubt */


static ngx_int_t ngx_http_im_sentinel_init(ngx_http_im_sentinel_t *sentinel,
    u_char *buf, size_t size);
static void ngx_http_im_sentinel_moved(void *data);
static void ngx_http_im_sentinel_reply(ngx_http_im_conn_t *conn,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_sentinel_ready(ngx_http_im_conn_t *conn);
static void ngx_http_im_sentinel_closed(ngx_http_im_conn_t *conn,
    ngx_http_im_conn_e was, ngx_err_t err, const char *reason);
static void ngx_http_im_sentinel_timer(ngx_http_im_conn_t *conn);
static ngx_int_t ngx_http_im_sentinel_question(
    ngx_http_im_sentinel_t *sentinel);
static void ngx_http_im_sentinel_job_handler(ngx_http_im_job_t *job);
static const char *ngx_http_im_sentinel_answer(
    ngx_http_im_sentinel_t *sentinel, ngx_http_im_job_t *job);
static const char *ngx_http_im_sentinel_set(ngx_http_im_sentinel_t *sentinel,
    ngx_http_im_sentinel_addr_t *told, ngx_pool_t *pool);


static const ngx_http_im_conn_handlers_t  ngx_http_im_sentinel_handlers = {
    ngx_http_im_sentinel_reply,
    ngx_http_im_sentinel_ready,
    ngx_http_im_sentinel_closed,
    ngx_http_im_sentinel_timer,
    NULL
};


ngx_http_im_sentinel_t *
ngx_http_im_sentinel_create(const ngx_http_im_redis_conf_t *conf,
    ngx_http_im_jobs_t *jobs, ngx_http_im_addrs_t *addrs, u_char *buf,
    size_t size)
{
    ngx_http_im_sentinel_t  *sentinel;

    sentinel = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_im_sentinel_t));
    if (sentinel == NULL) {
        return NULL;
    }

    sentinel->conf = conf;
    sentinel->jobs = jobs;
    sentinel->addrs = addrs;
    sentinel->n = conf->sentinels.nelts;

    sentinel->connect_log = *jobs->log;
    sentinel->connect_log.log_level = NGX_LOG_ALERT;

    ngx_http_im_conn_log_init(&sentinel->log, jobs->log);

    if (ngx_http_im_sentinel_init(sentinel, buf, size) != NGX_OK) {
        return NULL;
    }

    return sentinel;
}


static ngx_int_t
ngx_http_im_sentinel_init(ngx_http_im_sentinel_t *sentinel, u_char *buf,
    size_t size)
{
    ngx_uint_t               i;
    ngx_http_im_stat_t      *stat;
    ngx_http_im_server_t    *server;
    ngx_http_im_endpoint_t  *endpoint;

    /* counted, but not with the connections of the store */

    stat = ngx_http_im_stat_create(ngx_cycle->pool, &sentinel->conf->name,
                                   NGX_HTTP_IM_STAT_STORE);

    endpoint = ngx_pcalloc(ngx_cycle->pool,
                           sentinel->n * sizeof(ngx_http_im_endpoint_t));

    if (stat == NULL || endpoint == NULL) {
        return NGX_ERROR;
    }

    sentinel->endpoints = endpoint;
    server = sentinel->conf->sentinels.elts;

    for (i = 0; i < sentinel->n; i++) {
        endpoint[i].handlers = &ngx_http_im_sentinel_handlers;
        endpoint[i].data = sentinel;
        endpoint[i].store = (ngx_str_t *) &sentinel->conf->name;
        endpoint[i].role = "Sentinel ";
        endpoint[i].connect_timeout = sentinel->conf->connect_timeout;
        endpoint[i].tls = sentinel->conf->tls.sentinel
                          ? (ngx_http_im_tls_t *) &sentinel->conf->tls : NULL;
        endpoint[i].buf = buf;
        endpoint[i].size = size;
        endpoint[i].pool = ngx_cycle->pool;
        endpoint[i].stat = stat;
        endpoint[i].log = sentinel->jobs->log;
        endpoint[i].connect_log = &sentinel->connect_log;

        /* a Sentinel has no ECHO */

        endpoint[i].no_echo = 1;

        ngx_http_im_addrs_init(&endpoint[i].addrs, sentinel->conf, &server[i],
                               ngx_http_im_sentinel_moved, sentinel,
                               sentinel->jobs->log);
    }

    return ngx_http_im_conn_init(&sentinel->conn, &endpoint[0]);
}


void
ngx_http_im_sentinel_connect(ngx_http_im_sentinel_t *sentinel)
{
    ngx_uint_t  i;

    if (sentinel == NULL) {
        return;
    }

    for (i = 0; i < sentinel->n; i++) {
        ngx_http_im_addrs_start(&sentinel->endpoints[i].addrs);
    }

    ngx_http_im_conn_connect(&sentinel->conn);
}


void
ngx_http_im_sentinel_exit(ngx_http_im_sentinel_t *sentinel)
{
    ngx_uint_t  i;

    if (sentinel == NULL) {
        return;
    }

    for (i = 0; i < sentinel->n; i++) {
        ngx_http_im_addrs_exit(&sentinel->endpoints[i].addrs);
    }

    ngx_http_im_conn_exit(&sentinel->conn);
    ngx_http_im_conn_log_close(&sentinel->log);
}


/* the name of a Sentinel has another address, or one at last */

static void
ngx_http_im_sentinel_moved(void *data)
{
    ngx_http_im_sentinel_t  *sentinel = data;

    ngx_http_im_conn_t  *conn;

    conn = &sentinel->conn;

    if (conn->connection == NULL && conn->timer.timer_set) {
        ngx_http_im_conn_connect(conn);
    }
}


void
ngx_http_im_sentinel_ask(ngx_http_im_sentinel_t *sentinel)
{
    ngx_msec_int_t       left;
    ngx_http_im_conn_t  *conn;

    if (sentinel == NULL) {
        return;
    }

    conn = &sentinel->conn;

    if (conn->state != NGX_HTTP_IM_CONN_READY || conn->job) {
        return;
    }

    left = sentinel->asked + NGX_HTTP_IM_SENTINEL_PAUSE - ngx_current_msec;

    ngx_add_timer(&conn->timer, (ngx_msec_t) ngx_max(left, 1));
}


static void
ngx_http_im_sentinel_reply(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_cmd_complete(cmd, NGX_HTTP_IM_CMD_DONE);
}


static void
ngx_http_im_sentinel_ready(ngx_http_im_conn_t *conn)
{
    if (conn->state == NGX_HTTP_IM_CONN_SETUP) {
        if (ngx_http_im_sentinel_question(conn->endpoint->data) != NGX_OK) {
            ngx_http_im_conn_close(conn, 0, "no memory");
        }

        return;
    }

    if (!ngx_queue_empty(&conn->setup)) {
        (void) ngx_http_im_conn_flush(conn);
    }
}


/* the next one at once, until all were tried */

static void
ngx_http_im_sentinel_closed(ngx_http_im_conn_t *conn, ngx_http_im_conn_e was,
    ngx_err_t err, const char *reason)
{
    ngx_queue_t             *q;
    ngx_http_im_sentinel_t  *sentinel;

    sentinel = conn->endpoint->data;

    while (!ngx_queue_empty(&conn->output.sent)) {
        q = ngx_queue_head(&conn->output.sent);
        ngx_queue_remove(q);

        ngx_http_im_cmd_complete(ngx_queue_data(q, ngx_http_im_cmd_t, queue),
                                 NGX_HTTP_IM_CMD_REFUSED);
    }

    ngx_http_im_setup_abort(conn);

    if (conn->exiting) {
        return;
    }

    ngx_http_im_conn_log_closed(&sentinel->log, conn, was, 0, err, reason);

    if (conn->next) {
        return;
    }

    sentinel->current = (sentinel->current + 1) % sentinel->n;

    conn->endpoint = &sentinel->endpoints[sentinel->current];
    conn->tried = 0;
    conn->next = (++sentinel->tried < sentinel->n);

    if (!conn->next) {
        sentinel->tried = 0;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, sentinel->jobs->log, 0,
                   "im sentinel:%p next:%ui at once:%ui",
                   sentinel, sentinel->current, (ngx_uint_t) conn->next);
}


static void
ngx_http_im_sentinel_timer(ngx_http_im_conn_t *conn)
{
    ngx_uint_t               serial;
    ngx_msec_t               next;
    ngx_http_im_sentinel_t  *sentinel;

    sentinel = conn->endpoint->data;
    serial = conn->serial;

    next = ngx_http_im_probe_expire(conn, sentinel->conf->timeout);

    if (conn->serial != serial || conn->state != NGX_HTTP_IM_CONN_READY) {
        return;
    }

    ngx_add_timer(&conn->timer, ngx_min(next, NGX_HTTP_IM_SENTINEL_EVERY));

    if (conn->job == NULL) {
        (void) ngx_http_im_sentinel_question(sentinel);
    }
}


static ngx_int_t
ngx_http_im_sentinel_question(ngx_http_im_sentinel_t *sentinel)
{
    ngx_str_t            argv[3];
    ngx_http_im_cmd_t   *cmd;
    ngx_http_im_job_t   *job;
    ngx_http_im_conn_t  *conn;

    conn = &sentinel->conn;

    job = ngx_http_im_job_create(sentinel->jobs);
    if (job == NULL) {
        return NGX_ERROR;
    }

    if (conn->state == NGX_HTTP_IM_CONN_SETUP) {
        ngx_http_im_auth_add(&sentinel->conf->sentinel_auth, &job->pipeline);
    }

    ngx_str_set(&argv[0], "SENTINEL");
    ngx_str_set(&argv[1], "GET-MASTER-ADDR-BY-NAME");
    argv[2] = sentinel->conf->master;

    ngx_http_im_cmd_add(&job->pipeline, NGX_HTTP_IM_SETUP, 0, argv, 3);

    if (job->pipeline.failed) {
        ngx_http_im_job_free(job);
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sentinel->jobs->log, 0,
                   "im sentinel:%p question job:%p", sentinel, job);

    job->handler = ngx_http_im_sentinel_job_handler;
    job->data = sentinel;

    conn->job = job;
    sentinel->asked = ngx_current_msec;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {
        cmd->job = job;
        job->outstanding++;
        ngx_queue_insert_tail(&conn->setup, &cmd->queue);
    }

    (void) ngx_http_im_conn_flush(conn);

    return NGX_OK;
}


static void
ngx_http_im_sentinel_job_handler(ngx_http_im_job_t *job)
{
    const char              *reason;
    ngx_http_im_conn_t      *conn;
    ngx_http_im_sentinel_t  *sentinel;

    sentinel = job->data;
    conn = &sentinel->conn;

    conn->job = NULL;

    reason = ngx_http_im_sentinel_answer(sentinel, job);

    if (reason) {
        ngx_http_im_conn_close(conn, 0, reason);

    } else if (conn->state == NGX_HTTP_IM_CONN_SETUP) {
        ngx_http_im_conn_log_ready(&sentinel->log, conn);
        ngx_http_im_conn_set_ready(conn);

        conn->backoff.failures = 0;
        sentinel->tried = 0;

        ngx_add_timer(&conn->timer, NGX_HTTP_IM_SENTINEL_EVERY);
    }

    ngx_http_im_job_free(job);
}


/* NULL, or why another Sentinel is to be asked */

static const char *
ngx_http_im_sentinel_answer(ngx_http_im_sentinel_t *sentinel,
    ngx_http_im_job_t *job)
{
    ngx_int_t                     rc;
    ngx_http_im_cmd_t            *cmd, *last;
    ngx_http_im_sentinel_addr_t   told;

    last = NULL;

    for (cmd = job->pipeline.first; cmd; cmd = cmd->next) {

        if (cmd->reply.type == NGX_HTTP_IM_REPLY_ERROR) {
            ngx_http_im_log_copy(&sentinel->conn.words, &cmd->reply.str,
                                 NGX_HTTP_IM_CONN_WORDS);
            return "it refuses the question";
        }

        last = cmd;
    }

    rc = ngx_http_im_sentinel_addr_parse(&last->reply, &told);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sentinel->jobs->log, 0,
                   "im sentinel:%p answer: %i", sentinel, rc);

    if (rc == NGX_DECLINED) {
        return "it does not know the master";
    }

    if (rc == NGX_ERROR) {
        return "it tells no valid address";
    }

    return ngx_http_im_sentinel_set(sentinel, &told, job->pool);
}


static const char *
ngx_http_im_sentinel_set(ngx_http_im_sentinel_t *sentinel,
    ngx_http_im_sentinel_addr_t *told, ngx_pool_t *pool)
{
    u_char                 text[sizeof(sentinel->text)];
    ngx_int_t              rc;
    ngx_str_t              str;
    ngx_addr_t             addr;
    ngx_uint_t             known;
    ngx_sockaddr_t         sa;
    ngx_http_im_server_t  *master;

    master = &sentinel->master;
    known = master->text.len;

    str.data = text;
    str.len = ngx_snprintf(text, sizeof(text),
                           ngx_strlchr(told->host.data, told->host.data
                                                        + told->host.len, ':')
                           ? "[%V]:%ui" : "%V:%ui",
                           &told->host, (ngx_uint_t) told->port)
              - text;

    if (ngx_http_im_str_eq(&str, &master->text)) {
        return NULL;
    }

    rc = ngx_parse_addr(pool, &addr, told->host.data, told->host.len);

    if (rc == NGX_ERROR) {
        return "no memory";
    }

    if (rc == NGX_DECLINED && sentinel->conf->resolver == NULL) {
        ngx_http_im_log_copy(&sentinel->conn.words, &str,
                             NGX_HTTP_IM_CONN_WORDS);
        return "it tells a name, and there is no \"resolver\" at http level";
    }

    ngx_log_error(NGX_LOG_NOTICE, sentinel->jobs->log, 0,
                  "im store \"%V\": Sentinel %V tells that the master is %V%s"
                  "%V", &sentinel->conf->name, sentinel->conn.open.peer.name,
                  &str, known ? ", it was " : "", &master->text);

    if (known) {
        ngx_http_im_stat_inc(sentinel->jobs->stat,
                             NGX_HTTP_IM_STAT_FAILOVERS);
    }

    ngx_memcpy(sentinel->text, text, str.len);
    master->text.data = sentinel->text;
    master->text.len = str.len;
    master->port = told->port;
    master->host.len = 0;

    if (rc == NGX_OK) {
        ngx_memcpy(&sa, addr.sockaddr, addr.socklen);
        ngx_inet_set_port(&sa.sockaddr, told->port);
        ngx_http_im_addrs_set(sentinel->addrs, master, &sa.sockaddr,
                              addr.socklen);
        return NULL;
    }

    ngx_memcpy(sentinel->host, told->host.data, told->host.len);
    master->host.data = sentinel->host;
    master->host.len = told->host.len;

    ngx_http_im_addrs_set(sentinel->addrs, master, NULL, 0);

    return NULL;
}
