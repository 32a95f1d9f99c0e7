
#include "ngx_http_im_conn.h"
#include "ngx_http_im_redis_error.h"


#define NGX_HTTP_IM_OUT_SIZE      65536
#define NGX_HTTP_IM_FEED_SIZE     4096
#define NGX_HTTP_IM_READ_TURN     262144
#define NGX_HTTP_IM_BACKOFF_MIN   50
#define NGX_HTTP_IM_BACKOFF_MAX   500

/* no reply is held for the sake of more than so many bytes behind it */
#define NGX_HTTP_IM_MARK_EVERY    65536


static void ngx_http_im_conn_timer_handler(ngx_event_t *ev);
static void ngx_http_im_conn_read_handler(ngx_event_t *rev);
static void ngx_http_im_conn_write_handler(ngx_event_t *wev);
static void ngx_http_im_conn_connected(ngx_http_im_conn_t *conn);
static ngx_int_t ngx_http_im_conn_decode(ngx_http_im_conn_t *conn, u_char *p,
    size_t len);
static ngx_int_t ngx_http_im_conn_replies(ngx_http_im_conn_t *conn);
static ngx_pool_t *ngx_http_im_conn_pool(ngx_http_im_conn_t *conn,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_conn_reply(ngx_http_im_conn_t *conn,
    ngx_http_im_cmd_t *cmd);
static ngx_http_im_cmd_t *ngx_http_im_conn_next(ngx_http_im_conn_t *conn);
static ngx_http_im_cmd_t *ngx_http_im_conn_take(ngx_http_im_conn_t *conn);
static void ngx_http_im_conn_fill(ngx_http_im_conn_t *conn);
static void ngx_http_im_conn_drop(ngx_http_im_conn_t *conn,
    const char *reason);


ngx_int_t
ngx_http_im_conn_init(ngx_http_im_conn_t *conn, ngx_http_im_redis_t *redis)
{
    conn->redis = redis;
    conn->state = NGX_HTTP_IM_CONN_DOWN;

    conn->timer.handler = ngx_http_im_conn_timer_handler;
    conn->timer.data = conn;
    conn->timer.log = redis->log;
    conn->timer.cancelable = 1;

    ngx_queue_init(&conn->sent);
    ngx_queue_init(&conn->held);
    ngx_queue_init(&conn->hello);

    conn->out = ngx_palloc(ngx_cycle->pool, NGX_HTTP_IM_OUT_SIZE);
    conn->marks = ngx_pcalloc(ngx_cycle->pool, NGX_HTTP_IM_MARKS
                                               * sizeof(ngx_http_im_mark_t));

    if (conn->out == NULL || conn->marks == NULL) {
        return NGX_ERROR;
    }

    conn->mark = (uint64_t) ngx_random() << 32;
    conn->end = conn->out + NGX_HTTP_IM_OUT_SIZE;

    return NGX_OK;
}


void
ngx_http_im_conn_connect(ngx_http_im_conn_t *conn)
{
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *pc;

    addr = conn->redis->store->servers.elts;

    pc = &conn->peer;
    ngx_memzero(pc, sizeof(ngx_peer_connection_t));

    pc->sockaddr = addr->sockaddr;
    pc->socklen = addr->socklen;
    pc->name = &addr->name;
    pc->get = ngx_event_get_peer;
    pc->log = &conn->redis->quiet;
    pc->log_error = NGX_ERROR_ERR;
    pc->so_keepalive = (addr->sockaddr->sa_family != AF_UNIX);

    if (ngx_http_im_decoder_init(&conn->decoder) != NGX_OK) {
        ngx_http_im_conn_fail(conn, 0, "out of memory");
        return;
    }

    rc = ngx_event_connect_peer(pc);

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, conn->redis->log, 0,
                   "im redis connect to %V: %i tries:%ui",
                   &addr->name, rc, conn->tries);

    conn->connection = pc->connection;

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_http_im_conn_fail(conn, ngx_socket_errno, "connect() failed");
        return;
    }

    c = pc->connection;
    c->data = conn;
    c->read->handler = ngx_http_im_conn_read_handler;
    c->write->handler = ngx_http_im_conn_write_handler;

    conn->state = NGX_HTTP_IM_CONN_CONNECTING;
    ngx_add_timer(&conn->timer, conn->redis->store->connect_timeout);

    if (rc == NGX_OK) {
        ngx_http_im_conn_connected(conn);
    }
}


