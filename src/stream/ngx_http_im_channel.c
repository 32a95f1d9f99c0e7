
#include "ngx_http_im_channel.h"
#include "ngx_http_im_channel_event.h"
#include "ngx_http_im_join.h"
#include "ngx_http_im_stream_conn.h"
#include "ngx_http_im_stream_online.h"
#include "ngx_http_im_stream_table.h"


#define NGX_HTTP_IM_CHANNEL_TICK      250     /* ms */
#define NGX_HTTP_IM_CHANNEL_IDLE      60000   /* ms without a stream */

/* streams that read at a time; of those that have missed something, those
   that begin in a tick */
#define NGX_HTTP_IM_CHANNEL_JOINING   32
#define NGX_HTTP_IM_CHANNEL_RESYNCS   125


static void ngx_http_im_channel_up(void *data, uint32_t epoch);
static void ngx_http_im_channel_down(void *data);
static void ngx_http_im_channel_tick_handler(ngx_event_t *ev);
static void ngx_http_im_channel_tick_add(ngx_http_im_channel_t *channel);
static void ngx_http_im_channel_bye_all(ngx_http_im_channel_t *channel);
static void ngx_http_im_channel_expire(ngx_http_im_channel_t *channel);
static void ngx_http_im_channel_run_handler(ngx_event_t *ev);
static void ngx_http_im_channel_replace(ngx_http_im_stream_t *stream);
static void ngx_http_im_channel_turn(ngx_http_im_channel_t *channel);
static void ngx_http_im_channel_leave(ngx_http_im_stream_t *stream);
static void ngx_http_im_channel_stream_handler(ngx_event_t *ev);
static void ngx_http_im_channel_timer_add(ngx_http_im_stream_t *stream);


static const ngx_http_im_sub_handlers_t  ngx_http_im_channel_handlers = {
    ngx_http_im_channel_up,
    ngx_http_im_channel_down,
    ngx_http_im_channel_row
};


ngx_int_t
ngx_http_im_channel_init(ngx_http_im_channel_t *channel)
{
    ngx_queue_init(&channel->streams);
    ngx_queue_init(&channel->waiting);
    ngx_queue_init(&channel->stale);
    ngx_queue_init(&channel->events);
    ngx_queue_init(&channel->dead);

    ngx_http_im_stream_table_init(&channel->table);

    channel->clock = -1;

    channel->run.handler = ngx_http_im_channel_run_handler;
    channel->run.data = channel;
    channel->run.log = ngx_cycle->log;

    channel->tick.handler = ngx_http_im_channel_tick_handler;
    channel->tick.data = channel;
    channel->tick.log = ngx_cycle->log;

    channel->sub = ngx_http_im_sub_create(channel->store, &channel->name,
                                          &ngx_http_im_channel_handlers,
                                          channel);

    return channel->sub ? NGX_OK : NGX_ERROR;
}


void
ngx_http_im_channel_exit(ngx_http_im_channel_t *channel)
{
    if (channel->sub == NULL) {
        return;
    }

    /* the store is closed, and its jobs are free: they are not released */

    ngx_http_im_sub_exit(channel->sub);
    channel->sub = NULL;

    if (channel->tick.timer_set) {
        ngx_del_timer(&channel->tick);
    }
}


ngx_int_t
ngx_http_im_channel_join(ngx_http_im_stream_t *stream, ngx_str_t *user)
{
    ngx_http_im_channel_t  *channel;

    channel = stream->channel;

    stream->user = ngx_http_im_stream_user_get(&channel->table, user,
                                               stream->log);
    if (stream->user == NULL) {
        return NGX_ERROR;
    }

    stream->leave = ngx_http_im_channel_leave;

    ngx_queue_insert_tail(&channel->streams, &stream->queue);
    ngx_queue_insert_tail(&stream->user->streams, &stream->of_user);
    ngx_queue_insert_tail(&channel->waiting, &stream->turn);

    stream->state = NGX_HTTP_IM_STREAM_WAITING;
    stream->user->n++;
    channel->n++;

    ngx_http_im_stat_inc(channel->store->stat, NGX_HTTP_IM_STAT_STREAMS);
    ngx_http_im_stat_inc(channel->store->stat,
                         NGX_HTTP_IM_STAT_OPENED);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p user:\"%V\" joins, streams:%ui of user:%ui",
                   stream, user, channel->n, stream->user->n);

    ngx_http_im_channel_replace(stream);

    stream->timer.handler = ngx_http_im_channel_stream_handler;
    stream->timer.data = stream;
    stream->timer.log = ngx_cycle->log;
    stream->timer.cancelable = 1;

    ngx_http_im_channel_timer_add(stream);
    ngx_http_im_channel_tick_add(channel);

    if (ngx_exiting || ngx_terminate) {
        ngx_http_im_channel_bye_all(channel);
        return NGX_OK;
    }

    ngx_http_im_sub_open(channel->sub);

    ngx_http_im_stream_online_refresh(channel);

    if (!channel->up && ngx_http_im_sub_has_failed(channel->sub)) {
        ngx_http_im_channel_expire(channel);
        return NGX_OK;
    }

    ngx_http_im_channel_turn(channel);

    return NGX_OK;
}


