
#include "ngx_http_im_conn.h"
#include "ngx_http_im_job.h"
#include "ngx_http_im_log_limit.h"


#define NGX_HTTP_IM_READ_TURN     262144


static void ngx_http_im_conn_opened(void *data, ngx_err_t err,
    const char *reason);
static void ngx_http_im_conn_timer_handler(ngx_event_t *ev);
static void ngx_http_im_conn_read_handler(ngx_event_t *rev);
static void ngx_http_im_conn_write_handler(ngx_event_t *wev);
static ngx_int_t ngx_http_im_conn_input(ngx_http_im_conn_t *conn, size_t n);
static void ngx_http_im_conn_read_rest(ngx_http_im_conn_t *conn);
static ngx_int_t ngx_http_im_conn_recv(ngx_http_im_conn_t *conn, ssize_t *n);
static void ngx_http_im_conn_reply(void *data, ngx_http_im_cmd_t *cmd);
static void ngx_http_im_conn_denied(void *data, ngx_str_t *error);
static void ngx_http_im_conn_reset(ngx_http_im_conn_t *conn);


static const ngx_http_im_input_handlers_t  ngx_http_im_conn_input_handlers = {
    ngx_http_im_conn_reply,
    ngx_http_im_conn_denied
};


ngx_int_t
ngx_http_im_conn_init(ngx_http_im_conn_t *conn,
    ngx_http_im_endpoint_t *endpoint)
{
    conn->endpoint = endpoint;
    conn->state = NGX_HTTP_IM_CONN_DOWN;

    conn->timer.handler = ngx_http_im_conn_timer_handler;
    conn->timer.data = conn;
    conn->timer.log = endpoint->log;
    conn->timer.cancelable = 1;

    ngx_queue_init(&conn->input.held);
    ngx_queue_init(&conn->setup);

    conn->words.data = conn->words_buf;

    conn->open.handler = ngx_http_im_conn_opened;
    conn->open.data = conn;

    ngx_http_im_open_init(&conn->open, endpoint->log, &conn->words,
                          NGX_HTTP_IM_CONN_WORDS);

    return ngx_http_im_output_init(&conn->output, endpoint->pool,
                                   endpoint->stat, endpoint->log);
}


void
ngx_http_im_conn_connect(ngx_http_im_conn_t *conn)
{
    ngx_int_t                rc;
    ngx_http_im_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    conn->paced = 0;

    rc = ngx_http_im_addrs_get(&endpoint->addrs, &conn->open.addr);

    if (rc == NGX_OK && ngx_http_im_input_init(&conn->input) != NGX_OK) {
        ngx_http_im_conn_close(conn, 0, "no memory");
        return;
    }

    conn->state = NGX_HTTP_IM_CONN_CONNECTING;

    rc = ngx_http_im_open_start(&conn->open, endpoint->tls,
                                &endpoint->addrs.server->host,
                                endpoint->connect_log);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, endpoint->log, 0,
                   "im conn:%p connect to %V: %i, failures:%ui",
                   conn, conn->open.peer.name, rc, conn->backoff.failures);

    if (rc == NGX_DECLINED) {

        /* the node is told of the first address, and comes here again */

        ngx_add_timer(&conn->timer, endpoint->connect_timeout);
        return;
    }

    conn->connection = conn->open.peer.connection;
    conn->serial++;

    if (rc == NGX_ERROR) {
        conn->state = NGX_HTTP_IM_CONN_DOWN;
        ngx_http_im_conn_close(conn, ngx_socket_errno, "connect() failed");
        return;
    }

    ngx_add_timer(&conn->timer, endpoint->connect_timeout);

    if (rc == NGX_OK) {
        ngx_http_im_open_connected(&conn->open);
    }
}