static void
ngx_http_im_conn_connected(ngx_http_im_conn_t *conn)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = conn->connection;
    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_im_conn_fail(conn, err, "connect() failed");
        return;
    }

    if (conn->peer.sockaddr->sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
    }

    ngx_http_im_handshake(conn);
}


static void
ngx_http_im_conn_timer_handler(ngx_event_t *ev)
{
    ngx_http_im_conn_t  *conn;

    conn = ev->data;

    if (conn->state == NGX_HTTP_IM_CONN_DOWN) {
        ngx_http_im_conn_connect(conn);
        return;
    }

    if (conn->state == NGX_HTTP_IM_CONN_READY) {
        ngx_http_im_handshake_again(conn);
        return;
    }

    ngx_http_im_conn_fail(conn, 0, conn->state == NGX_HTTP_IM_CONN_CONNECTING
                                ? "connect() timed out"
                                : "the handshake timed out");
}


static void
ngx_http_im_conn_read_handler(ngx_event_t *rev)
{
    size_t               total;
    ssize_t              n;
    ngx_connection_t    *c;
    ngx_http_im_conn_t  *conn;

    c = rev->data;
    conn = c->data;

    if (c->close) {
        ngx_http_im_conn_close(conn);
        return;
    }

    if (conn->state == NGX_HTTP_IM_CONN_CONNECTING) {
        ngx_http_im_conn_connected(conn);

        if (conn->connection != c) {
            return;
        }
    }

    for (total = 0; total < NGX_HTTP_IM_READ_TURN; total += n) {

        n = c->recv(c, conn->redis->buf, 65536);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_http_im_conn_fail(conn, 0, "event error");
            }

            return;
        }

        if (n == 0) {
            ngx_http_im_conn_fail(conn, 0, "the server closed it");
            return;
        }

        if (n == NGX_ERROR) {
            ngx_http_im_conn_fail(conn, ngx_socket_errno, "recv() failed");
            return;
        }

        if (ngx_http_im_conn_decode(conn, conn->redis->buf, n) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, conn->redis->log, 0,
                          "im store \"%V\": %V sent an invalid reply: %s",
                          &conn->redis->store->name, conn->peer.name,
                          conn->decoder.error);
            ngx_http_im_conn_fail(conn, 0, "an invalid reply");
            return;
        }

        if (conn->renew && ngx_queue_empty(&conn->sent)) {
            ngx_http_im_conn_fail(conn, 0, "the server refuses commands");
            return;
        }

        /* what waited for these replies: the server is kept busy meanwhile */

        if (conn->state == NGX_HTTP_IM_CONN_READY
            && (ngx_http_im_lanes_ready(&conn->redis->lanes)
                || !ngx_queue_empty(&conn->hello)))
        {
            ngx_http_im_conn_flush(conn);

            if (conn->connection != c) {
                return;
            }
        }
    }

    /* others are served before the rest of a flood */

    ngx_post_event(rev, &ngx_posted_next_events);
}


/*
 * hiredis moves what is left of its buffer to the front after every reply,
 * so it gets little at a time.
 */

