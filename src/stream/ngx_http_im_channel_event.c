
#include "ngx_http_im_channel_event.h"
#include "ngx_http_im_channel_tell.h"
#include "ngx_http_im_event_message.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_join.h"
#include "ngx_http_im_stream_table.h"


/* bytes of events that wait */
#define NGX_HTTP_IM_CHANNEL_EVENTS_MAX   (16 * 1024 * 1024)

/* ms by which a clock may step back unnoticed, see api/missed */
#define NGX_HTTP_IM_CHANNEL_STEP         1900


typedef struct {
    ngx_queue_t              queue;
    ngx_http_im_channel_t   *channel;
    ngx_http_im_event_t      event;       /* in the row */
    ngx_http_im_job_t       *job;         /* of the profile, or NULL */
    ngx_http_im_call_t      *call;
    ngx_http_im_frame_t     *frame;       /* of a message */
    size_t                   size;
    unsigned                 ready:1;
} ngx_http_im_channel_event_t;


static ngx_uint_t ngx_http_im_channel_concerns(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event);
static ngx_http_im_channel_event_t *ngx_http_im_channel_event_create(
    ngx_http_im_channel_t *channel, ngx_str_t *row);
static void ngx_http_im_channel_event_free(ngx_http_im_channel_event_t *ce);
static ngx_int_t ngx_http_im_channel_event_format(
    ngx_http_im_channel_event_t *ce);
static void ngx_http_im_channel_job_handler(ngx_http_im_job_t *job);
static void ngx_http_im_channel_event_done(ngx_http_im_channel_event_t *ce,
    ngx_int_t rc);
static void ngx_http_im_channel_events_tell(ngx_http_im_channel_t *channel);
static void ngx_http_im_channel_clock(ngx_http_im_channel_t *channel,
    int64_t clock);


void
ngx_http_im_channel_row(void *data, ngx_str_t *row)
{
    ngx_http_im_channel_t *channel = data;

    ngx_http_im_event_t           event;
    ngx_http_im_channel_event_t  *ce;

    if (ngx_http_im_event_parse(&event, row) != NGX_OK) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im channel \"%V\" row of %uz bytes is invalid",
                       &channel->name, row->len);
        return;
    }

    /* what an event changes is known when those before it were told */

    if (ngx_queue_empty(&channel->events)
        && !ngx_http_im_channel_concerns(channel, &event))
    {
        ngx_http_im_channel_clock(channel, event.clock);
        return;
    }

    ngx_http_im_stat_inc(channel->store->stat, NGX_HTTP_IM_STAT_EVENTS);

    ce = ngx_http_im_channel_event_create(channel, row);

    if (ce == NULL || channel->size > NGX_HTTP_IM_CHANNEL_EVENTS_MAX) {

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "im store \"%V\": too many events are waiting, streams "
                      "read them from the store", &channel->store->name);

        ngx_http_im_channel_resync(channel);
        return;
    }

    ngx_http_im_channel_events_tell(channel);
}


/* does a stream here see it? */

static ngx_uint_t
ngx_http_im_channel_concerns(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event)
{
    ngx_str_t                    rest, name;
    ngx_http_im_stream_table_t  *table;

    table = &channel->table;

    if (event->kind == NGX_HTTP_IM_EVENT_HIDDEN) {
        return ngx_http_im_stream_user_find(table, &event->user) != NULL;
    }

    if (event->pair) {
        return ngx_http_im_stream_user_find(table, &event->users[0])
               || ngx_http_im_stream_user_find(table, &event->users[1]);
    }

    if (ngx_http_im_stream_group_find(table, &event->conv_id)) {
        return 1;
    }

    if (event->kind == NGX_HTTP_IM_EVENT_JOINED) {
        rest = event->rest;

        while (ngx_http_im_event_users_next(&rest, &name) == NGX_OK) {
            if (ngx_http_im_stream_user_find(table, &name)) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_http_im_channel_event_t *
ngx_http_im_channel_event_create(ngx_http_im_channel_t *channel,
    ngx_str_t *row)
{
    ngx_str_t                     copy;
    ngx_http_im_channel_event_t  *ce;

    ce = ngx_calloc(sizeof(ngx_http_im_channel_event_t) + row->len,
                    ngx_cycle->log);
    if (ce == NULL) {
        return NULL;
    }

    copy.data = (u_char *) ce + sizeof(ngx_http_im_channel_event_t);
    copy.len = row->len;
    ngx_memcpy(copy.data, row->data, row->len);

    ce->channel = channel;
    ce->size = sizeof(ngx_http_im_channel_event_t) + row->len;

    /* it was parsed before */

    (void) ngx_http_im_event_parse(&ce->event, &copy);

    channel->size += ce->size;
    ngx_queue_insert_tail(&channel->events, &ce->queue);

    if (ce->event.kind != NGX_HTTP_IM_EVENT_MESSAGE) {
        ce->ready = 1;
        return ce;
    }

    if (ngx_http_im_channel_event_format(ce) != NGX_OK) {
        ngx_http_im_channel_event_free(ce);
        return NULL;
    }

    return ce;
}


static void
ngx_http_im_channel_event_free(ngx_http_im_channel_event_t *ce)
{
    ngx_queue_remove(&ce->queue);
    ce->channel->size -= ce->size;

    if (ce->job) {
        ngx_http_im_store_release(ce->job);
    }

    if (ce->frame) {
        ngx_http_im_frame_release(ce->frame);
    }

    ngx_free(ce);
}


void
ngx_http_im_channel_events_drop(ngx_http_im_channel_t *channel)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&channel->events)) {
        q = ngx_queue_head(&channel->events);

        ngx_http_im_channel_event_free(
                     ngx_queue_data(q, ngx_http_im_channel_event_t, queue));
    }
}


