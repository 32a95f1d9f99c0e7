
#ifndef _NGX_HTTP_IM_FRAME_H_INCLUDED_
#define _NGX_HTTP_IM_FRAME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * An event as it is sent, in one piece of memory that all streams share.  It
 * is counted: each stream that has not sent it yet holds it.
 */

typedef struct {
    ngx_uint_t     refs;
    ngx_uint_t     group;      /* of a group: for its members only */
    int64_t        seq;        /* of a message, else 0 */
    ngx_str_t      conv_id;
    ngx_str_t      sse;        /* text/event-stream */
    ngx_str_t      chunk;      /* the same as a chunk of HTTP/1.1 */
} ngx_http_im_frame_t;


/* the id of an event: an epoch, and the time up to which all was told */

typedef struct {
    uint32_t       epoch;
    int64_t        time;       /* ms; -1: no id */
} ngx_http_im_event_id_t;

/* "5f1c09aa-1795525403144" */
#define NGX_HTTP_IM_EVENT_ID_LEN   (8 + 1 + 13)


/* NGX_OK, or NGX_DECLINED: not an id of ours */
ngx_int_t ngx_http_im_event_id_parse(ngx_http_im_event_id_t *id,
    ngx_str_t *text);

/* a frame with one reference; NULL when out of memory */
ngx_http_im_frame_t *ngx_http_im_frame_create(ngx_http_im_event_id_t *id,
    const char *event, ngx_str_t *data, ngx_log_t *log);

/* of a message, or of a conversation, in place of the above */
ngx_http_im_frame_t *ngx_http_im_frame_conv_create(
    ngx_http_im_event_id_t *id, const char *event, ngx_str_t *data,
    ngx_str_t *conv_id, ngx_log_t *log);

/* the first one: a comment, and the time after which to reconnect, in ms */
ngx_http_im_frame_t *ngx_http_im_frame_hello(ngx_msec_t retry,
    ngx_log_t *log);

/* bye, with the time until a client is to come back, in ms */
ngx_http_im_frame_t *ngx_http_im_frame_bye(const char *reason,
    ngx_msec_t retry, ngx_log_t *log);

/* a comment, and the id, so that a client needs not ask further back */
ngx_http_im_frame_t *ngx_http_im_frame_ping(ngx_http_im_event_id_t *id,
    ngx_log_t *log);

void ngx_http_im_frame_release(ngx_http_im_frame_t *frame);


#endif /* _NGX_HTTP_IM_FRAME_H_INCLUDED_ */
