
#include "ngx_http_im_input.h"
#include "ngx_http_im_clock.h"
#include "ngx_http_im_job.h"


/*
 * hiredis moves what is left of its buffer to the front after every reply,
 * so it gets little at a time.
 */
#define NGX_HTTP_IM_FEED_SIZE   4096

/*
 * Time that Redis takes from one fence to the next, in us: what is not
 * noticed, what is not exceeded; bytes for each us between, and the most that
 * one command is charged for its time.
 */
#define NGX_HTTP_IM_INPUT_FAST  2000
#define NGX_HTTP_IM_INPUT_SLOW  200000
#define NGX_HTTP_IM_INPUT_US    256
#define NGX_HTTP_IM_INPUT_TIME_MAX  (2 * 1024 * 1024)


static ngx_int_t ngx_http_im_input_replies(ngx_http_im_input_t *in,
    ngx_http_im_output_t *out, const ngx_http_im_input_handlers_t *handlers,
    void *data);
static void ngx_http_im_input_time(ngx_http_im_input_t *in,
    ngx_http_im_output_t *out, ngx_http_im_cmd_t *fence);
static ngx_int_t ngx_http_im_input_invalid(ngx_http_im_input_t *in);
static ngx_pool_t *ngx_http_im_input_pool(ngx_http_im_input_t *in,
    ngx_http_im_cmd_t *cmd);
static ngx_int_t ngx_http_im_input_fence(ngx_http_im_input_t *in,
    ngx_http_im_output_t *out, ngx_http_im_cmd_t *cmd,
    const ngx_http_im_input_handlers_t *handlers, void *data);


ngx_int_t
ngx_http_im_input_init(ngx_http_im_input_t *in)
{
    ngx_queue_init(&in->held);
    ngx_str_null(&in->words);
    in->charge = 0;
    in->trip = 0;
    in->longer = 0;

    return ngx_http_im_decoder_init(&in->decoder);
}


void
ngx_http_im_input_reset(ngx_http_im_input_t *in, ngx_http_im_output_t *out)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    ngx_http_im_decoder_free(&in->decoder);

    /* a held reply may be that of another command: it was not received */

    while (!ngx_queue_empty(&in->held)) {
        q = ngx_queue_last(&in->held);
        ngx_queue_remove(q);
        ngx_queue_insert_head(&out->sent, q);

        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
        cmd->reply.type = NGX_HTTP_IM_REPLY_NIL;
        cmd->size = 0;
    }
}


