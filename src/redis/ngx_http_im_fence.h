
#ifndef _NGX_HTTP_IM_FENCE_H_INCLUDED_
#define _NGX_HTTP_IM_FENCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"


/*
 * Redis replies carry no ids; the n-th reply belongs to the n-th command.  If
 * a server ever sent one reply too many or too few, every later reply on that
 * connection would go to the wrong request.  So every write ends with a
 * fence, an ECHO of a unique word, and no reply is used before the reply to
 * the fence behind it has come and has that word.
 */

#define NGX_HTTP_IM_FENCES   64      /* that may be in flight */


typedef struct ngx_http_im_fence_s  ngx_http_im_fence_t;

/* of one connection */

typedef struct {
    ngx_http_im_fence_t    *ring;
    uint64_t                word;       /* of the last fence */
    ngx_uint_t              n;          /* in flight */
    size_t                  unfenced;   /* charged since the last fence */
} ngx_http_im_fences_t;


ngx_int_t ngx_http_im_fences_init(ngx_http_im_fences_t *fences,
    ngx_pool_t *pool);

/* forgets those in flight */
void ngx_http_im_fences_reset(ngx_http_im_fences_t *fences);

/* the next fence, to be written now: there must be one free */
ngx_http_im_cmd_t *ngx_http_im_fence_create(ngx_http_im_fences_t *fences);

/*
 * The reply to a fence: NGX_OK: the held replies are in step; NGX_DECLINED:
 * the server refuses ECHO, nothing is known; NGX_ERROR: out of step.
 * held: the commands since the fence before, with their replies.
 */
ngx_int_t ngx_http_im_fence_check(ngx_http_im_fences_t *fences,
    ngx_http_im_cmd_t *cmd, ngx_http_im_reply_t *reply, ngx_queue_t *held);


#endif /* _NGX_HTTP_IM_FENCE_H_INCLUDED_ */
