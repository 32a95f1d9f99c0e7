
#include "ngx_http_im_stream_conn.h"
#include "ngx_http_im_response.h"


/* a buffer and the frame in it */

typedef struct {
    ngx_buf_t              buf;
    ngx_http_im_frame_t   *frame;
} ngx_http_im_stream_buf_t;


static void ngx_http_im_stream_conn_cleanup(void *data);
static ngx_chain_t *ngx_http_im_stream_conn_buf(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame);
static void ngx_http_im_stream_conn_output(ngx_http_im_stream_t *stream,
    ngx_chain_t *out);
static void ngx_http_im_stream_conn_release(ngx_chain_t *cl);
static void ngx_http_im_stream_conn_write_handler(ngx_http_request_t *r);
static ngx_http_im_stream_t *ngx_http_im_stream_conn_get(
    ngx_http_request_t *r);


ngx_int_t
ngx_http_im_stream_conn_header(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  store = ngx_string("no-store"), no = ngx_string("no");

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;

    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_im_response_set(r, "Cache-Control", &store) != NGX_OK
        || ngx_http_im_response_set(r, "X-Accel-Buffering", &no) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_clear_accept_ranges(r);

    /* a filter that compresses would hold events back */

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    r->keepalive = 0;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return (rc == NGX_OK) ? NGX_DONE : rc;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_im_stream_conn_init(ngx_http_im_stream_t *stream)
{
    ngx_http_cleanup_t  *cln;
    ngx_http_request_t  *r;

    r = stream->request;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_im_stream_conn_cleanup;
    cln->data = stream;

    r->main->count++;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_im_stream_conn_write_handler;

    return NGX_OK;
}


/* the request ends, whoever has ended it */

static void
ngx_http_im_stream_conn_cleanup(void *data)
{
    ngx_http_im_stream_t *stream = data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p request ends, state:%d unsent:%uz",
                   stream, stream->state, stream->unsent);

    if (stream->leave) {
        stream->leave(stream);
    }

    ngx_http_im_stream_conn_release(stream->busy);
    ngx_http_im_stream_conn_release(stream->free);

    ngx_free(stream);
}


void
ngx_http_im_stream_conn_send(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame)
{
    ngx_chain_t  *out;

    if (stream->state == NGX_HTTP_IM_STREAM_DEAD) {
        return;
    }

    if (stream->unsent + frame->sse.len > stream->allowed) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                       "im stream:%p is too slow, unsent:%uz",
                       stream, stream->unsent);

        ngx_http_im_stat_inc(stream->channel->store->stat,
                             NGX_HTTP_IM_STAT_SLOW);
        stream->broken = 1;
        ngx_http_im_stream_kill(stream);
        return;
    }

    out = ngx_http_im_stream_conn_buf(stream, frame);

    if (out == NULL) {
        stream->broken = 1;
        ngx_http_im_stream_kill(stream);
        return;
    }

    stream->written = ngx_current_msec;

    ngx_http_im_stream_conn_output(stream, out);
}


static ngx_chain_t *
ngx_http_im_stream_conn_buf(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame)
{
    ngx_buf_t                 *b;
    ngx_pool_t                *pool;
    ngx_chain_t               *cl;
    ngx_http_im_stream_buf_t  *sb;

    pool = stream->request->pool;
    cl = stream->free;

    if (cl) {
        stream->free = cl->next;
        sb = (ngx_http_im_stream_buf_t *) cl->buf;

    } else {
        cl = ngx_alloc_chain_link(pool);
        sb = ngx_pcalloc(pool, sizeof(ngx_http_im_stream_buf_t));

        if (cl == NULL || sb == NULL) {
            return NULL;
        }

        cl->buf = &sb->buf;
    }

    cl->next = NULL;

    b = &sb->buf;
    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = frame->sse.data;
    b->pos = frame->sse.data;
    b->last = frame->sse.data + frame->sse.len;
    b->end = b->last;
    b->memory = 1;
    b->flush = 1;
    b->tag = (ngx_buf_tag_t) &ngx_http_im_stream_conn_send;

    frame->refs++;
    sb->frame = frame;

    return cl;
}


