
#include "ngx_http_im_fence.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_job.h"


#define NGX_HTTP_IM_FENCE_HEAD  "*2" CRLF "$4" CRLF "ECHO" CRLF "$16" CRLF
#define NGX_HTTP_IM_FENCE_WORD  16
#define NGX_HTTP_IM_FENCE_LEN   (sizeof(NGX_HTTP_IM_FENCE_HEAD) - 1          \
                                 + NGX_HTTP_IM_FENCE_WORD + 2)

/* how a refusal names the command, in quotes of some kind */
#define NGX_HTTP_IM_FENCE_NAME  "echo"


struct ngx_http_im_fence_s {
    ngx_http_im_cmd_t    cmd;
    u_char               resp[NGX_HTTP_IM_FENCE_LEN];
};


static ngx_int_t ngx_http_im_fence_check_error(ngx_str_t *error,
    ngx_queue_t *held);


ngx_int_t
ngx_http_im_fences_init(ngx_http_im_fences_t *fences, ngx_pool_t *pool)
{
    fences->ring = ngx_pcalloc(pool, NGX_HTTP_IM_FENCES
                                     * sizeof(ngx_http_im_fence_t));
    if (fences->ring == NULL) {
        return NGX_ERROR;
    }

    fences->word = (uint64_t) ngx_random() << 32;

    ngx_http_im_fences_reset(fences);

    return NGX_OK;
}


void
ngx_http_im_fences_reset(ngx_http_im_fences_t *fences)
{
    fences->n = 0;
    fences->unfenced = 0;
}


ngx_http_im_cmd_t *
ngx_http_im_fence_create(ngx_http_im_fences_t *fences)
{
    u_char               *p;
    ngx_http_im_fence_t  *fence;

    fence = &fences->ring[++fences->word % NGX_HTTP_IM_FENCES];

    p = ngx_cpymem(fence->resp, NGX_HTTP_IM_FENCE_HEAD,
                   sizeof(NGX_HTTP_IM_FENCE_HEAD) - 1);
    p = ngx_sprintf(p, "%016xL" CRLF, fences->word);

    fence->cmd.kind = NGX_HTTP_IM_FENCE;
    fence->cmd.resp.data = fence->resp;
    fence->cmd.resp.len = p - fence->resp;

    fences->n++;
    fences->unfenced = 0;

    return &fence->cmd;
}


ngx_int_t
ngx_http_im_fence_check(ngx_http_im_fences_t *fences, ngx_http_im_cmd_t *cmd,
    ngx_http_im_reply_t *reply, ngx_queue_t *held)
{
    ngx_str_t  word;

    word.data = cmd->resp.data + sizeof(NGX_HTTP_IM_FENCE_HEAD) - 1;
    word.len = NGX_HTTP_IM_FENCE_WORD;

    fences->n--;

    if (reply->type == NGX_HTTP_IM_REPLY_STRING
        && ngx_http_im_str_eq(&reply->str, &word))
    {
        return NGX_OK;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im fence:%p reply type:%d is not its word, in flight:%ui",
                   cmd, reply->type, fences->n);

    if (reply->type == NGX_HTTP_IM_REPLY_ERROR) {
        return ngx_http_im_fence_check_error(&reply->str, held);
    }

    return NGX_ERROR;
}


/*
 * One without ECHO, or whose ACL forbids it, names it in the error.  A server
 * that is loading or busy refuses the fence as it refuses all that is before
 * it; if anything of that got an answer, the error may be that of another
 * command.
 */

static ngx_int_t
ngx_http_im_fence_check_error(ngx_str_t *error, ngx_queue_t *held)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    if (ngx_strlcasestrn(error->data, error->data + error->len,
                         (u_char *) NGX_HTTP_IM_FENCE_NAME,
                         sizeof(NGX_HTTP_IM_FENCE_NAME) - 2))
    {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im fence refused, the error names ECHO");

        return NGX_DECLINED;
    }

    for (q = ngx_queue_head(held);
         q != ngx_queue_sentinel(held);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        if (ngx_http_im_cmd_pool(cmd)
            && cmd->reply.type != NGX_HTTP_IM_REPLY_ERROR)
        {
            ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                           "im fence refused, but cmd:%p job:%p has reply:%d",
                           cmd, cmd->job, cmd->reply.type);

            return NGX_ERROR;
        }
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im fence refused, as all that is before it");

    return NGX_OK;
}
