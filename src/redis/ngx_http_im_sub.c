
#include "ngx_http_im_sub.h"
#include "ngx_http_im_conn.h"
#include "ngx_http_im_conn_log.h"
#include "ngx_http_im_job.h"


#define NGX_HTTP_IM_SUB_BUFFER   65536
#define NGX_HTTP_IM_SUB_FEED     4096
#define NGX_HTTP_IM_SUB_PING     5000       /* ms of silence */


struct ngx_http_im_sub_s {
    const ngx_http_im_redis_conf_t    *conf;
    ngx_str_t                          channel;
    const ngx_http_im_sub_handlers_t  *handlers;
    void                              *data;

    ngx_http_im_endpoint_t             endpoint;
    ngx_http_im_conn_t                 conn;
    ngx_http_im_conn_log_t             log;
    ngx_log_t                          connect_log;
    ngx_http_im_stat_t                *stat;      /* its own: the status shows
                                                     those for commands */
    ngx_pool_t                        *pool;      /* of one reply */
    ngx_uint_t                         replies;   /* to the setup, missing */
    uint32_t                           epoch;
    unsigned                           open:1;
    unsigned                           up:1;
    unsigned                           failed:1;
    unsigned                           asked:1;   /* PING, and no byte since */
};


static void ngx_http_im_sub_moved(void *data);
static void ngx_http_im_sub_ready(ngx_http_im_conn_t *conn);
static ngx_int_t ngx_http_im_sub_write(ngx_http_im_sub_t *sub,
    ngx_http_im_pipeline_t *p);
static void ngx_http_im_sub_closed(ngx_http_im_conn_t *conn,
    ngx_http_im_conn_e was, ngx_err_t err, const char *reason);
static void ngx_http_im_sub_timer(ngx_http_im_conn_t *conn);
static ngx_int_t ngx_http_im_sub_bytes(ngx_http_im_conn_t *conn, u_char *p,
    size_t len);
static ngx_int_t ngx_http_im_sub_replies(ngx_http_im_sub_t *sub);
static ngx_int_t ngx_http_im_sub_reply(ngx_http_im_sub_t *sub,
    ngx_http_im_reply_t *reply);
static ngx_int_t ngx_http_im_sub_setup(ngx_http_im_sub_t *sub,
    ngx_http_im_reply_t *reply);
static ngx_int_t ngx_http_im_sub_info(ngx_http_im_sub_t *sub,
    ngx_str_t *info);


static const ngx_http_im_conn_handlers_t  ngx_http_im_sub_conn_handlers = {
    NULL,
    ngx_http_im_sub_ready,
    ngx_http_im_sub_closed,
    ngx_http_im_sub_timer,
    ngx_http_im_sub_bytes
};


ngx_int_t
ngx_http_im_sub_channel(ngx_pool_t *pool,
    const ngx_http_im_redis_conf_t *conf, const ngx_str_t *prefix,
    ngx_str_t *channel)
{
    /* channels know no database */

    channel->data = ngx_pnalloc(pool, prefix->len + 1 + NGX_INT_T_LEN);
    if (channel->data == NULL) {
        return NGX_ERROR;
    }

    channel->len = ngx_sprintf(channel->data, "%Ve%i", prefix, conf->database)
                   - channel->data;

    return NGX_OK;
}


ngx_http_im_sub_t *
ngx_http_im_sub_create(const ngx_http_im_redis_conf_t *conf,
    ngx_str_t *channel, const ngx_http_im_sub_handlers_t *handlers, void *data)
{
    ngx_http_im_sub_t       *sub;
    ngx_http_im_endpoint_t  *endpoint;

    sub = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_im_sub_t));
    if (sub == NULL) {
        return NULL;
    }

    sub->conf = conf;
    sub->channel = *channel;
    sub->handlers = handlers;
    sub->data = data;

    sub->connect_log = *ngx_cycle->log;
    sub->connect_log.log_level = NGX_LOG_ALERT;

    ngx_http_im_conn_log_init(&sub->log, ngx_cycle->log);

    sub->pool = ngx_create_pool(4096, ngx_cycle->log);
    sub->stat = ngx_http_im_stat_create(ngx_cycle->pool, &conf->name,
                                        NGX_HTTP_IM_STAT_STORE);

    endpoint = &sub->endpoint;
    endpoint->handlers = &ngx_http_im_sub_conn_handlers;
    endpoint->data = sub;
    endpoint->store = (ngx_str_t *) &conf->name;
    endpoint->role = "";
    endpoint->connect_timeout = conf->connect_timeout;
    endpoint->tls = conf->tls.enable ? (ngx_http_im_tls_t *) &conf->tls : NULL;
    endpoint->pool = ngx_cycle->pool;
    endpoint->buf = ngx_palloc(ngx_cycle->pool, NGX_HTTP_IM_SUB_BUFFER);
    endpoint->size = NGX_HTTP_IM_SUB_BUFFER;
    endpoint->stat = sub->stat;
    endpoint->log = ngx_cycle->log;
    endpoint->connect_log = &sub->connect_log;

    if (sub->pool == NULL || sub->stat == NULL || endpoint->buf == NULL
        || ngx_http_im_conn_init(&sub->conn, endpoint) != NGX_OK)
    {
        return NULL;
    }

    ngx_http_im_addrs_init(&endpoint->addrs, conf, conf->servers.elts,
                           ngx_http_im_sub_moved, sub, ngx_cycle->log);

    return sub;
}


