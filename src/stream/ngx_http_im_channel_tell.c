
#include "ngx_http_im_channel_tell.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_join.h"
#include "ngx_http_im_stream_conn.h"
#include "ngx_http_im_stream_table.h"


#define NGX_HTTP_IM_CHANNEL_DATA   512     /* bytes of an event's data */


static ngx_int_t ngx_http_im_channel_tell_joined(
    ngx_http_im_channel_t *channel, ngx_http_im_event_t *event);
static ngx_int_t ngx_http_im_channel_tell_left(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event);
static ngx_int_t ngx_http_im_channel_tell_set(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event);
static ngx_http_im_frame_t *ngx_http_im_channel_frame(
    ngx_http_im_channel_t *channel, ngx_http_im_event_t *event,
    const char *name, const char *change);
static void ngx_http_im_channel_tell_all(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event, ngx_http_im_frame_t *frame);
static void ngx_http_im_channel_tell_user(ngx_http_im_stream_user_t *user,
    ngx_http_im_frame_t *frame, ngx_uint_t confirmed);
static void ngx_http_im_channel_tell_stream(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame, ngx_uint_t confirmed);


ngx_int_t
ngx_http_im_channel_tell(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event, ngx_http_im_frame_t *frame)
{
    const char                 *name, *change;
    ngx_http_im_stream_user_t  *user;

    change = NULL;
    name = "conv";

    switch (event->kind) {

    case NGX_HTTP_IM_EVENT_MESSAGE:
        ngx_http_im_channel_tell_all(channel, event, frame);
        return NGX_OK;

    case NGX_HTTP_IM_EVENT_JOINED:
        return ngx_http_im_channel_tell_joined(channel, event);

    case NGX_HTTP_IM_EVENT_LEFT:
        return ngx_http_im_channel_tell_left(channel, event);

    case NGX_HTTP_IM_EVENT_RECALL:
        name = "recall";
        break;

    case NGX_HTTP_IM_EVENT_READ:
        name = "read";
        break;

    case NGX_HTTP_IM_EVENT_TYPING:
        name = "typing";
        break;

    case NGX_HTTP_IM_EVENT_TRANSFERRED:
        change = "transferred";
        break;

    case NGX_HTTP_IM_EVENT_DISMISSED:
        change = "dismissed";
        break;

    case NGX_HTTP_IM_EVENT_HIDDEN:
        change = "hidden";
        break;

    default: /* NGX_HTTP_IM_EVENT_SET */
        change = "set";
        break;
    }

    frame = ngx_http_im_channel_frame(channel, event, name, change);

    if (frame == NULL) {
        return NGX_ERROR;
    }

    if (event->kind == NGX_HTTP_IM_EVENT_HIDDEN) {
        user = ngx_http_im_stream_user_find(&channel->table, &event->user);

        if (user) {
            ngx_http_im_channel_tell_user(user, frame, 1);
        }

    } else {
        ngx_http_im_channel_tell_all(channel, event, frame);
    }

    ngx_http_im_frame_release(frame);

    return NGX_OK;
}


/* "joined" is for those who have; of a group, the others see "set" */

