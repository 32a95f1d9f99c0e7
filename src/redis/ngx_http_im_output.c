
#include "ngx_http_im_output.h"
#include "ngx_http_im_clock.h"


#define NGX_HTTP_IM_OUTPUT_SIZE   65536

/* no reply is held for the sake of more than so many bytes behind it */
#define NGX_HTTP_IM_FENCE_EVERY   65536

/* a limit of commands that has grown to this is none any more */
#define NGX_HTTP_IM_OUTPUT_LIMIT  64


static void ngx_http_im_output_fence(ngx_http_im_output_t *out);
static ngx_uint_t ngx_http_im_output_has_fence(ngx_http_im_output_t *out);
static void ngx_http_im_output_add(ngx_http_im_output_t *out,
    ngx_http_im_cmd_t *cmd);
static void ngx_http_im_output_copy(ngx_http_im_output_t *out);


ngx_int_t
ngx_http_im_output_init(ngx_http_im_output_t *out, ngx_pool_t *pool,
    ngx_http_im_stat_t *stat, ngx_log_t *log)
{
    ngx_queue_init(&out->sent);

    out->stat = stat;
    out->log = log;

    out->start = ngx_palloc(pool, NGX_HTTP_IM_OUTPUT_SIZE);
    if (out->start == NULL) {
        return NGX_ERROR;
    }

    out->pos = out->start;
    out->last = out->start;
    out->end = out->start + NGX_HTTP_IM_OUTPUT_SIZE;

    return ngx_http_im_fences_init(&out->fences, pool);
}


void
ngx_http_im_output_reset(ngx_http_im_output_t *out)
{
    ngx_queue_t        *q, *next;
    ngx_http_im_cmd_t  *cmd;

    for (q = ngx_queue_head(&out->sent);
         q != ngx_queue_sentinel(&out->sent);
         q = next)
    {
        next = ngx_queue_next(q);
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        if (cmd->kind == NGX_HTTP_IM_FENCE) {
            ngx_queue_remove(q);
            continue;
        }

        ngx_http_im_stat_add(out->stat, NGX_HTTP_IM_STAT_SENT, -1);

        if (cmd->start >= out->written) {
            cmd->state = NGX_HTTP_IM_CMD_WAITING;
        }
    }

    ngx_http_im_fences_reset(&out->fences);

    if (out->commands > 1) {
        out->limit = 1;
    }

    out->commands = 0;
    out->partial = NULL;
    out->pos = out->start;
    out->last = out->start;
    out->serialised = 0;
    out->written = 0;
}


ngx_uint_t
ngx_http_im_output_has_room(ngx_http_im_output_t *out)
{
    return out->partial == NULL && out->last < out->end
           && out->fences.n < NGX_HTTP_IM_FENCES;
}


ngx_uint_t
ngx_http_im_output_accepts(ngx_http_im_output_t *out, ngx_uint_t alone)
{
    if ((alone || out->alone) && out->commands) {
        return 0;
    }

    return (out->limit == 0 || out->commands < out->limit)
           && ngx_http_im_output_has_room(out);
}


void
ngx_http_im_output_replied(ngx_http_im_output_t *out)
{
    if (out->limit == 0 || !ngx_queue_empty(&out->sent)) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, out->log, 0,
                   "im output limit:%ui has its replies", out->limit);

    out->limit = (out->limit < NGX_HTTP_IM_OUTPUT_LIMIT) ? out->limit * 2 : 0;
}


void
ngx_http_im_output_push(ngx_http_im_output_t *out, ngx_http_im_cmd_t *cmd)
{
    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, out->log, 0,
                   "im cmd:%p job:%p write len:%uz charge:%uz",
                   cmd, cmd->job, cmd->resp.len, cmd->charge);

    ngx_http_im_stat_inc(out->stat, NGX_HTTP_IM_STAT_COMMANDS);
    ngx_http_im_stat_inc(out->stat, NGX_HTTP_IM_STAT_SENT);

    out->commands++;
    out->fences.unfenced += cmd->charge + 1;

    ngx_http_im_output_add(out, cmd);

    if (out->fences.unfenced >= NGX_HTTP_IM_FENCE_EVERY) {
        ngx_http_im_output_fence(out);
    }
}


void
ngx_http_im_output_begin(ngx_http_im_output_t *out, ngx_queue_t *setup)
{
    ngx_queue_t  *q;

    if (out->pos == out->last) {
        out->pos = out->start;
        out->last = out->start;
    }

    if (out->partial) {
        ngx_http_im_output_copy(out);
    }

    while (setup && !ngx_queue_empty(setup)
           && ngx_http_im_output_has_room(out))
    {
        q = ngx_queue_head(setup);
        ngx_queue_remove(q);

        ngx_http_im_output_push(out, ngx_queue_data(q, ngx_http_im_cmd_t,
                                                    queue));
    }

    ngx_http_im_output_fence(out);
}


static void
ngx_http_im_output_fence(ngx_http_im_output_t *out)
{
    ngx_http_im_cmd_t  *fence;

    if (!ngx_http_im_output_has_fence(out)) {
        return;
    }

    fence = ngx_http_im_fence_create(&out->fences);
    fence->written = ngx_http_im_clock();

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, out->log, 0,
                   "im fence:%p write, in flight:%ui", fence, out->fences.n);

    ngx_http_im_output_add(out, fence);
}


/* one is needed, and can be written now */

static ngx_uint_t
ngx_http_im_output_has_fence(ngx_http_im_output_t *out)
{
    return out->fences.unfenced && ngx_http_im_output_has_room(out);
}


static void
ngx_http_im_output_add(ngx_http_im_output_t *out, ngx_http_im_cmd_t *cmd)
{
    if (ngx_queue_empty(&out->sent)) {
        out->last_reply = ngx_http_im_clock_msec();
    }

    cmd->state = NGX_HTTP_IM_CMD_SENT;
    cmd->asked = 0;
    cmd->start = out->serialised;
    ngx_queue_insert_tail(&out->sent, &cmd->queue);

    out->partial = cmd;
    out->partial_done = 0;

    ngx_http_im_output_copy(out);
}


/* as much of the command as there is room for */

static void
ngx_http_im_output_copy(ngx_http_im_output_t *out)
{
    size_t              n;
    ngx_http_im_cmd_t  *cmd;

    cmd = out->partial;

    n = ngx_min(cmd->resp.len - out->partial_done,
                (size_t) (out->end - out->last));

    out->last = ngx_cpymem(out->last, cmd->resp.data + out->partial_done, n);
    out->serialised += n;
    out->partial_done += n;

    if (out->partial_done == cmd->resp.len) {
        out->partial = NULL;
    }
}


void
ngx_http_im_output_update(ngx_http_im_output_t *out, size_t n)
{
    out->pos += n;
    out->written += n;
}


ngx_int_t
ngx_http_im_output_append(ngx_http_im_output_t *out, const u_char *p,
    size_t len)
{
    if (len > (size_t) (out->end - out->last)) {
        return NGX_ERROR;
    }

    out->last = ngx_cpymem(out->last, p, len);

    return NGX_OK;
}
