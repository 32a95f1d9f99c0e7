
#include "ngx_http_im_join_read.h"
#include "ngx_http_im_convs.h"
#include "ngx_http_im_event.h"
#include "ngx_http_im_missed.h"
#include "ngx_http_im_missed_event.h"
#include "ngx_http_im_stream_conn.h"
#include "ngx_http_im_stream_table.h"


/* a conversation of which something was told since the stream joined */

typedef struct {
    ngx_str_node_t    sn;
    int64_t           seq;
} ngx_http_im_join_conv_t;


static ngx_int_t ngx_http_im_join_missed_create(ngx_http_im_stream_t *stream);
static ngx_int_t ngx_http_im_join_unread_create(ngx_http_im_stream_t *stream);
static ngx_http_im_call_t *ngx_http_im_join_call(ngx_http_im_stream_t *stream,
    const ngx_http_im_op_t *op);
static void ngx_http_im_join_run(ngx_http_im_stream_t *stream);
static void ngx_http_im_join_job_handler(ngx_http_im_job_t *job);
static void ngx_http_im_join_job_drop(ngx_http_im_join_t *join);
static ngx_int_t ngx_http_im_join_result(ngx_http_im_stream_t *stream);
static ngx_int_t ngx_http_im_join_frame_add(ngx_http_im_stream_t *stream,
    ngx_http_im_missed_event_t *event);
static void ngx_http_im_join_frames_drop(ngx_http_im_join_t *join);
static void ngx_http_im_join_listed(void *data, ngx_str_t *conv_id);
static void ngx_http_im_join_member(void *data, ngx_str_t *conv_id);
static ngx_uint_t ngx_http_im_join_allowed(void *data, ngx_str_t *conv_id);
static int64_t ngx_http_im_join_stream_known(void *data, ngx_str_t *conv_id);


void
ngx_http_im_join_read(ngx_http_im_stream_t *stream)
{
    ngx_http_im_join_t  *join;

    join = stream->join;

    ngx_http_im_join_job_drop(join);
    ngx_http_im_join_frames_drop(join);

    if (ngx_http_im_join_missed_create(stream) != NGX_OK) {
        join->done(stream, NGX_ERROR);
        return;
    }

    ngx_http_im_join_run(stream);
}


