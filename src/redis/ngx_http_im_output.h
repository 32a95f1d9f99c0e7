
#ifndef _NGX_HTTP_IM_OUTPUT_H_INCLUDED_
#define _NGX_HTTP_IM_OUTPUT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"
#include "ngx_http_im_fence.h"
#include "ngx_http_im_stat.h"


/*
 * What a connection writes: commands become bytes in a buffer, with a fence
 * at its end; the commands stay in a queue until their replies come.  It
 * knows no socket.
 */

typedef struct {
    ngx_queue_t               sent;          /* commands without a reply */
    ngx_uint_t                commands;      /* these and those held */
    ngx_uint_t                limit;         /* of commands, or 0 */
    ngx_uint_t                alone;         /* the last one pushed is */
    ngx_http_im_fences_t      fences;

    u_char                   *start;
    u_char                   *pos;           /* not yet taken by the kernel */
    u_char                   *last;
    u_char                   *end;
    ngx_http_im_cmd_t        *partial;       /* its rest is not in yet */
    size_t                    partial_done;
    uint64_t                  serialised;    /* bytes put in so far */
    uint64_t                  written;       /* bytes taken by the kernel */

    ngx_msec_t                last_reply;    /* or first command in flight */
    ngx_http_im_stat_t       *stat;
    ngx_log_t                *log;
} ngx_http_im_output_t;


ngx_int_t ngx_http_im_output_init(ngx_http_im_output_t *out,
    ngx_pool_t *pool, ngx_http_im_stat_t *stat, ngx_log_t *log);

/*
 * The connection is gone.  Commands of which no byte was written go to state
 * WAITING; the queue keeps all of them but the fences.
 */
void ngx_http_im_output_reset(ngx_http_im_output_t *out);

/* may a command be pushed; one of a flow, which may have to be alone? */
ngx_uint_t ngx_http_im_output_has_room(ngx_http_im_output_t *out);
ngx_uint_t ngx_http_im_output_accepts(ngx_http_im_output_t *out,
    ngx_uint_t alone);
void ngx_http_im_output_push(ngx_http_im_output_t *out,
    ngx_http_im_cmd_t *cmd);

/*
 * After a connection was lost with many commands they go out one by one, then
 * in growing numbers, as each set of them has its replies.
 */
void ngx_http_im_output_replied(ngx_http_im_output_t *out);

/*
 * Before a write: the rest of a command, the setup (commands that go first, or
 * NULL), and a fence if there is room.
 */
void ngx_http_im_output_begin(ngx_http_im_output_t *out, ngx_queue_t *setup);

/* bytes that are no command; NGX_ERROR: there is no room for them */
ngx_int_t ngx_http_im_output_append(ngx_http_im_output_t *out,
    const u_char *p, size_t len);

/* so many bytes were written */
void ngx_http_im_output_update(ngx_http_im_output_t *out, size_t n);


#endif /* _NGX_HTTP_IM_OUTPUT_H_INCLUDED_ */