/* out NULL: what is unsent */

static void
ngx_http_im_stream_conn_output(ngx_http_im_stream_t *stream, ngx_chain_t *out)
{
    size_t                     unsent;
    ngx_int_t                  rc;
    ngx_chain_t               *cl;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = stream->request;
    c = r->connection;

    unsent = stream->unsent + (out ? ngx_buf_size(out->buf) : 0);

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &stream->free, &stream->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_im_stream_conn_send);

    ngx_http_im_stream_conn_release(stream->free);

    for (stream->unsent = 0, cl = stream->busy; cl; cl = cl->next) {
        stream->unsent += ngx_buf_size(cl->buf);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p output rc:%i unsent:%uz",
                   stream, rc, stream->unsent);

    if (rc == NGX_ERROR) {
        stream->broken = 1;
        ngx_http_im_stream_kill(stream);
        return;
    }

    if (stream->unsent == 0) {
        stream->allowed = stream->conf->buffer;

        if (c->write->timer_set) {
            ngx_del_timer(c->write);
        }

        return;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* the time counts from the last progress */

    if (!c->write->timer_set || stream->unsent < unsent) {
        ngx_add_timer(c->write, clcf->send_timeout);
    }

    if (ngx_handle_write_event(c->write, clcf->send_lowat) != NGX_OK) {
        stream->broken = 1;
        ngx_http_im_stream_kill(stream);
    }
}


/* the frames of buffers that were sent, or never will be */

static void
ngx_http_im_stream_conn_release(ngx_chain_t *cl)
{
    ngx_http_im_stream_buf_t  *sb;

    for ( /* void */ ; cl; cl = cl->next) {
        sb = (ngx_http_im_stream_buf_t *) cl->buf;

        if (sb->frame) {
            ngx_http_im_frame_release(sb->frame);
            sb->frame = NULL;
        }
    }
}


static void
ngx_http_im_stream_conn_write_handler(ngx_http_request_t *r)
{
    ngx_event_t           *wev;
    ngx_http_im_stream_t  *stream;

    wev = r->connection->write;
    stream = ngx_http_im_stream_conn_get(r);

    if (stream->state == NGX_HTTP_IM_STREAM_DEAD) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im stream:%p write, unsent:%uz timedout:%d",
                   stream, stream->unsent, (int) wev->timedout);

    if (wev->timedout) {
        wev->timedout = 0;
        stream->broken = 1;
        ngx_http_im_stream_kill(stream);
        return;
    }

    if (stream->unsent) {
        ngx_http_im_stream_conn_output(stream, NULL);
    }
}


static ngx_http_im_stream_t *
ngx_http_im_stream_conn_get(ngx_http_request_t *r)
{
    ngx_http_cleanup_t  *cln;

    for (cln = r->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_im_stream_conn_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


void
ngx_http_im_stream_conn_bye(ngx_http_im_stream_t *stream,
    const char *reason, ngx_msec_t retry)
{
    ngx_http_im_frame_t  *frame;

    if (stream->state == NGX_HTTP_IM_STREAM_DEAD) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, stream->log, 0,
                   "im stream:%p bye:%s retry:%M", stream, reason, retry);

    frame = ngx_http_im_frame_bye(reason, retry, stream->log);

    if (frame) {
        ngx_http_im_stream_conn_send(stream, frame);
        ngx_http_im_frame_release(frame);
    }

    ngx_http_im_stream_kill(stream);
}


void
ngx_http_im_stream_conn_close(ngx_http_im_stream_t *stream)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = stream->request;
    c = r->connection;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "im stream:%p close, broken:%d unsent:%uz",
                   stream, (int) stream->broken, stream->unsent);

    ngx_http_set_log_request(c->log, r);

    rc = stream->broken ? NGX_ERROR
                        : ngx_http_send_special(r, NGX_HTTP_LAST);

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}