static ngx_int_t
ngx_http_im_join_missed_create(ngx_http_im_stream_t *stream)
{
    ngx_http_im_join_t         *join;
    ngx_http_im_missed_args_t  *args;

    join = stream->join;

    if (join->pool == NULL) {
        join->pool = ngx_create_pool(1024, ngx_cycle->log);

        if (join->pool == NULL
            || ngx_array_init(&join->frames, join->pool, 8,
                              sizeof(ngx_http_im_frame_t *)) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_rbtree_init(&join->convs, &join->convs_sentinel,
                        ngx_str_rbtree_insert_value);
    }

    join->call = ngx_http_im_join_call(stream, &ngx_http_im_op_missed);

    if (join->call == NULL) {
        return NGX_ERROR;
    }

    args = join->call->args;

    args->user = stream->user->sn.str;
    args->since = join->since.time;
    args->max = stream->conf->replay_max;
    args->listed = ngx_http_im_join_listed;
    args->member = ngx_http_im_join_member;
    args->allowed = ngx_http_im_join_allowed;
    args->known = ngx_http_im_join_stream_known;
    args->data = stream;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_join_unread_create(ngx_http_im_stream_t *stream)
{
    ngx_http_im_join_t        *join;
    ngx_http_im_convs_args_t  *args;

    join = stream->join;

    join->call = ngx_http_im_join_call(stream, &ngx_http_im_op_unread);

    if (join->call == NULL) {
        return NGX_ERROR;
    }

    args = join->call->args;
    args->from_id = stream->user->sn.str;

    return NGX_OK;
}


static ngx_http_im_call_t *
ngx_http_im_join_call(ngx_http_im_stream_t *stream, const ngx_http_im_op_t *op)
{
    ngx_str_t                none = ngx_null_string;
    ngx_http_im_call_t      *call;
    ngx_http_im_join_t      *join;
    ngx_http_im_store_t     *store;
    ngx_http_im_call_env_t   env;

    join = stream->join;

    store = ngx_http_im_store_get(stream->channel->store);
    join->job = store ? ngx_http_im_store_job(store) : NULL;

    if (join->job == NULL) {
        return NULL;
    }

    ngx_http_im_stream_env(stream->channel, &env);

    env.options = stream->options;

    call = ngx_http_im_call_create(&env, join->job, op, &none);

    if (call) {
        call->from_id = stream->user->sn.str;
    }

    return call;
}


static void
ngx_http_im_join_run(ngx_http_im_stream_t *stream)
{
    ngx_int_t            rc;
    ngx_str_t           *error;
    ngx_http_im_job_t   *job;
    ngx_http_im_join_t  *join;

    join = stream->join;
    job = join->job;

    error = ngx_http_im_store_error(job);

    rc = ngx_http_im_call_run(join->call);

    if (rc == NGX_AGAIN) {
        job->handler = ngx_http_im_join_job_handler;
        job->data = stream;

        ngx_http_im_store_submit(job, &stream->user->sn.str);
        return;
    }

    ngx_http_im_call_log(join->call, rc, error);

    if (rc == NGX_OK) {
        rc = ngx_http_im_join_result(stream);

        if (rc == NGX_AGAIN) {
            ngx_http_im_join_run(stream);
            return;
        }
    }

    ngx_http_im_join_job_drop(join);
    join->done(stream, rc);
}


static void
ngx_http_im_join_job_handler(ngx_http_im_job_t *job)
{
    ngx_http_im_stream_t  *stream;

    stream = job->data;

    /* one that was killed is freed in a moment, and the job with it */

    if (stream->state != NGX_HTTP_IM_STREAM_DEAD) {
        ngx_http_im_join_run(stream);
    }
}


static void
ngx_http_im_join_job_drop(ngx_http_im_join_t *join)
{
    if (join->job) {
        ngx_http_im_store_release(join->job);

        join->job = NULL;
        join->call = NULL;
    }
}


/* NGX_OK; NGX_AGAIN: there is another call; or NGX_ERROR */

static ngx_int_t
ngx_http_im_join_result(ngx_http_im_stream_t *stream)
{
    ngx_str_t              text;
    ngx_uint_t             i;
    ngx_http_im_join_t    *join;
    ngx_http_im_missed_t  *missed;

    join = stream->join;

    if (join->call->op != &ngx_http_im_op_missed) {

        /* {"total":N} */

        if (ngx_http_im_event_text(&join->call->writer, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        join->total = ngx_atoi(text.data + sizeof("{\"total\":") - 1,
                               text.len - sizeof("{\"total\":}") + 1);
        return NGX_OK;
    }

    missed = join->call->state;
    join->now = missed->now;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p missed:%ui too many:%ui now:%L",
                   stream, missed->events.nelts, missed->too_many,
                   missed->now);

    if (missed->too_many) {
        join->reset = "too_many";

    } else {

        for (i = 0; i < missed->events.nelts; i++) {
            if (ngx_http_im_join_frame_add(stream,
                        (ngx_http_im_missed_event_t *) missed->events.elts + i)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    if (join->size > NGX_HTTP_IM_JOIN_SIZE) {
        ngx_http_im_join_frames_drop(join);
        join->reset = "too_many";
    }

    if (stream->ready) {
        return NGX_OK;
    }

    ngx_http_im_join_job_drop(join);

    return (ngx_http_im_join_unread_create(stream) == NGX_OK) ? NGX_AGAIN
                                                              : NGX_ERROR;
}


static ngx_int_t
ngx_http_im_join_frame_add(ngx_http_im_stream_t *stream,
    ngx_http_im_missed_event_t *event)
{
    ngx_http_im_join_t      *join;
    ngx_http_im_frame_t    **frame;
    ngx_http_im_event_id_t   id;

    static const char *const  names[] = { "gap", "message", "recall", "conv" };

    join = stream->join;

    frame = ngx_array_push(&join->frames);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    /* a time that was moved forward is none that all was told up to */

    id.epoch = stream->channel->epoch;
    id.time = ngx_min(event->time, join->now);

    *frame = ngx_http_im_frame_conv_create(&id, names[event->kind],
                                           &event->json, &event->conv_id,
                                           ngx_cycle->log);
    if (*frame == NULL) {
        join->frames.nelts--;
        return NGX_ERROR;
    }

    (*frame)->group = event->group;

    if (event->kind == NGX_HTTP_IM_MISSED_MESSAGE) {
        (*frame)->seq = event->seq;

    } else if (event->kind == NGX_HTTP_IM_MISSED_GAP) {
        ngx_http_im_stat_inc(stream->channel->store->stat,
                             NGX_HTTP_IM_STAT_GAP);
    }

    join->size += (*frame)->sse.len;

    return NGX_OK;
}


/* what is of a group is for members only */

ngx_uint_t
ngx_http_im_join_allows(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame)
{
    ngx_http_im_stream_link_t  *link;

    if (!frame->group) {
        return 1;
    }

    link = ngx_http_im_stream_link_find(&stream->channel->table, stream->user,
                                        &frame->conv_id);

    return link && link->confirmed;
}


/* notes a message that is sent; 1: it was before */

ngx_uint_t
ngx_http_im_join_is_told(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame)
{
    ngx_http_im_join_t  *join;

    join = stream->join;

    if (frame->seq == 0 || join->since.time < 0) {
        return 0;
    }

    if (frame->seq <= ngx_http_im_join_known(join, &frame->conv_id)) {
        return 1;
    }

    ngx_http_im_join_note(join, &frame->conv_id, frame->seq);

    return 0;
}


void
ngx_http_im_join_frames_send(ngx_http_im_stream_t *stream)
{
    ngx_uint_t             i;
    ngx_http_im_join_t    *join;
    ngx_http_im_frame_t  **frame;

    join = stream->join;
    frame = join->frames.elts;

    for (i = 0; i < join->frames.nelts; i++) {

        if (!ngx_http_im_join_allows(stream, frame[i])
            || ngx_http_im_join_is_told(stream, frame[i]))
        {
            continue;
        }

        ngx_http_im_stat_inc(stream->channel->store->stat,
                             NGX_HTTP_IM_STAT_DELIVERIES);

        ngx_http_im_stream_conn_send(stream, frame[i]);

        if (stream->state == NGX_HTTP_IM_STREAM_DEAD) {
            return;
        }
    }

    ngx_http_im_join_frames_drop(join);
}


static void
ngx_http_im_join_frames_drop(ngx_http_im_join_t *join)
{
    ngx_uint_t             i;
    ngx_http_im_frame_t  **frame;

    frame = join->frames.elts;

    for (i = 0; i < join->frames.nelts; i++) {
        ngx_http_im_frame_release(frame[i]);
    }

    join->frames.nelts = 0;
    join->size = 0;
}


void
ngx_http_im_join_kept_drop(ngx_http_im_join_t *join)
{
    ngx_uint_t  i;

    for (i = 0; i < join->nkept; i++) {
        ngx_http_im_frame_release(join->kept[i]);
    }

    join->nkept = 0;
    join->kept_size = 0;
}


void
ngx_http_im_join_read_drop(ngx_http_im_stream_t *stream)
{
    ngx_http_im_join_job_drop(stream->join);
    ngx_http_im_join_frames_drop(stream->join);
    ngx_http_im_join_kept_drop(stream->join);
    stream->join->overflow = 0;
}


/* before it is known whether the user is a member */

static void
ngx_http_im_join_listed(void *data, ngx_str_t *conv_id)
{
    ngx_http_im_stream_t *stream = data;

    if (ngx_http_im_stream_link_get(&stream->channel->table, stream->user,
                                    conv_id, stream->log)
        == NULL)
    {
        stream->join->overflow = 1;
    }
}


/* there is no link if an event has told meanwhile that the user has left */

static void
ngx_http_im_join_member(void *data, ngx_str_t *conv_id)
{
    ngx_http_im_stream_t *stream = data;

    ngx_http_im_stream_link_t  *link;

    link = ngx_http_im_stream_link_find(&stream->channel->table, stream->user,
                                        conv_id);

    if (link) {
        link->confirmed = 1;
    }
}


static ngx_uint_t
ngx_http_im_join_allowed(void *data, ngx_str_t *conv_id)
{
    ngx_http_im_stream_t *stream = data;

    ngx_http_im_stream_link_t  *link;

    link = ngx_http_im_stream_link_find(&stream->channel->table, stream->user,
                                        conv_id);

    return link && link->confirmed;
}


static int64_t
ngx_http_im_join_stream_known(void *data, ngx_str_t *conv_id)
{
    ngx_http_im_stream_t *stream = data;

    return ngx_http_im_join_known(stream->join, conv_id);
}


int64_t
ngx_http_im_join_known(ngx_http_im_join_t *join, ngx_str_t *conv_id)
{
    ngx_http_im_join_conv_t  *conv;

    conv = (ngx_http_im_join_conv_t *)
               ngx_str_rbtree_lookup(&join->convs, conv_id,
                                     ngx_crc32_short(conv_id->data,
                                                     conv_id->len));

    return conv ? conv->seq : 0;
}


void
ngx_http_im_join_note(ngx_http_im_join_t *join, ngx_str_t *conv_id,
    int64_t seq)
{
    uint32_t                  hash;
    ngx_http_im_join_conv_t  *conv;

    hash = ngx_crc32_short(conv_id->data, conv_id->len);

    conv = (ngx_http_im_join_conv_t *)
               ngx_str_rbtree_lookup(&join->convs, conv_id, hash);

    if (conv) {
        conv->seq = seq;
        return;
    }

    conv = ngx_palloc(join->pool, sizeof(ngx_http_im_join_conv_t));
    if (conv == NULL) {
        return;
    }

    conv->sn.str.len = conv_id->len;
    conv->sn.str.data = ngx_pstrdup(join->pool, conv_id);

    if (conv->sn.str.data == NULL) {
        return;
    }

    conv->sn.node.key = hash;
    conv->seq = seq;

    ngx_rbtree_insert(&join->convs, &conv->sn.node);
}
