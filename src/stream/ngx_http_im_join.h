
#ifndef _NGX_HTTP_IM_JOIN_H_INCLUDED_
#define _NGX_HTTP_IM_JOIN_H_INCLUDED_


#include "ngx_http_im_stream.h"


/*
 * How a stream becomes live.  From the beginning it keeps the events that are
 * for it.  It reads which groups it is in and, where it comes back with an id,
 * what has happened since then; what it has read comes before what it has
 * kept.
 *
 * A send writes the inboxes after the message.  If a stream has read between
 * the two, it does not know of the conversation; so it looks again after a
 * time by which the sender is done, or when an event shows that it must.
 */

/* how a stream was opened; NULL: out of memory */
ngx_http_im_join_t *ngx_http_im_join_create(ngx_http_im_stream_t *stream,
    ngx_str_t *last_event_id);

/* it is the stream's turn */
void ngx_http_im_join_start(ngx_http_im_stream_t *stream);

/* the stream has missed something, and waits for its turn */
void ngx_http_im_join_again(ngx_http_im_stream_t *stream);

/* drops what is under way; the stream joins no more */
void ngx_http_im_join_free(ngx_http_im_stream_t *stream);

/* an event while the stream joins */
void ngx_http_im_join_keep(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame);

/*
 * An event of a stream that is live, but has joined a short time ago.  NGX_OK:
 * it is to be sent; NGX_DONE: the stream has it, or has kept it.
 */
ngx_int_t ngx_http_im_join_check(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame);

/* the time to look again has come; when it does, or NGX_TIMER_INFINITE */
ngx_msec_t ngx_http_im_join_timer(ngx_http_im_stream_t *stream);


#endif /* _NGX_HTTP_IM_JOIN_H_INCLUDED_ */