static ngx_int_t
ngx_http_im_conn_decode(ngx_http_im_conn_t *conn, u_char *p, size_t len)
{
    size_t  n;

    for ( /* void */ ; len; p += n, len -= n) {
        n = ngx_min(len, NGX_HTTP_IM_FEED_SIZE);

        if (ngx_http_im_decoder_feed(&conn->decoder, p, n) != NGX_OK
            || ngx_http_im_conn_replies(conn) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_conn_replies(ngx_http_im_conn_t *conn)
{
    ngx_int_t           rc;
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    while (!ngx_queue_empty(&conn->sent)) {
        q = ngx_queue_head(&conn->sent);
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        rc = ngx_http_im_decoder_next(&conn->decoder,
                                      ngx_http_im_conn_pool(conn, cmd));
        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        if (cmd == conn->partial) {
            conn->decoder.error = "a reply before its command";
            return NGX_ERROR;
        }

        conn->moved = ngx_current_msec;

        if (cmd->job) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&conn->held, q);

            cmd->reply = conn->decoder.root;
            cmd->size = conn->decoder.whole;

            continue;
        }

        if (!ngx_http_im_mark_proves(conn, cmd, &conn->decoder.root)) {
            return NGX_ERROR;
        }

        ngx_queue_remove(q);
        conn->nmarks--;

        while (!ngx_queue_empty(&conn->held)) {
            q = ngx_queue_head(&conn->held);
            ngx_queue_remove(q);

            cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
            ngx_http_im_conn_reply(conn, cmd);
        }
    }

    if (ngx_http_im_decoder_pending(&conn->decoder)) {
        conn->decoder.error = "a reply without a command";
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* where the reply is to be built: NULL, it is to be skipped */

static ngx_pool_t *
ngx_http_im_conn_pool(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd)
{
    ngx_queue_t        *q;
    ngx_http_im_job_t  *job;

    job = cmd->job;

    if (job) {
        return (job->released || job->expired) ? NULL : job->pool;
    }

    /* that of a mark is gone before those it stands behind are settled */

    q = ngx_queue_last(&conn->held);
    cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
    job = cmd->job;

    return job->pool;
}


static void
ngx_http_im_conn_reply(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd)
{
    ngx_str_t                  *error;
    ngx_http_im_job_t          *job;
    ngx_http_im_redis_error_e   refusal;

    job = cmd->job;

    ngx_http_im_stat_add(conn->redis->count, NGX_HTTP_IM_STAT_SENT, -1);

    cmd->generation = conn->redis->changed;

    if (job->released || job->expired) {
        ngx_http_im_stat_inc(conn->redis->count, NGX_HTTP_IM_STAT_LATE);
        ngx_http_im_redis_settle(cmd, NGX_HTTP_IM_CMD_UNKNOWN);
        return;
    }

    if (cmd->reply.type != NGX_HTTP_IM_REPLY_ERROR || job == conn->handshake) {
        ngx_http_im_redis_settle(cmd, NGX_HTTP_IM_CMD_DONE);
        return;
    }

    error = &cmd->reply.str;

    if (ngx_http_im_redis_error_eval(cmd, conn->redis->store->scripts,
                                     job->pool)) {
        ngx_http_im_redis_requeue(conn->redis, cmd);
        return;
    }

    refusal = ngx_http_im_redis_error_class(error);

    if (refusal) {
        job->reason = "the store refused the command";
        ngx_http_im_stat_inc(conn->redis->count, NGX_HTTP_IM_STAT_REFUSALS);
        conn->renew |= (refusal == NGX_HTTP_IM_REDIS_ERROR_FOR_GOOD);
        ngx_http_im_redis_settle(cmd, NGX_HTTP_IM_CMD_REFUSED);
        return;
    }

    ngx_http_im_redis_settle(cmd, NGX_HTTP_IM_CMD_DONE);
}


static void
ngx_http_im_conn_write_handler(ngx_event_t *wev)
{
    ngx_connection_t    *c;
    ngx_http_im_conn_t  *conn;

    c = wev->data;
    conn = c->data;

    if (conn->state == NGX_HTTP_IM_CONN_CONNECTING) {
        ngx_http_im_conn_connected(conn);
        return;
    }

    ngx_http_im_conn_flush(conn);
}


void
ngx_http_im_conn_flush(ngx_http_im_conn_t *conn)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->connection;

    for ( ;; ) {
        ngx_http_im_conn_fill(conn);

        if (conn->pos == conn->last) {
            return;
        }

        n = c->send(c, conn->pos, conn->last - conn->pos);

        ngx_log_debug2(NGX_LOG_DEBUG_CORE, c->log, 0,
                       "im redis send: %z of %z", n,
                       conn->last - conn->pos);

        if (n == NGX_ERROR) {
            ngx_http_im_conn_fail(conn, ngx_socket_errno, "send() failed");
            return;
        }

        if (n == NGX_AGAIN) {

            if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
                ngx_http_im_conn_fail(conn, 0, "event error");
            }

            return;
        }

        conn->pos += n;
        conn->written += n;
    }
}


/* what is to be written next */

static ngx_http_im_cmd_t *
ngx_http_im_conn_next(ngx_http_im_conn_t *conn)
{
    ngx_http_im_cmd_t  *cmd;

    if (conn->partial) {
        return conn->partial;
    }

    cmd = ngx_http_im_conn_take(conn);

    if (cmd == NULL) {
        return NULL;
    }

    if (ngx_queue_empty(&conn->sent)) {
        conn->moved = ngx_current_msec;
    }

    cmd->state = NGX_HTTP_IM_CMD_SENT;
    cmd->start = conn->serialised;
    ngx_queue_insert_tail(&conn->sent, &cmd->queue);

    conn->partial = cmd;
    conn->partial_done = 0;

    return cmd;
}


static ngx_http_im_cmd_t *
ngx_http_im_conn_take(ngx_http_im_conn_t *conn)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    if (conn->nmarks == NGX_HTTP_IM_MARKS) {
        return NULL;
    }

    if (conn->unmarked >= NGX_HTTP_IM_MARK_EVERY) {
        return ngx_http_im_mark(conn);
    }

    cmd = NULL;

    if (conn->renew) {
        /* void */

    } else if (!ngx_queue_empty(&conn->hello)) {
        q = ngx_queue_head(&conn->hello);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

    } else if (conn->state == NGX_HTTP_IM_CONN_READY) {
        cmd = ngx_http_im_lanes_next(&conn->redis->lanes);

        if (cmd) {
            ngx_http_im_redis_wait(conn->redis, -1);
        }
    }

    if (cmd == NULL) {
        return conn->unmarked ? ngx_http_im_mark(conn) : NULL;
    }

    conn->unmarked += cmd->owed + 1;

    ngx_http_im_stat_inc(conn->redis->count, NGX_HTTP_IM_STAT_COMMANDS);
    ngx_http_im_stat_inc(conn->redis->count, NGX_HTTP_IM_STAT_SENT);

    return cmd;
}


