
#include "ngx_http_im_stream.h"


void
ngx_http_im_stream_env(ngx_http_im_channel_t *channel,
    ngx_http_im_call_env_t *env)
{
    env->options = channel->options;
    env->scripts = channel->imcf->scripts;
    env->cache = channel->imcf->cache ? channel->imcf->cache->data : NULL;
    env->scope = channel->scope + channel->store->scope;
    env->unique = &channel->imcf->unique;
    env->timeout = channel->store->timeout;
    env->log = ngx_cycle->log;
}


void
ngx_http_im_stream_joins(ngx_http_im_stream_t *stream)
{
    stream->state = NGX_HTTP_IM_STREAM_JOINING;
    stream->channel->joining++;
    stream->user->joining++;
}


void
ngx_http_im_stream_joined(ngx_http_im_stream_t *stream)
{
    if (stream->state != NGX_HTTP_IM_STREAM_JOINING) {
        return;
    }

    stream->state = NGX_HTTP_IM_STREAM_LIVE;
    stream->channel->joining--;
    stream->user->joining--;

    /* others may wait for their turn */

    ngx_post_event(&stream->channel->run, &ngx_posted_events);
}


void
ngx_http_im_stream_kill(ngx_http_im_stream_t *stream)
{
    ngx_http_im_channel_t  *channel;

    channel = stream->channel;

    if (stream->state == NGX_HTTP_IM_STREAM_DEAD || stream->user == NULL) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p kill, state:%d broken:%d",
                   stream, stream->state, (int) stream->broken);

    ngx_http_im_stream_joined(stream);

    if (stream->state == NGX_HTTP_IM_STREAM_WAITING) {
        ngx_queue_remove(&stream->turn);
    }

    stream->state = NGX_HTTP_IM_STREAM_DEAD;
    ngx_queue_insert_tail(&channel->dead, &stream->turn);

    ngx_post_event(&channel->run, &ngx_posted_events);
}