static void
ngx_http_im_conn_opened(void *data, ngx_err_t err, const char *reason)
{
    ngx_http_im_conn_t  *conn = data;

    ngx_connection_t  *c;

    if (reason) {
        ngx_http_im_stat_add(conn->endpoint->stat,
                             NGX_HTTP_IM_STAT_TLS_FAILURES,
                             conn->open.connected);
        ngx_http_im_conn_close(conn, err, reason);
        return;
    }

    c = conn->connection;
    c->data = conn;
    c->read->handler = ngx_http_im_conn_read_handler;
    c->write->handler = ngx_http_im_conn_write_handler;

    /* a server that refuses a client tells why without being asked */

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }

    conn->state = NGX_HTTP_IM_CONN_SETUP;

    conn->endpoint->handlers->ready(conn);
}


void
ngx_http_im_conn_set_ready(ngx_http_im_conn_t *conn)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p ready", conn);

    ngx_add_timer(&conn->timer, NGX_HTTP_IM_CONN_PROBE);

    conn->tried = 0;
    conn->probed = ngx_current_msec;
    ngx_http_im_backoff_ready(&conn->backoff);

    conn->output.alone = 0;
    conn->state = NGX_HTTP_IM_CONN_READY;

    ngx_http_im_stat_inc(conn->endpoint->stat, NGX_HTTP_IM_STAT_CONNECTS);
    ngx_http_im_stat_inc(conn->endpoint->stat, NGX_HTTP_IM_STAT_CONNECTED);
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
        conn->endpoint->handlers->timer(conn);
        return;
    }

    ngx_http_im_conn_close(conn, 0, conn->state == NGX_HTTP_IM_CONN_CONNECTING
                                    ? ngx_http_im_open_timeout(&conn->open)
                                    : "setup timed out");
}


static void
ngx_http_im_conn_read_handler(ngx_event_t *rev)
{
    size_t               total;
    ssize_t              n;
    ngx_uint_t           serial;
    ngx_connection_t    *c;
    ngx_http_im_conn_t  *conn;

    c = rev->data;
    conn = c->data;

    if (c->close) {
        ngx_http_im_conn_exit(conn);
        return;
    }

    /* another nginx connection may have the address of a closed one */

    serial = conn->serial;

    for (total = 0; total < NGX_HTTP_IM_READ_TURN; total += n) {

        if (conn->draining && ngx_queue_empty(&conn->output.sent)) {
            ngx_http_im_conn_close(conn, 0, "drained");
            return;
        }

        if (ngx_http_im_conn_recv(conn, &n) != NGX_OK) {
            return;
        }

        if (ngx_http_im_conn_input(conn, n) != NGX_OK) {
            ngx_http_im_conn_close(conn, 0, conn->input.error);
            return;
        }

        /* commands that waited for these replies go out at once */

        if (conn->state == NGX_HTTP_IM_CONN_READY) {
            conn->endpoint->handlers->ready(conn);

            if (conn->serial != serial || conn->connection == NULL) {
                return;
            }
        }
    }

    /* other events are handled before the rest of a flood */

    ngx_post_event(rev, &ngx_posted_next_events);
}


void
ngx_http_im_conn_read(ngx_http_im_conn_t *conn)
{
    /* -1: the number of bytes is not known, recv() is to be called */

    conn->connection->read->available = -1;

    ngx_http_im_conn_read_handler(conn->connection->read);
}


/* n bytes are in the buffer */

static ngx_int_t
ngx_http_im_conn_input(ngx_http_im_conn_t *conn, size_t n)
{
    if (conn->endpoint->handlers->bytes) {
        return conn->endpoint->handlers->bytes(conn, conn->endpoint->buf, n);
    }

    if (ngx_http_im_input_read(&conn->input, &conn->output,
                               conn->endpoint->buf, n,
                               &ngx_http_im_conn_input_handlers, conn)
        != NGX_OK)
    {
        ngx_http_im_log_copy(&conn->words, &conn->input.words,
                             NGX_HTTP_IM_CONN_WORDS);
        return NGX_ERROR;
    }

    ngx_http_im_output_replied(&conn->output);

    return NGX_OK;
}


/* a server that refuses a client tells why, and closes the connection */

