
#include "ngx_http_im_conn.h"
#include "ngx_http_im_id.h"


#define NGX_HTTP_IM_MARK_NAME  "'echo'"


static ngx_uint_t ngx_http_im_mark_refused(ngx_http_im_conn_t *conn,
    ngx_str_t *error);


ngx_http_im_cmd_t *
ngx_http_im_mark(ngx_http_im_conn_t *conn)
{
    u_char              *p;
    ngx_http_im_mark_t  *mark;

    mark = &conn->marks[++conn->mark % NGX_HTTP_IM_MARKS];

    p = ngx_cpymem(mark->resp, NGX_HTTP_IM_MARK_HEAD,
                   sizeof(NGX_HTTP_IM_MARK_HEAD) - 1);
    p = ngx_sprintf(p, "%016xL" CRLF, conn->mark);

    mark->cmd.resp.data = mark->resp;
    mark->cmd.resp.len = p - mark->resp;

    conn->nmarks++;
    conn->unmarked = 0;

    return &mark->cmd;
}


ngx_uint_t
ngx_http_im_mark_proves(ngx_http_im_conn_t *conn, ngx_http_im_cmd_t *mark,
    ngx_http_im_reply_t *reply)
{
    ngx_str_t  word;

    word.data = mark->resp.data + sizeof(NGX_HTTP_IM_MARK_HEAD) - 1;
    word.len = NGX_HTTP_IM_MARK_WORD;

    if (reply->type == NGX_HTTP_IM_REPLY_STRING
        && ngx_http_im_str_eq(&reply->str, &word))
    {
        return 1;
    }

    if (reply->type == NGX_HTTP_IM_REPLY_ERROR
        && ngx_http_im_mark_refused(conn, &reply->str))
    {
        return 1;
    }

    conn->decoder.error = "a reply too many or too few";

    return 0;
}


/*
 * A server that is loading or busy refuses the mark as it refuses all that is
 * before it; if any of that got an answer, the error may be another's.
 */

static ngx_uint_t
ngx_http_im_mark_refused(ngx_http_im_conn_t *conn, ngx_str_t *error)
{
    ngx_queue_t          *q;
    ngx_http_im_cmd_t    *cmd;
    ngx_http_im_job_t    *job;
    ngx_http_im_redis_t  *redis;

    redis = conn->redis;

    if (ngx_strlcasestrn(error->data, error->data + error->len,
                         (u_char *) NGX_HTTP_IM_MARK_NAME,
                         sizeof(NGX_HTTP_IM_MARK_NAME) - 2))
    {
        if (!redis->unproved) {
            redis->unproved = 1;

            ngx_log_error(NGX_LOG_WARN, redis->log, 0,
                          "im store \"%V\": %V does not permit ECHO: a reply "
                          "too many or too few would not be noticed: \"%V\"",
                          &redis->store->name, conn->peer.name, error);
        }

        return 1;
    }

    for (q = ngx_queue_head(&conn->held);
         q != ngx_queue_sentinel(&conn->held);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
        job = cmd->job;

        if (!job->released && !job->expired
            && cmd->reply.type != NGX_HTTP_IM_REPLY_ERROR)
        {
            return 0;
        }
    }

    return 1;
}