/* one stream too many of a user: the oldest goes, for a while at least */

static void
ngx_http_im_channel_replace(ngx_http_im_stream_t *stream)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    ngx_http_im_stream_t  *old;

    n = 0;

    for (q = ngx_queue_last(&stream->user->streams);
         q != ngx_queue_sentinel(&stream->user->streams);
         q = ngx_queue_prev(q))
    {
        old = ngx_queue_data(q, ngx_http_im_stream_t, of_user);

        if (old->state != NGX_HTTP_IM_STREAM_DEAD
            && ++n > stream->conf->max)
        {
            ngx_http_im_stream_conn_bye(old, "replaced", 60000);
        }
    }
}


static void
ngx_http_im_channel_up(void *data, uint32_t epoch)
{
    ngx_http_im_channel_t *channel = data;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im channel \"%V\" is up, epoch:%08xD before:%08xD "
                   "streams:%ui",
                   &channel->name, epoch, channel->epoch, channel->n);

    channel->up = 1;
    channel->epoch = epoch;

    ngx_http_im_stat_set(channel->store->stat, NGX_HTTP_IM_STAT_SUBSCRIBED, 1);

    channel->resyncs = NGX_HTTP_IM_CHANNEL_RESYNCS;
    ngx_http_im_channel_turn(channel);
}


static void
ngx_http_im_channel_down(void *data)
{
    ngx_http_im_channel_t *channel = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im channel \"%V\" is down, streams:%ui",
                   &channel->name, channel->n);

    channel->up = 0;

    ngx_http_im_stat_set(channel->store->stat, NGX_HTTP_IM_STAT_SUBSCRIBED, 0);

    ngx_http_im_channel_resync(channel);
}


static void
ngx_http_im_channel_turn(ngx_http_im_channel_t *channel)
{
    ngx_queue_t           *q, *turns;
    ngx_http_im_stream_t  *stream;

    while (channel->up && !channel->paused
           && channel->joining < NGX_HTTP_IM_CHANNEL_JOINING)
    {

        turns = &channel->waiting;

        if (ngx_queue_empty(turns)) {
            turns = &channel->stale;

            if (ngx_queue_empty(turns) || channel->resyncs == 0) {
                return;
            }

            channel->resyncs--;
        }

        q = ngx_queue_head(turns);
        ngx_queue_remove(q);

        stream = ngx_queue_data(q, ngx_http_im_stream_t, turn);

        ngx_http_im_join_start(stream);
    }
}


static void
ngx_http_im_channel_tick_add(ngx_http_im_channel_t *channel)
{
    ngx_msec_t  delay;

    /* without a stream nobody is to be told of an exit */

    delay = channel->n ? NGX_HTTP_IM_CHANNEL_TICK : NGX_HTTP_IM_CHANNEL_IDLE;

    if (channel->tick.timer_set) {

        if (channel->tick.cancelable == (channel->n == 0)) {
            return;
        }

        ngx_del_timer(&channel->tick);
    }

    channel->tick.cancelable = (channel->n == 0);
    ngx_add_timer(&channel->tick, delay);
}


static void
ngx_http_im_channel_tick_handler(ngx_event_t *ev)
{
    ngx_http_im_channel_t  *channel;

    channel = ev->data;

    if (channel->n == 0) {
        ngx_http_im_sub_close(channel->sub);
        channel->up = 0;
        ngx_http_im_channel_events_drop(channel);
        ngx_http_im_stat_set(channel->store->stat,
                             NGX_HTTP_IM_STAT_SUBSCRIBED, 0);
        return;
    }

    if (ngx_exiting || ngx_terminate) {
        ngx_http_im_channel_bye_all(channel);
        ngx_http_im_channel_tick_add(channel);
        return;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im channel \"%V\" tick up:%d streams:%ui joining:%ui",
                   &channel->name, (int) channel->up, channel->n,
                   channel->joining);

    channel->resyncs = NGX_HTTP_IM_CHANNEL_RESYNCS;
    channel->paused = 0;

    ngx_http_im_channel_turn(channel);
    ngx_http_im_channel_expire(channel);
    ngx_http_im_stream_online_refresh(channel);

    ngx_http_im_channel_tick_add(channel);
}


/* the worker exits: clients are to come back one after another */