static void
ngx_http_im_conn_read_rest(ngx_http_im_conn_t *conn)
{
    size_t             total;
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->connection;
    c->read->available = -1;

    for (total = 0; total < NGX_HTTP_IM_READ_TURN; total += n) {
        n = c->recv(c, conn->endpoint->buf, conn->endpoint->size);

        if (n <= 0 || ngx_http_im_conn_input(conn, n) != NGX_OK) {
            return;
        }
    }
}


/* NGX_OK: n bytes are in the buffer; else nothing more can be read now */

static ngx_int_t
ngx_http_im_conn_recv(ngx_http_im_conn_t *conn, ssize_t *n)
{
    ngx_connection_t  *c;

    c = conn->connection;

    *n = c->recv(c, conn->endpoint->buf, conn->endpoint->size);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p recv: %z", conn, *n);

    if (*n > 0) {
        return NGX_OK;
    }

    if (*n == NGX_AGAIN) {

        if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            ngx_http_im_conn_close(conn, 0, "event error");
        }

        return NGX_AGAIN;
    }

    if (*n == 0) {
        conn->expected = (conn->state == NGX_HTTP_IM_CONN_READY
                          && conn->output.commands == 0);

        ngx_http_im_conn_close(conn, 0, "closed by the server");
        return NGX_ERROR;
    }

    if (conn->endpoint->tls) {
        ngx_http_im_conn_close(conn, 0, "SSL_read() failed");
        return NGX_ERROR;
    }

    ngx_http_im_conn_close(conn, ngx_socket_errno, "recv() failed");

    return NGX_ERROR;
}


static void
ngx_http_im_conn_reply(void *data, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_conn_t  *conn = data;

    if (cmd->kind != NGX_HTTP_IM_SETUP) {
        ngx_http_im_backoff_served(&conn->backoff, conn->output.alone);
    }

    conn->endpoint->handlers->reply(conn, cmd);
}


static void
ngx_http_im_conn_denied(void *data, ngx_str_t *error)
{
    ngx_http_im_conn_t  *conn = data;

    if (conn->endpoint->no_echo) {
        return;
    }

    conn->endpoint->no_echo = 1;

    ngx_log_error(NGX_LOG_WARN, conn->endpoint->log, 0,
                  "im store \"%V\": %V refuses ECHO: one reply too "
                  "many or too few would not be noticed: \"%V\"",
                  conn->endpoint->store, conn->open.peer.name, error);
}


static void
ngx_http_im_conn_write_handler(ngx_event_t *wev)
{
    ngx_connection_t    *c;
    ngx_http_im_conn_t  *conn;

    c = wev->data;
    conn = c->data;

    if (ngx_http_im_conn_flush(conn) == NGX_OK
        && conn->state == NGX_HTTP_IM_CONN_READY)
    {
        conn->endpoint->handlers->ready(conn);
    }
}


ngx_uint_t
ngx_http_im_conn_has_room(ngx_http_im_conn_t *conn, ngx_uint_t alone)
{
    return !conn->draining && ngx_queue_empty(&conn->setup)
           && ngx_http_im_output_accepts(&conn->output, alone);
}


void
ngx_http_im_conn_push(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *cmd,
    ngx_uint_t alone)
{
    conn->output.alone = alone;

    ngx_http_im_output_push(&conn->output, cmd);
}


ngx_int_t
ngx_http_im_conn_flush(ngx_http_im_conn_t *conn)
{
    ssize_t                n;
    ngx_err_t              err;
    ngx_connection_t      *c;
    ngx_http_im_output_t  *out;

    c = conn->connection;
    out = &conn->output;

    for ( ;; ) {
        ngx_http_im_output_begin(out, conn->draining ? NULL : &conn->setup);

        if (out->pos == out->last) {
            return NGX_OK;
        }

        n = c->send(c, out->pos, out->last - out->pos);

        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                       "im conn:%p send: %z of %z", conn, n,
                       out->last - out->pos);

        if (n == NGX_ERROR) {
            err = conn->endpoint->tls ? 0 : ngx_socket_errno;

            ngx_http_im_conn_read_rest(conn);
            ngx_http_im_conn_close(conn, err, conn->endpoint->tls
                                              ? "SSL_write() failed"
                                              : "send() failed");

            return NGX_ERROR;
        }

        if (n == NGX_AGAIN) {

            if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
                ngx_http_im_conn_close(conn, 0, "event error");
                return NGX_ERROR;
            }

            return NGX_AGAIN;
        }

        ngx_http_im_output_update(out, n);
    }
}


