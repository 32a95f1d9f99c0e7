
#ifndef _NGX_HTTP_IM_JOIN_READ_H_INCLUDED_
#define _NGX_HTTP_IM_JOIN_READ_H_INCLUDED_


#include "ngx_http_im_stream.h"


/* What a stream that joins reads from Redis; of join only. */

#define NGX_HTTP_IM_JOIN_KEPT   64

/* bytes of what was missed; a client that has missed more loads the list */
#define NGX_HTTP_IM_JOIN_SIZE   (2 * 1024 * 1024)


/* rc: NGX_OK, or the store has failed */
typedef void (*ngx_http_im_join_pt)(ngx_http_im_stream_t *stream,
    ngx_int_t rc);


struct ngx_http_im_join_s {
    ngx_http_im_join_pt        done;
    ngx_http_im_event_id_t     since;       /* time -1: it is new */
    const char                *reset;       /* its reason, or NULL */
    ngx_http_im_job_t         *job;
    ngx_http_im_call_t        *call;
    int64_t                    now;         /* of Redis, before the reading */
    int64_t                    total;       /* unread */

    ngx_array_t                frames;      /* of ngx_http_im_frame_t *, that
                                               were missed */
    size_t                     size;        /* of these */
    ngx_http_im_frame_t       *kept[NGX_HTTP_IM_JOIN_KEPT];
    ngx_uint_t                 nkept;
    size_t                     kept_size;

    ngx_pool_t                *pool;        /* of the following */
    ngx_rbtree_t               convs;       /* the last message of each that
                                               was told since */
    ngx_rbtree_node_t          convs_sentinel;

    ngx_uint_t                 tries;
    ngx_uint_t                 looks;
    ngx_msec_t                 started;     /* when it was live */
    ngx_msec_t                 window;      /* after which it looks again */
    unsigned                   overflow:1;  /* not all was kept */
};


/* ends in join->done */
void ngx_http_im_join_read(ngx_http_im_stream_t *stream);

/* drops the call, the frames, and what was kept */
void ngx_http_im_join_read_drop(ngx_http_im_stream_t *stream);

void ngx_http_im_join_kept_drop(ngx_http_im_join_t *join);
void ngx_http_im_join_frames_send(ngx_http_im_stream_t *stream);

/* the sequence up to which a conversation was told, or 0 */
int64_t ngx_http_im_join_known(ngx_http_im_join_t *join, ngx_str_t *conv_id);
void ngx_http_im_join_note(ngx_http_im_join_t *join, ngx_str_t *conv_id,
    int64_t seq);

/* is the user a member of the group that the frame is of? */
ngx_uint_t ngx_http_im_join_allows(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame);

/* notes a message that is sent; 1: it was before */
ngx_uint_t ngx_http_im_join_is_told(ngx_http_im_stream_t *stream,
    ngx_http_im_frame_t *frame);


#endif /* _NGX_HTTP_IM_JOIN_READ_H_INCLUDED_ */
