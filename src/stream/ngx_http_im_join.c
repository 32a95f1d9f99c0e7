
#include "ngx_http_im_join.h"
#include "ngx_http_im_join_read.h"
#include "ngx_http_im_stream_conn.h"
#include "ngx_http_im_stream_table.h"


/* attempts to read, of a new stream and of one that is open */
#define NGX_HTTP_IM_JOIN_TRIES         6
#define NGX_HTTP_IM_JOIN_TRIES_READY   40

#define NGX_HTTP_IM_JOIN_LOOKS         3


static void ngx_http_im_join_enter(ngx_http_im_stream_t *stream);
static void ngx_http_im_join_done(ngx_http_im_stream_t *stream, ngx_int_t rc);
static void ngx_http_im_join_retry(ngx_http_im_stream_t *stream,
    ngx_int_t rc);
static void ngx_http_im_join_sweep(ngx_http_im_stream_t *stream);
static void ngx_http_im_join_reset(ngx_http_im_stream_t *stream);
static void ngx_http_im_join_ready(ngx_http_im_stream_t *stream);
static void ngx_http_im_join_kept(ngx_http_im_stream_t *stream);


ngx_http_im_join_t *
ngx_http_im_join_create(ngx_http_im_stream_t *stream, ngx_str_t *last_event_id)
{
    ngx_http_im_join_t  *join;

    join = ngx_calloc(sizeof(ngx_http_im_join_t), stream->log);
    if (join == NULL) {
        return NULL;
    }

    join->done = ngx_http_im_join_done;
    join->since.time = -1;

    if (last_event_id->len
        && ngx_http_im_event_id_parse(&join->since, last_event_id) != NGX_OK)
    {
        join->since.time = -1;
        join->reset = "bad_id";
    }

    return join;
}


void
ngx_http_im_join_start(ngx_http_im_stream_t *stream)
{
    ngx_http_im_join_t     *join;
    ngx_http_im_channel_t  *channel;

    join = stream->join;
    channel = stream->channel;

    if (join == NULL) {
        join = ngx_calloc(sizeof(ngx_http_im_join_t), stream->log);

        if (join == NULL) {
            stream->broken = 1;
            ngx_http_im_stream_kill(stream);
            return;
        }

        stream->join = join;
        join->done = ngx_http_im_join_done;
        join->since = stream->id;
    }

    if (join->since.time >= 0 && join->since.epoch != channel->epoch) {
        join->since.time = -1;
        join->reset = "epoch";
    }

    ngx_http_im_join_enter(stream);
    ngx_http_im_join_read(stream);
}


/* from here on events are kept */

static void
ngx_http_im_join_enter(ngx_http_im_stream_t *stream)
{
    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p joins since:%L tries:%ui looks:%ui",
                   stream, stream->join->since.time, stream->join->tries,
                   stream->join->looks);

    ngx_http_im_stream_joins(stream);
}


void
ngx_http_im_join_again(ngx_http_im_stream_t *stream)
{
    ngx_http_im_channel_t  *channel;

    channel = stream->channel;

    if (stream->state == NGX_HTTP_IM_STREAM_DEAD
        || stream->state == NGX_HTTP_IM_STREAM_WAITING)
    {
        return;
    }

    if (stream->join) {

        /* what was to be looked at again still is */

        ngx_http_im_stream_joined(stream);
        ngx_http_im_join_read_drop(stream);

        stream->join->looks = 0;
        stream->join->window = 0;
    }

    /* what is to be told before "ready" is not given up */

    stream->state = NGX_HTTP_IM_STREAM_WAITING;
    ngx_queue_insert_tail(stream->ready ? &channel->stale : &channel->waiting,
                          &stream->turn);
}


void
ngx_http_im_join_free(ngx_http_im_stream_t *stream)
{
    ngx_http_im_join_t  *join;

    join = stream->join;

    if (join == NULL) {
        return;
    }

    ngx_http_im_join_read_drop(stream);

    if (join->pool) {
        ngx_destroy_pool(join->pool);
    }

    ngx_free(join);
    stream->join = NULL;
}