void
ngx_http_im_channel_resync(ngx_http_im_channel_t *channel)
{
    ngx_queue_t           *q;
    ngx_http_im_stream_t  *stream;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im channel \"%V\" resync streams:%ui clock:%L",
                   &channel->name, channel->n, channel->clock);

    ngx_http_im_channel_events_drop(channel);

    for (q = ngx_queue_head(&channel->streams);
         q != ngx_queue_sentinel(&channel->streams);
         q = ngx_queue_next(q))
    {
        stream = ngx_queue_data(q, ngx_http_im_stream_t, queue);

        if (stream->state == NGX_HTTP_IM_STREAM_LIVE
            && stream->id.epoch == channel->epoch)
        {
            /* it was told of all up to the last event */

            stream->id.time = ngx_max(stream->id.time, channel->clock);
        }

        ngx_http_im_join_again(stream);
    }
}


static ngx_int_t
ngx_http_im_channel_event_format(ngx_http_im_channel_event_t *ce)
{
    ngx_int_t                  rc;
    ngx_str_t                  caller = ngx_string(" events");
    ngx_http_im_job_t         *job;
    ngx_http_im_store_t       *store;
    ngx_http_im_call_env_t     env;
    ngx_http_im_event_args_t  *args;

    store = ngx_http_im_store_get(ce->channel->store);
    job = store ? ngx_http_im_store_job(store) : NULL;

    if (job == NULL) {
        return NGX_ERROR;
    }

    ce->job = job;

    ngx_http_im_stream_env(ce->channel, &env);

    ce->call = ngx_http_im_call_create(&env, job, &ngx_http_im_op_event,
                                       &ce->event.shown);
    if (ce->call == NULL) {
        return NGX_ERROR;
    }

    args = ce->call->args;
    args->row = ce->event.rest;

    rc = ngx_http_im_call_run(ce->call);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im channel event conv:\"%V\" rc:%i job:%p",
                   &ce->event.conv_id, rc, job);

    if (rc == NGX_AGAIN) {
        job->handler = ngx_http_im_channel_job_handler;
        job->data = ce;

        ngx_http_im_store_submit(job, &caller);
        return NGX_OK;
    }

    ngx_http_im_channel_event_done(ce, rc);

    return NGX_OK;
}


static void
ngx_http_im_channel_job_handler(ngx_http_im_job_t *job)
{
    ngx_int_t                     rc;
    ngx_http_im_channel_t        *channel;
    ngx_http_im_channel_event_t  *ce;

    ce = job->data;
    channel = ce->channel;

    rc = ngx_http_im_call_run(ce->call);

    if (rc == NGX_AGAIN) {
        ngx_http_im_store_submit(job, NULL);
        return;
    }

    ngx_http_im_channel_event_done(ce, rc);
    ngx_http_im_channel_events_tell(channel);
}


/* a message without the name of its sender is better than none */

static void
ngx_http_im_channel_event_done(ngx_http_im_channel_event_t *ce, ngx_int_t rc)
{
    ngx_str_t                text;
    ngx_http_im_call_t      *call;
    ngx_http_im_event_id_t   id;

    call = ce->call;

    if (rc != NGX_OK) {
        rc = ngx_http_im_event_write_bare(call);
    }

    if (rc == NGX_OK
        && ngx_http_im_event_text(&call->writer, &text) == NGX_OK)
    {
        id.epoch = ce->channel->epoch;
        id.time = ce->event.clock;

        ce->frame = ngx_http_im_frame_conv_create(&id, "message", &text,
                                                  &ce->event.conv_id,
                                                  ngx_cycle->log);
    }

    if (ce->frame) {
        ce->frame->seq = ngx_http_im_id_msg_seq(&ce->event.msg_id);
        ce->frame->group = !ce->event.pair;
    }

    ngx_http_im_store_release(ce->job);

    ce->job = NULL;
    ce->call = NULL;
    ce->ready = 1;
}


static void
ngx_http_im_channel_events_tell(ngx_http_im_channel_t *channel)
{
    ngx_queue_t                  *q;
    ngx_http_im_channel_event_t  *ce;

    while (!ngx_queue_empty(&channel->events)) {
        q = ngx_queue_head(&channel->events);
        ce = ngx_queue_data(q, ngx_http_im_channel_event_t, queue);

        if (!ce->ready) {
            return;
        }

        /* no memory, or a row that is none of ours */

        if ((ce->event.kind == NGX_HTTP_IM_EVENT_MESSAGE && ce->frame == NULL)
            || ngx_http_im_channel_tell(channel, &ce->event, ce->frame)
               != NGX_OK)
        {
            ngx_http_im_channel_resync(channel);
            return;
        }

        ngx_http_im_channel_clock(channel, ce->event.clock);
        ngx_http_im_channel_event_free(ce);
    }
}


static void
ngx_http_im_channel_clock(ngx_http_im_channel_t *channel, int64_t clock)
{
    if (clock < channel->clock - NGX_HTTP_IM_CHANNEL_STEP) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "im store \"%V\": its clock was set back by %L ms: a "
                      "stream that is not open now may miss messages",
                      &channel->store->name, channel->clock - clock);
    }

    channel->clock = clock;
}