void
ngx_http_im_sub_open(ngx_http_im_sub_t *sub)
{
    if (sub->open) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, sub->endpoint.log, 0,
                   "im sub:%p open", sub);

    sub->open = 1;
    sub->failed = 0;
    sub->conn.exiting = 0;

    ngx_memzero(&sub->conn.backoff, sizeof(ngx_http_im_backoff_t));

    ngx_http_im_addrs_start(&sub->endpoint.addrs);
    ngx_http_im_conn_connect(&sub->conn);
}


void
ngx_http_im_sub_close(ngx_http_im_sub_t *sub)
{
    if (!sub->open) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, sub->endpoint.log, 0,
                   "im sub:%p close", sub);

    sub->open = 0;
    sub->up = 0;

    ngx_http_im_addrs_exit(&sub->endpoint.addrs);
    ngx_http_im_conn_exit(&sub->conn);
    ngx_http_im_conn_log_close(&sub->log);
}


void
ngx_http_im_sub_exit(ngx_http_im_sub_t *sub)
{
    ngx_http_im_sub_close(sub);
    ngx_destroy_pool(sub->pool);
}


ngx_uint_t
ngx_http_im_sub_has_failed(ngx_http_im_sub_t *sub)
{
    return sub->failed;
}


static void
ngx_http_im_sub_moved(void *data)
{
    ngx_http_im_sub_t *sub = data;

    ngx_http_im_conn_t  *conn;

    conn = &sub->conn;

    if (conn->state == NGX_HTTP_IM_CONN_READY) {
        ngx_http_im_conn_close(conn, 0, "the server has another address");

    } else if (conn->connection == NULL && conn->timer.timer_set) {
        ngx_http_im_conn_connect(conn);
    }
}


static void
ngx_http_im_sub_ready(ngx_http_im_conn_t *conn)
{
    ngx_str_t                        argv[3];
    ngx_http_im_sub_t               *sub;
    ngx_http_im_pipeline_t           p;
    const ngx_http_im_redis_conf_t  *conf;

    sub = conn->endpoint->data;
    conf = sub->conf;

    if (conn->state != NGX_HTTP_IM_CONN_SETUP) {
        return;
    }

    ngx_http_im_pipeline_init(&p, sub->pool);

    ngx_http_im_auth_add(&conf->auth, &p);

    ngx_str_set(&argv[0], "INFO");
    ngx_http_im_cmd_add(&p, NGX_HTTP_IM_SETUP, 0, argv, 1);

    ngx_str_set(&argv[0], "SUBSCRIBE");
    argv[1] = sub->channel;
    ngx_http_im_cmd_add(&p, NGX_HTTP_IM_SETUP, 0, argv, 2);

    sub->replies = p.n;
    sub->asked = 0;
    conn->input.error = NULL;

    (void) ngx_http_im_sub_write(sub, &p);
}


/* NGX_ERROR: the connection was closed */

static ngx_int_t
ngx_http_im_sub_write(ngx_http_im_sub_t *sub, ngx_http_im_pipeline_t *p)
{
    ngx_http_im_cmd_t     *cmd;
    ngx_http_im_conn_t    *conn;
    ngx_http_im_output_t  *out;

    conn = &sub->conn;
    out = &conn->output;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sub->endpoint.log, 0,
                   "im sub:%p write commands:%ui", sub, p->n);

    for (cmd = p->first; cmd && !p->failed; cmd = cmd->next) {

        if (ngx_http_im_output_append(out, cmd->resp.data, cmd->resp.len)
            != NGX_OK)
        {
            p->failed = 1;
        }
    }

    ngx_reset_pool(sub->pool);

    if (p->failed) {
        ngx_http_im_conn_close(conn, 0, "no room for a command");
        return NGX_ERROR;
    }

    return (ngx_http_im_conn_flush(conn) == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_im_sub_closed(ngx_http_im_conn_t *conn, ngx_http_im_conn_e was,
    ngx_err_t err, const char *reason)
{
    ngx_http_im_sub_t  *sub;

    sub = conn->endpoint->data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, sub->endpoint.log, 0,
                   "im sub:%p closed, was up:%d: %s",
                   sub, (int) sub->up, reason);

    ngx_reset_pool(sub->pool);

    if (conn->exiting) {
        return;
    }

    if (was != NGX_HTTP_IM_CONN_READY && !conn->next) {
        sub->failed = 1;
    }

    ngx_http_im_conn_log_closed(&sub->log, conn, was, conn->next, err, reason);

    if (sub->up) {
        sub->up = 0;
        sub->handlers->down(sub->data);
    }
}


/* a server that is silent is asked, and given up if that does not help */

