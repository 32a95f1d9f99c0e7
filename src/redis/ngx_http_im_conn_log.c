
#include "ngx_http_im_conn_log.h"
#include "ngx_http_im_id.h"


void
ngx_http_im_conn_log_init(ngx_http_im_conn_log_t *cl, ngx_log_t *log)
{
    ngx_uint_t  i;

    cl->words.data = cl->words_buf;

    for (i = 0; i < NGX_HTTP_IM_CONN_LOG_LIMITS; i++) {
        ngx_http_im_log_limit_init(&cl->limits[i], log);
    }
}


void
ngx_http_im_conn_log_close(ngx_http_im_conn_log_t *cl)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_IM_CONN_LOG_LIMITS; i++) {
        ngx_http_im_log_limit_close(&cl->limits[i]);
    }
}


void
ngx_http_im_conn_log_ready(ngx_http_im_conn_log_t *cl,
    ngx_http_im_conn_t *conn)
{
    if (conn->backoff.failures == 0) {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p reachable after failures:%ui",
                   conn, conn->backoff.failures);

    ngx_http_im_log_limit(&cl->limits[NGX_HTTP_IM_CONN_LOG_REACHABLE],
                          NGX_LOG_NOTICE, 0,
                          "im store \"%V\": %s%V is reachable again",
                          conn->endpoint->store, conn->endpoint->role,
                          conn->open.peer.name);
}


void
ngx_http_im_conn_log_closed(ngx_http_im_conn_log_t *cl,
    ngx_http_im_conn_t *conn, ngx_http_im_conn_e was, ngx_uint_t known,
    ngx_err_t err, const char *reason)
{
    ngx_uint_t   i, level;
    const char  *what;

    if (was == NGX_HTTP_IM_CONN_READY) {
        i = NGX_HTTP_IM_CONN_LOG_LOST;
        what = "lost the connection to";

    } else {
        i = NGX_HTTP_IM_CONN_LOG_FAILED;
        what = "could not connect to";
    }

    level = NGX_LOG_ERR;

    /* the first failure counts itself */

    if (known || conn->expected
        || (conn->backoff.failures > conn->failed
            && (conn->words.len == 0
                || ngx_http_im_str_eq(&conn->words, &cl->words))))
    {
        i = NGX_HTTP_IM_CONN_LOG_INFO;
        level = NGX_LOG_INFO;

    } else {
        ngx_http_im_log_copy(&cl->words, &conn->words,
                             NGX_HTTP_IM_CONN_WORDS);
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, conn->endpoint->log, 0,
                   "im conn:%p closed, known:%ui expected:%ui failures:%ui "
                   "level:%ui",
                   conn, known, (ngx_uint_t) conn->expected,
                   conn->backoff.failures, level);

    ngx_http_im_log_limit(&cl->limits[i], level, err,
                          "im store \"%V\": %s %s%V: %s%s%V%s",
                          conn->endpoint->store, what, conn->endpoint->role,
                          conn->open.peer.name, reason,
                          conn->words.len ? ": \"" : "", &conn->words,
                          conn->words.len ? "\"" : "");
}