ngx_int_t
ngx_http_im_input_read(ngx_http_im_input_t *in, ngx_http_im_output_t *out,
    u_char *p, size_t len, const ngx_http_im_input_handlers_t *handlers,
    void *data)
{
    size_t  n;

    for ( /* void */ ; len; p += n, len -= n) {
        n = ngx_min(len, NGX_HTTP_IM_FEED_SIZE);

        if (ngx_http_im_decoder_feed(&in->decoder, p, n) != NGX_OK) {
            return ngx_http_im_input_invalid(in);
        }

        if (ngx_http_im_input_replies(in, out, handlers, data) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_input_replies(ngx_http_im_input_t *in, ngx_http_im_output_t *out,
    const ngx_http_im_input_handlers_t *handlers, void *data)
{
    ngx_int_t           rc;
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    while (!ngx_queue_empty(&out->sent)) {
        q = ngx_queue_head(&out->sent);
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        rc = ngx_http_im_decoder_next(&in->decoder,
                                      ngx_http_im_input_pool(in, cmd));
        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return ngx_http_im_input_invalid(in);
        }

        if (cmd == out->partial) {
            in->error = "a reply before its command";
            return NGX_ERROR;
        }

        out->last_reply = ngx_current_msec;

        if (cmd->asking && !cmd->asked) {
            cmd->asked = 1;             /* its own reply comes next */
            continue;
        }

        if (cmd->kind != NGX_HTTP_IM_FENCE) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&in->held, q);

            cmd->replied = 1;
            cmd->reply = in->decoder.root;
            cmd->size = in->decoder.whole;
            cmd->time = 0;
            in->charge += cmd->charge;

            ngx_http_im_cmd_hold(cmd);

            continue;
        }

        if (ngx_http_im_input_fence(in, out, cmd, handlers, data)
            != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_im_input_time(in, out, cmd);

        while (!ngx_queue_empty(&in->held)) {
            q = ngx_queue_head(&in->held);
            ngx_queue_remove(q);

            ngx_http_im_stat_add(out->stat, NGX_HTTP_IM_STAT_SENT, -1);
            out->commands--;

            handlers->reply(data,
                            ngx_queue_data(q, ngx_http_im_cmd_t, queue));
        }

        in->charge = 0;
    }

    if (ngx_http_im_decoder_pending(&in->decoder)) {
        in->error = "a reply without a command";

        if (ngx_http_im_decoder_error(&in->decoder, &in->words) == NGX_OK) {
            in->error = "an error without a command";
        }

        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * By how much the round trip of this fence is longer than that of the last
 * one: so long, at least, Redis was busy with the commands between the two,
 * whatever the latency of the network is.  If that is much, these commands
 * share it by what they are charged.
 */

static void
ngx_http_im_input_time(ngx_http_im_input_t *in, ngx_http_im_output_t *out,
    ngx_http_im_cmd_t *fence)
{
    uint64_t            trip, us, time;
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    trip = ngx_http_im_clock() - fence->written;
    us = in->trip ? trip - ngx_min(trip, in->trip) : 0;
    in->trip = trip;

    /* once may be chance, as when the network was slow */

    time = us;
    us = ngx_min(us, in->longer);
    in->longer = time;

    if (us <= NGX_HTTP_IM_INPUT_FAST) {
        return;
    }

    us = ngx_min(us, NGX_HTTP_IM_INPUT_SLOW) - NGX_HTTP_IM_INPUT_FAST;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, out->log, 0,
                   "im slow by %uLus, charge:%uz", us, in->charge);

    for (q = ngx_queue_head(&in->held);
         q != ngx_queue_sentinel(&in->held);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        time = us * NGX_HTTP_IM_INPUT_US * cmd->charge
               / ngx_max(in->charge, 1);

        cmd->time = ngx_min(time, NGX_HTTP_IM_INPUT_TIME_MAX);
    }
}


static ngx_int_t
ngx_http_im_input_invalid(ngx_http_im_input_t *in)
{
    in->error = "an invalid reply";

    in->words.data = (u_char *) in->decoder.error;
    in->words.len = ngx_strlen(in->words.data);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_im_input_last_error(ngx_http_im_input_t *in, ngx_str_t *error)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    if (ngx_queue_empty(&in->held)) {
        return NGX_DECLINED;
    }

    q = ngx_queue_last(&in->held);
    cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

    if (cmd->reply.type != NGX_HTTP_IM_REPLY_ERROR) {
        return NGX_DECLINED;
    }

    *error = cmd->reply.str;

    return NGX_OK;
}


/* where the reply is built; NULL: it is skipped */

static ngx_pool_t *
ngx_http_im_input_pool(ngx_http_im_input_t *in, ngx_http_im_cmd_t *cmd)
{
    ngx_queue_t        *q;
    ngx_http_im_job_t  *job;

    job = cmd->job;

    if (cmd->kind != NGX_HTTP_IM_FENCE) {

        if (cmd->kind == NGX_HTTP_IM_READ
            && job->jobs->held > NGX_HTTP_IM_HELD_MAX / 2)
        {
            ngx_http_im_job_judge(job);
        }

        return ngx_http_im_cmd_pool(cmd);
    }

    /* that of a fence is used before the held commands complete */

    q = ngx_queue_last(&in->held);
    cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
    job = cmd->job;

    return job->pool;
}


/* are the held replies in step? */

static ngx_int_t
ngx_http_im_input_fence(ngx_http_im_input_t *in, ngx_http_im_output_t *out,
    ngx_http_im_cmd_t *cmd, const ngx_http_im_input_handlers_t *handlers,
    void *data)
{
    ngx_int_t             rc;
    ngx_http_im_reply_t  *reply;

    reply = &in->decoder.root;

    rc = ngx_http_im_fence_check(&out->fences, cmd, reply, &in->held);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, out->log, 0,
                   "im fence:%p check: %i", cmd, rc);

    if (rc == NGX_ERROR) {
        in->error = "one reply too many or too few";

        if (reply->type == NGX_HTTP_IM_REPLY_ERROR) {
            in->error = "an error in place of the reply to ECHO";
            in->words = reply->str;
        }

        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        handlers->denied(data, &reply->str);
    }

    ngx_queue_remove(&cmd->queue);

    return NGX_OK;
}