void
ngx_http_im_join_keep(ngx_http_im_stream_t *stream, ngx_http_im_frame_t *frame)
{
    ngx_http_im_join_t  *join;

    join = stream->join;

    if (join->nkept == NGX_HTTP_IM_JOIN_KEPT
        || join->kept_size + frame->sse.len > stream->conf->buffer)
    {
        join->overflow = 1;
        return;
    }

    frame->refs++;
    join->kept_size += frame->sse.len;
    join->kept[join->nkept++] = frame;
}


/* rc of what was read: NGX_OK, or the store did not tell */

static void
ngx_http_im_join_done(ngx_http_im_stream_t *stream, ngx_int_t rc)
{
    ngx_http_im_join_t  *join;

    join = stream->join;

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p has read rc:%i frames:%ui kept:%ui reset:%s",
                   stream, rc, join->frames.nelts, join->nkept,
                   join->reset ? join->reset : "-");

    if (rc != NGX_OK || join->overflow) {
        ngx_http_im_join_retry(stream, rc);
        return;
    }

    ngx_http_im_join_sweep(stream);

    stream->allowed = stream->conf->buffer + join->size;

    if (join->reset) {
        ngx_http_im_join_reset(stream);
    }

    ngx_http_im_join_frames_send(stream);

    if (!stream->ready) {
        ngx_http_im_join_ready(stream);
    }

    if (stream->state == NGX_HTTP_IM_STREAM_DEAD) {
        return;
    }

    ngx_http_im_join_kept(stream);

    if (stream->state == NGX_HTTP_IM_STREAM_DEAD) {
        return;
    }

    ngx_http_im_stream_joined(stream);

    if (join->since.time < 0 || join->reset
        || (join->looks && ngx_current_msec - join->started >= join->window))
    {
        ngx_http_im_join_free(stream);
        return;
    }

    if (join->looks == 0) {
        join->started = ngx_current_msec;
        join->window = stream->channel->store->timeout + 1000;
    }

    /* its handler finds out when to look again */

    ngx_add_timer(&stream->timer, 1);
}


/* what could not be kept is read; a store that fails is given some time */

static void
ngx_http_im_join_retry(ngx_http_im_stream_t *stream, ngx_int_t rc)
{
    ngx_http_im_join_t  *join;

    join = stream->join;

    if (++join->tries > (stream->ready ? NGX_HTTP_IM_JOIN_TRIES_READY
                                       : NGX_HTTP_IM_JOIN_TRIES))
    {
        ngx_http_im_stream_conn_bye(stream, "store",
                                    1000 + ngx_random() % 4000);
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p reads again, rc:%i tries:%ui",
                   stream, rc, join->tries);

    if (rc != NGX_OK) {
        stream->channel->paused = 1;
        ngx_http_im_join_again(stream);
        return;
    }

    ngx_http_im_join_kept_drop(join);
    join->overflow = 0;

    ngx_http_im_join_read(stream);
}


/* groups that the user is not in; another stream may be asking still */

static void
ngx_http_im_join_sweep(ngx_http_im_stream_t *stream)
{
    ngx_uint_t            i, n;
    ngx_http_im_join_t   *join;
    ngx_http_im_frame_t  *frame;

    join = stream->join;

    for (n = 0, i = 0; i < join->nkept; i++) {
        frame = join->kept[i];

        if (ngx_http_im_join_allows(stream, frame)) {
            join->kept[n++] = frame;

        } else {
            ngx_http_im_frame_release(frame);
        }
    }

    join->nkept = n;

    if (stream->user->joining == 1) {
        ngx_http_im_stream_links_sweep(&stream->channel->table, stream->user);
    }
}


static void
ngx_http_im_join_reset(ngx_http_im_stream_t *stream)
{
    u_char                   buf[64];
    ngx_str_t                data;
    ngx_http_im_frame_t     *frame;
    ngx_http_im_event_id_t   id;

    ngx_http_im_stat_inc(stream->channel->store->stat,
                         NGX_HTTP_IM_STAT_RESET);

    data.data = buf;
    data.len = ngx_sprintf(buf, "{\"reason\":\"%s\"}", stream->join->reset)
               - buf;

    id.epoch = stream->channel->epoch;
    id.time = stream->join->now;

    frame = ngx_http_im_frame_create(&id, "reset", &data, stream->log);

    if (frame == NULL) {
        stream->broken = 1;
        ngx_http_im_stream_kill(stream);
        return;
    }

    ngx_http_im_stream_conn_send(stream, frame);
    ngx_http_im_frame_release(frame);

    stream->id = id;
}