static void
ngx_http_im_channel_bye_all(ngx_http_im_channel_t *channel)
{
    ngx_queue_t           *q;
    ngx_http_im_stream_t  *stream;

    for (q = ngx_queue_head(&channel->streams);
         q != ngx_queue_sentinel(&channel->streams);
         q = ngx_queue_next(q))
    {
        stream = ngx_queue_data(q, ngx_http_im_stream_t, queue);

        ngx_http_im_stream_conn_bye(stream, "reload",
                                1 + ngx_random()
                                    % ngx_max(stream->conf->drain, 1));
    }
}


/* new streams do not wait for a channel that cannot be read */

static void
ngx_http_im_channel_expire(ngx_http_im_channel_t *channel)
{
    ngx_queue_t           *q, *next;
    ngx_http_im_stream_t  *stream;

    if (channel->up) {
        return;
    }

    for (q = ngx_queue_head(&channel->waiting);
         q != ngx_queue_sentinel(&channel->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        stream = ngx_queue_data(q, ngx_http_im_stream_t, turn);

        if (ngx_http_im_sub_has_failed(channel->sub)
            || ngx_current_msec - stream->written
               >= channel->store->connect_timeout + channel->store->timeout)
        {
            ngx_http_im_stream_conn_bye(stream, "store",
                                    1000 + ngx_random() % 4000);
        }
    }
}


static void
ngx_http_im_channel_run_handler(ngx_event_t *ev)
{
    ngx_queue_t            *q;
    ngx_http_im_stream_t   *stream;
    ngx_http_im_channel_t  *channel;

    channel = ev->data;

    while (!ngx_queue_empty(&channel->dead)) {
        q = ngx_queue_head(&channel->dead);
        stream = ngx_queue_data(q, ngx_http_im_stream_t, turn);

        ngx_http_im_channel_leave(stream);
        ngx_http_im_stream_conn_close(stream);
    }

    if (channel->sub && !ngx_exiting) {
        ngx_http_im_channel_turn(channel);
    }
}


static void
ngx_http_im_channel_leave(ngx_http_im_stream_t *stream)
{
    ngx_http_im_channel_t  *channel;

    channel = stream->channel;

    if (stream->user == NULL) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p leaves, state:%d streams:%ui",
                   stream, stream->state, channel->n);

    ngx_http_im_stream_joined(stream);
    ngx_http_im_join_free(stream);

    if (stream->timer.timer_set) {
        ngx_del_timer(&stream->timer);
    }

    if (stream->state == NGX_HTTP_IM_STREAM_WAITING
        || stream->state == NGX_HTTP_IM_STREAM_DEAD)
    {
        ngx_queue_remove(&stream->turn);
    }

    stream->state = NGX_HTTP_IM_STREAM_DEAD;

    ngx_queue_remove(&stream->queue);
    ngx_queue_remove(&stream->of_user);

    stream->user->n--;
    ngx_http_im_stream_user_release(&channel->table, stream->user);
    stream->user = NULL;

    ngx_http_im_stat_add(channel->store->stat, NGX_HTTP_IM_STAT_STREAMS, -1);

    channel->n--;

    if (channel->n == 0) {
        ngx_http_im_channel_tick_add(channel);
    }
}


/* the times of one stream: its end, a ping, another look */

static void
ngx_http_im_channel_stream_handler(ngx_event_t *ev)
{
    ngx_http_im_frame_t     *frame;
    ngx_http_im_stream_t    *stream;
    ngx_http_im_event_id_t   id;

    stream = ev->data;

    if (stream->state == NGX_HTTP_IM_STREAM_DEAD) {
        return;
    }

    if ((ngx_msec_int_t) (ngx_current_msec - stream->expires) >= 0) {
        ngx_http_im_stream_conn_bye(stream, "expired",
                                    1 + ngx_random() % 1000);
        return;
    }

    (void) ngx_http_im_join_timer(stream);

    if (ngx_current_msec - stream->written >= stream->conf->ping) {
        id = stream->id;

        if (stream->state != NGX_HTTP_IM_STREAM_LIVE) {
            id.time = -1;

        } else if (id.epoch == stream->channel->epoch) {
            id.time = ngx_max(id.time, stream->channel->clock);
        }

        frame = ngx_http_im_frame_ping(&id, stream->log);

        if (frame) {
            ngx_http_im_stream_conn_send(stream, frame);
            ngx_http_im_frame_release(frame);
        }
    }

    if (stream->state != NGX_HTTP_IM_STREAM_DEAD) {
        ngx_http_im_channel_timer_add(stream);
    }
}


static void
ngx_http_im_channel_timer_add(ngx_http_im_stream_t *stream)
{
    ngx_msec_t  now, delay, silent;

    now = ngx_current_msec;
    silent = now - stream->written;

    delay = (silent < stream->conf->ping) ? stream->conf->ping - silent : 1;
    delay = ngx_min(delay, (ngx_msec_t) ngx_max((ngx_msec_int_t)
                                          (stream->expires - now), 1));
    delay = ngx_min(delay, ngx_http_im_join_timer(stream));

    ngx_add_timer(&stream->timer, delay);
}
