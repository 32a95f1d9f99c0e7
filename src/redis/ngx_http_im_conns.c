
#include "ngx_http_im_conns.h"
#include "ngx_http_im_probe.h"


ngx_http_im_conn_t *
ngx_http_im_conns_create(ngx_http_im_endpoint_t *endpoint, ngx_uint_t n)
{
    ngx_uint_t           i;
    ngx_http_im_conn_t  *conns;

    conns = ngx_pcalloc(endpoint->pool, n * sizeof(ngx_http_im_conn_t));
    if (conns == NULL) {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_im_conn_init(&conns[i], endpoint) != NGX_OK) {
            return NULL;
        }
    }

    return conns;
}


ngx_uint_t
ngx_http_im_conns_reachable(ngx_http_im_conn_t *conns, ngx_uint_t n,
    ngx_uint_t down)
{
    ngx_uint_t           i;
    ngx_http_im_conn_t  *conn;

    for (i = 0; i < n; i++) {
        conn = &conns[i];

        if (conn->state == NGX_HTTP_IM_CONN_READY) {
            return 1;
        }

        if ((conn->state != NGX_HTTP_IM_CONN_DOWN || conn->paced) && !down) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_im_conns_closed(ngx_http_im_conn_t *conns, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (conns[i].connection || conns[i].job) {
            return 0;
        }
    }

    return 1;
}


ngx_http_im_conn_t *
ngx_http_im_conns_idle(ngx_http_im_conn_t *conns, ngx_uint_t n)
{
    ngx_uint_t           i;
    ngx_http_im_conn_t  *conn;

    for (i = 0; i < n; i++) {
        conn = &conns[i];

        if (conn->state == NGX_HTTP_IM_CONN_READY && conn->job == NULL
            && !conn->draining)
        {
            return conn;
        }
    }

    return NULL;
}


void
ngx_http_im_conns_drain(ngx_http_im_conn_t *conns, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        ngx_http_im_conn_drain(&conns[i]);
    }
}


void
ngx_http_im_conns_reopen(ngx_http_im_conn_t *conns, ngx_uint_t n,
    ngx_uint_t now)
{
    ngx_uint_t           i;
    ngx_http_im_conn_t  *conn;

    for (i = 0; i < n; i++) {
        conn = &conns[i];

        if (conn->state == NGX_HTTP_IM_CONN_READY) {
            ngx_http_im_conn_drain(conn);

        } else if (conn->connection == NULL && conn->timer.timer_set) {
            ngx_http_im_conn_connect(conn);

        } else if (conn->connection && now) {

            /* a master that died may not even refuse connections */

            ngx_http_im_conn_close(conn, 0, "the master has moved");
        }
    }
}


void
ngx_http_im_conns_leave(ngx_http_im_conn_t *conns, ngx_uint_t n)
{
    ngx_uint_t           i;
    ngx_http_im_conn_t  *conn;

    for (i = 0; i < n; i++) {
        conn = &conns[i];

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                       "im conn:%p leaves, state:%d", conn, conn->state);

        if (conn->state == NGX_HTTP_IM_CONN_READY) {
            ngx_http_im_conn_drain(conn);

        } else {
            ngx_http_im_conn_exit(conn);
        }
    }
}


ngx_msec_t
ngx_http_im_conns_check(ngx_http_im_conn_t *conns, ngx_uint_t n,
    ngx_msec_t timeout)
{
    ngx_uint_t           i;
    ngx_msec_t           left, next;
    ngx_http_im_conn_t  *conn;

    next = NGX_TIMER_INFINITE;

    for (i = 0; i < n; i++) {
        conn = &conns[i];

        if (conn->state == NGX_HTTP_IM_CONN_READY) {
            left = ngx_http_im_probe_expire(conn, timeout);
            next = ngx_min(next, left);
        }
    }

    return next;
}


void
ngx_http_im_conns_read(ngx_http_im_conn_t *conns, ngx_uint_t n)
{
    ngx_uint_t           i;
    ngx_http_im_conn_t  *conn;

    for (i = 0; i < n; i++) {
        conn = &conns[i];

        if (conn->state == NGX_HTTP_IM_CONN_READY
            && !ngx_queue_empty(&conn->output.sent))
        {
            ngx_http_im_conn_read(conn);
        }
    }
}