static void
ngx_http_im_conn_fill(ngx_http_im_conn_t *conn)
{
    size_t              n;
    ngx_http_im_cmd_t  *cmd;

    if (conn->pos == conn->last) {
        conn->pos = conn->out;
        conn->last = conn->out;
    }

    while (conn->last < conn->end) {

        cmd = ngx_http_im_conn_next(conn);

        if (cmd == NULL) {
            return;
        }

        n = ngx_min(cmd->resp.len - conn->partial_done,
                    (size_t) (conn->end - conn->last));

        conn->last = ngx_cpymem(conn->last,
                                cmd->resp.data + conn->partial_done, n);
        conn->serialised += n;
        conn->partial_done += n;

        if (conn->partial_done == cmd->resp.len) {
            conn->partial = NULL;
        }
    }
}


/* closes what there is of a connection and settles all that was sent on it */

static void
ngx_http_im_conn_drop(ngx_http_im_conn_t *conn, const char *reason)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;
    ngx_http_im_job_t  *job;

    if (conn->connection) {
        ngx_close_connection(conn->connection);
        conn->connection = NULL;
    }

    ngx_http_im_decoder_free(&conn->decoder);

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->state == NGX_HTTP_IM_CONN_READY) {
        ngx_http_im_stat_add(conn->redis->count, NGX_HTTP_IM_STAT_CONNECTED,
                             -1);
    }

    conn->state = NGX_HTTP_IM_CONN_DOWN;
    conn->redis->changed = ngx_current_msec;
    conn->renew = 0;

    /* what is held may not be what it seems */

    while (!ngx_queue_empty(&conn->held)) {
        q = ngx_queue_last(&conn->held);
        ngx_queue_remove(q);
        ngx_queue_insert_head(&conn->sent, q);

        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
        cmd->reply.type = NGX_HTTP_IM_REPLY_NIL;
        cmd->size = 0;
    }

    /* from the last to the first, as each goes back to the queue's head */

    while (!ngx_queue_empty(&conn->sent)) {
        q = ngx_queue_last(&conn->sent);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
        job = cmd->job;

        if (job == NULL) {
            continue;
        }

        ngx_http_im_stat_add(conn->redis->count, NGX_HTTP_IM_STAT_SENT, -1);

        if (job == conn->handshake || job->released || job->expired) {
            ngx_http_im_redis_settle(cmd, NGX_HTTP_IM_CMD_UNKNOWN);
            continue;
        }

        if (cmd->start >= conn->written) {
            ngx_http_im_redis_requeue(conn->redis, cmd);
            continue;
        }

        if (cmd->again && !cmd->retried) {
            cmd->retried = 1;
            ngx_http_im_redis_requeue(conn->redis, cmd);
            continue;
        }

        job->reason = reason;
        ngx_http_im_redis_settle(cmd, NGX_HTTP_IM_CMD_UNKNOWN);
    }

    while (!ngx_queue_empty(&conn->hello)) {
        q = ngx_queue_head(&conn->hello);
        ngx_queue_remove(q);
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
        ngx_http_im_redis_settle(cmd, NGX_HTTP_IM_CMD_REFUSED);
    }

    if (conn->handshake) {
        ngx_http_im_redis_release(conn->handshake);
        conn->handshake = NULL;
    }

    conn->nmarks = 0;
    conn->unmarked = 0;
    conn->partial = NULL;
    conn->pos = conn->out;
    conn->last = conn->out;
    conn->serialised = 0;
    conn->written = 0;
}