static void
ngx_http_im_sub_timer(ngx_http_im_conn_t *conn)
{
    ngx_str_t                argv[1];
    ngx_http_im_sub_t       *sub;
    ngx_http_im_pipeline_t   p;

    sub = conn->endpoint->data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sub->endpoint.log, 0,
                   "im sub:%p is silent, asked:%d", sub, (int) sub->asked);

    if (sub->asked) {
        ngx_http_im_conn_close(conn, 0, "no reply to PING");
        return;
    }

    ngx_http_im_pipeline_init(&p, sub->pool);

    ngx_str_set(&argv[0], "PING");
    ngx_http_im_cmd_add(&p, NGX_HTTP_IM_SETUP, 0, argv, 1);

    sub->asked = 1;
    ngx_add_timer(&conn->timer, sub->conf->timeout);

    (void) ngx_http_im_sub_write(sub, &p);
}


static ngx_int_t
ngx_http_im_sub_bytes(ngx_http_im_conn_t *conn, u_char *p, size_t len)
{
    size_t              n;
    ngx_uint_t          serial;
    ngx_http_im_sub_t  *sub;

    sub = conn->endpoint->data;
    serial = conn->serial;

    if (sub->asked) {
        sub->asked = 0;
        ngx_add_timer(&conn->timer, NGX_HTTP_IM_SUB_PING);
    }

    for ( /* void */ ; len; p += n, len -= n) {
        n = ngx_min(len, NGX_HTTP_IM_SUB_FEED);

        if (ngx_http_im_decoder_feed(&conn->input.decoder, p, n) != NGX_OK
            || ngx_http_im_sub_replies(sub) != NGX_OK)
        {
            if (conn->input.error == NULL) {
                conn->input.error = "invalid reply";
            }

            return NGX_ERROR;
        }

        if (conn->serial != serial || conn->connection == NULL) {
            return NGX_OK;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_sub_replies(ngx_http_im_sub_t *sub)
{
    ngx_int_t               rc;
    ngx_http_im_decoder_t  *d;

    d = &sub->conn.input.decoder;

    for ( ;; ) {
        rc = ngx_http_im_decoder_next(d, sub->pool);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc != NGX_OK || ngx_http_im_sub_reply(sub, &d->root) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_reset_pool(sub->pool);
    }
}


static ngx_int_t
ngx_http_im_sub_reply(ngx_http_im_sub_t *sub, ngx_http_im_reply_t *reply)
{
    ngx_str_t  kind, row;

    if (sub->replies) {
        return ngx_http_im_sub_setup(sub, reply);
    }

    /* "message", channel, row; or "pong", "" */

    if (reply->type != NGX_HTTP_IM_REPLY_ARRAY || reply->nelts < 2
        || ngx_http_im_reply_string(&reply->elts[0], &kind) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (kind.len != 7 || reply->nelts != 3) {
        return NGX_OK;
    }

    if (ngx_http_im_reply_string(&reply->elts[2], &row) != NGX_OK) {
        return NGX_ERROR;
    }

    if (row.len) {
        sub->handlers->row(sub->data, &row);
    }

    return NGX_OK;
}


/* the last of these replies is that to SUBSCRIBE, the one before to INFO */

static ngx_int_t
ngx_http_im_sub_setup(ngx_http_im_sub_t *sub, ngx_http_im_reply_t *reply)
{
    ngx_str_t            info;
    ngx_http_im_conn_t  *conn;

    conn = &sub->conn;

    if (reply->type == NGX_HTTP_IM_REPLY_ERROR) {
        ngx_http_im_log_copy(&conn->words, &reply->str,
                             NGX_HTTP_IM_CONN_WORDS);
        conn->input.error = "the subscription was refused";
        return NGX_ERROR;
    }

    sub->replies--;

    if (sub->replies == 1) {

        if (ngx_http_im_reply_string(reply, &info) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_im_sub_info(sub, &info);
    }

    if (sub->replies) {
        return NGX_OK;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sub->endpoint.log, 0,
                   "im sub:%p is up, epoch:%08xD", sub, sub->epoch);

    ngx_http_im_conn_log_ready(&sub->log, conn);
    ngx_http_im_conn_set_ready(conn);
    ngx_add_timer(&conn->timer, NGX_HTTP_IM_SUB_PING);
    conn->backoff.failures = 0;

    sub->up = 1;
    sub->failed = 0;
    sub->handlers->up(sub->data, sub->epoch);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_sub_info(ngx_http_im_sub_t *sub, ngx_str_t *info)
{
    u_char  *p, *last;

    last = info->data + info->len;

    /* a replica tells of a message later, and not of its failover */

    if (ngx_strlcasestrn(info->data, last, (u_char *) "role:slave", 10 - 1)) {
        sub->conn.input.error = "it is a replica";
        return NGX_ERROR;
    }

    p = ngx_strlcasestrn(info->data, last, (u_char *) "run_id:", 7 - 1);

    sub->epoch = 0;

    if (p && last - p >= 7 + 40) {
        sub->epoch = ngx_murmur_hash2(p + 7, 40);
    }

    return NGX_OK;
}