void
ngx_http_im_conn_drain(ngx_http_im_conn_t *conn)
{
    if (conn->state != NGX_HTTP_IM_CONN_READY || conn->draining) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p draining", conn);

    conn->draining = 1;

    /* a reply may be on its way to its command: not closed from here */

    ngx_post_event(conn->connection->read, &ngx_posted_events);
}


void
ngx_http_im_conn_close(ngx_http_im_conn_t *conn, ngx_err_t err,
    const char *reason)
{
    ngx_str_t                words;
    ngx_http_im_conn_e       was;
    ngx_http_im_endpoint_t  *endpoint;

    endpoint = conn->endpoint;
    was = conn->state;

    conn->failed = (ngx_http_im_backoff_lost(&conn->backoff,
                       was == NGX_HTTP_IM_CONN_READY && !conn->draining,
                       conn->output.commands, conn->output.alone)
                    == NGX_HTTP_IM_BACKOFF_FAILED);

    conn->expected = conn->draining || (conn->expected && !conn->failed);

    if (conn->words.len == 0
        && ngx_http_im_input_last_error(&conn->input, &words) == NGX_OK)
    {
        ngx_http_im_log_copy(&conn->words, &words, NGX_HTTP_IM_CONN_WORDS);
    }

    ngx_log_debug6(NGX_LOG_DEBUG_HTTP, endpoint->log, err,
                   "im conn:%p close, state:%d commands:%ui failed:%ui "
                   "delay:%M: %s", conn, was, conn->output.commands,
                   (ngx_uint_t) conn->failed, conn->backoff.delay, reason);

    ngx_http_im_stat_inc(endpoint->stat, (was == NGX_HTTP_IM_CONN_READY)
                                         ? NGX_HTTP_IM_STAT_LOST
                                         : NGX_HTTP_IM_STAT_FAILURES);

    ngx_http_im_conn_reset(conn);

    conn->paced = !conn->failed;
    conn->next = ngx_http_im_addrs_next(&endpoint->addrs, &conn->open.addr,
                                        &conn->tried,
                                        was == NGX_HTTP_IM_CONN_READY);

    endpoint->handlers->closed(conn, was, err, reason);

    conn->words.len = 0;
    conn->expected = 0;

    if (conn->exiting) {
        return;
    }

    if (conn->backoff.delay == 0 || conn->next) {
        ngx_http_im_conn_connect(conn);
        return;
    }

    ngx_add_timer(&conn->timer, conn->backoff.delay);
}


void
ngx_http_im_conn_exit(ngx_http_im_conn_t *conn)
{
    ngx_http_im_conn_e  was;

    was = conn->state;
    conn->exiting = 1;

    ngx_http_im_conn_reset(conn);

    conn->endpoint->handlers->closed(conn, was, 0, "the worker is exiting");
}


/* closes what there is of the nginx connection */

static void
ngx_http_im_conn_reset(ngx_http_im_conn_t *conn)
{
    if (conn->connection) {
        ngx_http_im_open_close(conn->connection);
        conn->connection = NULL;
    }

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->state == NGX_HTTP_IM_CONN_READY) {
        ngx_http_im_stat_add(conn->endpoint->stat, NGX_HTTP_IM_STAT_CONNECTED,
                             -1);
    }

    conn->state = NGX_HTTP_IM_CONN_DOWN;
    conn->draining = 0;

    ngx_http_im_input_reset(&conn->input, &conn->output);
    ngx_http_im_output_reset(&conn->output);
}


void
ngx_http_im_conn_hurry(ngx_http_im_conn_t *conn)
{
    if (conn->timer.timer_set && ngx_http_im_backoff_hurry(&conn->backoff)) {
        ngx_del_timer(&conn->timer);
        ngx_http_im_conn_connect(conn);
    }
}