void
ngx_http_im_conn_fail(ngx_http_im_conn_t *conn, ngx_err_t err,
    const char *reason)
{
    ngx_msec_t            delay;
    ngx_uint_t            was_good, level;
    ngx_http_im_redis_t  *redis;

    redis = conn->redis;
    was_good = (conn->state == NGX_HTTP_IM_CONN_READY && !conn->renew);

    ngx_http_im_stat_inc(redis->count, (conn->state == NGX_HTTP_IM_CONN_READY)
                                    ? NGX_HTTP_IM_STAT_LOST
                                    : NGX_HTTP_IM_STAT_FAILURES);

    /* one line when it goes away, not one for every attempt after that */

    level = (conn->tries || redis->wanting) ? NGX_LOG_INFO : NGX_LOG_ERR;

    ngx_log_error(level, redis->log, err,
                  "im store \"%V\": lost the connection to %V: %s",
                  &redis->store->name, conn->peer.name, reason);

    ngx_http_im_conn_drop(conn, reason);

    if (was_good) {
        ngx_http_im_conn_connect(conn);
        return;
    }

    conn->tries++;

    delay = ngx_min((ngx_msec_t) NGX_HTTP_IM_BACKOFF_MIN
                    << ngx_min(conn->tries, 10),
                    NGX_HTTP_IM_BACKOFF_MAX);
    delay += ngx_random() % (delay / 2);

    ngx_add_timer(&conn->timer, delay);

    ngx_http_im_redis_down(redis);
}


void
ngx_http_im_conn_close(ngx_http_im_conn_t *conn)
{
    ngx_http_im_conn_drop(conn, "the worker is exiting");
    ngx_http_im_redis_down(conn->redis);
}