static void
ngx_http_im_join_ready(ngx_http_im_stream_t *stream)
{
    u_char                   buf[64 + NGX_INT64_LEN];
    ngx_str_t                data;
    ngx_uint_t               resumed;
    ngx_http_im_join_t      *join;
    ngx_http_im_frame_t     *frame;
    ngx_http_im_event_id_t   id;

    join = stream->join;
    resumed = (join->since.time >= 0 && join->reset == NULL);

    if (resumed) {
        ngx_http_im_stat_inc(stream->channel->store->stat,
                             NGX_HTTP_IM_STAT_RESUMED);
    }

    data.data = buf;
    data.len = ngx_sprintf(buf, "{\"total\":%L,\"resumed\":%s}", join->total,
                           resumed ? "true" : "false")
               - buf;

    id.epoch = stream->channel->epoch;
    id.time = join->now;

    frame = ngx_http_im_frame_create(&id, "ready", &data, stream->log);

    if (frame == NULL) {
        stream->broken = 1;
        ngx_http_im_stream_kill(stream);
        return;
    }

    ngx_http_im_stream_conn_send(stream, frame);
    ngx_http_im_frame_release(frame);

    stream->id = id;
    stream->ready = 1;
}


static void
ngx_http_im_join_kept(ngx_http_im_stream_t *stream)
{
    ngx_uint_t            i;
    ngx_http_im_join_t   *join;
    ngx_http_im_frame_t  *frame;

    join = stream->join;

    for (i = 0; i < join->nkept; i++) {
        frame = join->kept[i];

        if (stream->state != NGX_HTTP_IM_STREAM_DEAD
            && !ngx_http_im_join_is_told(stream, frame))
        {
            ngx_http_im_stat_inc(stream->channel->store->stat,
                                 NGX_HTTP_IM_STAT_DELIVERIES);

            ngx_http_im_stream_conn_send(stream, frame);

            if (stream->join != join) {

                /* it was cut off, and what was kept is released */

                return;
            }
        }
    }

    ngx_http_im_join_kept_drop(join);
}


ngx_int_t
ngx_http_im_join_check(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame)
{
    int64_t              known;
    ngx_http_im_join_t  *join;

    join = stream->join;

    if (frame->seq == 0) {
        return NGX_OK;
    }

    known = ngx_http_im_join_known(join, &frame->conv_id);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p message seq:%L known:%L looks:%ui",
                   stream, frame->seq, known, join->looks);

    /*
     * The message before it may have been missed: of a 1:1 that was not in
     * the inbox when the stream has read it.
     */

    if (!frame->group && frame->seq > known + 1
        && join->looks < NGX_HTTP_IM_JOIN_LOOKS)
    {
        join->looks++;

        ngx_http_im_join_enter(stream);
        ngx_http_im_join_keep(stream, frame);
        ngx_http_im_join_read(stream);

        return NGX_DONE;
    }

    return ngx_http_im_join_is_told(stream, frame) ? NGX_DONE : NGX_OK;
}


ngx_msec_t
ngx_http_im_join_timer(ngx_http_im_stream_t *stream)
{
    ngx_msec_t           passed;
    ngx_http_im_join_t  *join;

    join = stream->join;

    if (join == NULL || join->window == 0
        || stream->state != NGX_HTTP_IM_STREAM_LIVE)
    {
        return NGX_TIMER_INFINITE;
    }

    passed = ngx_current_msec - join->started;

    if (passed < join->window) {
        return join->window - passed;
    }

    join->looks++;

    ngx_http_im_join_enter(stream);
    ngx_http_im_join_read(stream);

    return NGX_TIMER_INFINITE;
}