static ngx_int_t
ngx_http_im_channel_tell_joined(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event)
{
    ngx_str_t                   rest, name;
    ngx_http_im_frame_t        *frame;
    ngx_http_im_stream_user_t  *user;
    ngx_http_im_stream_link_t  *link;

    if (ngx_http_im_channel_tell_set(channel, event) != NGX_OK) {
        return NGX_ERROR;
    }

    frame = ngx_http_im_channel_frame(channel, event, "conv", "joined");
    if (frame == NULL) {
        return NGX_ERROR;
    }

    link = NULL;
    rest = event->rest;

    while (ngx_http_im_event_users_next(&rest, &name) == NGX_OK) {
        user = ngx_http_im_stream_user_find(&channel->table, &name);

        if (user == NULL) {
            continue;
        }

        link = ngx_http_im_stream_link_get(&channel->table, user,
                                           &event->conv_id, ngx_cycle->log);
        if (link == NULL) {
            ngx_http_im_frame_release(frame);
            return NGX_ERROR;
        }

        link->confirmed = 1;

        ngx_http_im_channel_tell_user(user, frame, 1);
    }

    ngx_http_im_frame_release(frame);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_channel_tell_set(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event)
{
    ngx_http_im_frame_t  *frame;

    frame = ngx_http_im_channel_frame(channel, event, "conv", "set");
    if (frame == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_channel_tell_all(channel, event, frame);
    ngx_http_im_frame_release(frame);

    return NGX_OK;
}


/* what is told to a user of a group ends with "left" */

static ngx_int_t
ngx_http_im_channel_tell_left(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event)
{
    ngx_str_t                   rest, name;
    ngx_http_im_frame_t        *frame;
    ngx_http_im_stream_user_t  *user;
    ngx_http_im_stream_link_t  *link;

    frame = ngx_http_im_channel_frame(channel, event, "conv", "left");
    if (frame == NULL) {
        return NGX_ERROR;
    }

    rest = event->rest;

    while (ngx_http_im_event_users_next(&rest, &name) == NGX_OK) {
        user = ngx_http_im_stream_user_find(&channel->table, &name);

        if (user == NULL) {
            continue;
        }

        link = ngx_http_im_stream_link_find(&channel->table, user,
                                            &event->conv_id);
        if (link) {
            ngx_http_im_stream_link_remove(&channel->table, link);
        }

        ngx_http_im_channel_tell_user(user, frame, 1);
    }

    ngx_http_im_frame_release(frame);

    return ngx_http_im_channel_tell_set(channel, event);
}


static ngx_http_im_frame_t *
ngx_http_im_channel_frame(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event, const char *name, const char *change)
{
    ngx_str_t                text;
    ngx_pool_t              *pool;
    ngx_http_im_frame_t     *frame;
    ngx_http_im_writer_t     w;
    ngx_http_im_event_id_t   id;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    ngx_http_im_writer_init(&w, pool, NGX_HTTP_IM_CHANNEL_DATA);
    ngx_http_im_event_write(&w, event, change);

    frame = NULL;

    id.epoch = channel->epoch;
    id.time = (event->kind == NGX_HTTP_IM_EVENT_TYPING) ? -1 : event->clock;

    if (ngx_http_im_event_text(&w, &text) == NGX_OK) {
        frame = ngx_http_im_frame_create(&id, name, &text, ngx_cycle->log);
    }

    ngx_destroy_pool(pool);

    return frame;
}


/* the users of a 1:1, or the members of a group; a typing user knows it */

static void
ngx_http_im_channel_tell_all(ngx_http_im_channel_t *channel,
    ngx_http_im_event_t *event, ngx_http_im_frame_t *frame)
{
    ngx_str_t                   *except;
    ngx_uint_t                   i;
    ngx_queue_t                 *q;
    ngx_http_im_stream_user_t   *user;
    ngx_http_im_stream_link_t   *link;
    ngx_http_im_stream_group_t  *group;

    except = (event->kind == NGX_HTTP_IM_EVENT_TYPING) ? &event->user : NULL;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im channel \"%V\" tell kind:%d conv:\"%V\" size:%uz",
                   &channel->name, event->kind, &event->conv_id,
                   frame->sse.len);

    if (event->pair) {

        for (i = 0; i < 2; i++) {
            user = ngx_http_im_stream_user_find(&channel->table,
                                                &event->users[i]);

            if (user && (except == NULL
                         || !ngx_http_im_str_eq(except, &event->users[i])))
            {
                ngx_http_im_channel_tell_user(user, frame, 1);
            }
        }

        return;
    }

    group = ngx_http_im_stream_group_find(&channel->table, &event->conv_id);

    if (group == NULL) {
        return;
    }

    for (q = ngx_queue_head(&group->links);
         q != ngx_queue_sentinel(&group->links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_http_im_stream_link_t, of_group);

        if (except == NULL || !ngx_http_im_str_eq(except, &link->user->sn.str))
        {
            ngx_http_im_channel_tell_user(link->user, frame, link->confirmed);
        }
    }
}


static void
ngx_http_im_channel_tell_user(ngx_http_im_stream_user_t *user,
    ngx_http_im_frame_t *frame, ngx_uint_t confirmed)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&user->streams);
         q != ngx_queue_sentinel(&user->streams);
         q = ngx_queue_next(q))
    {
        ngx_http_im_channel_tell_stream(ngx_queue_data(q, ngx_http_im_stream_t,
                                                       of_user),
                                        frame, confirmed);
    }
}


static void
ngx_http_im_channel_tell_stream(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame, ngx_uint_t confirmed)
{
    if (stream->state == NGX_HTTP_IM_STREAM_JOINING) {
        ngx_http_im_join_keep(stream, frame);
        return;
    }

    if (stream->state != NGX_HTTP_IM_STREAM_LIVE || !confirmed) {
        return;
    }

    if (stream->join && ngx_http_im_join_check(stream, frame) != NGX_OK) {
        return;
    }

    ngx_http_im_stat_inc(stream->channel->store->stat,
                         NGX_HTTP_IM_STAT_DELIVERIES);

    ngx_http_im_stream_conn_send(stream, frame);
}
