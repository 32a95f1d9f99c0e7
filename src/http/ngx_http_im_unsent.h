
#ifndef _NGX_HTTP_IM_UNSENT_H_INCLUDED_
#define _NGX_HTTP_IM_UNSENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Bytes of answers that clients have not taken yet, of a worker.  They stay in
 * memory until their requests are freed, so a client that does not read must
 * not be given more and more of them.
 *
 * They are counted by holder: a user, or a connection where no user is known.
 * A holder may have a quarter of all, and no more than half of what is left:
 * something is always left for others.
 *
 * An answer that is sent at once is not counted, so the usual request costs a
 * comparison.
 */

#define NGX_HTTP_IM_UNSENT_MAX      (64 * 1024 * 1024)
#define NGX_HTTP_IM_UNSENT_REQUEST  8192     /* what a request has besides */


typedef struct {
    ngx_rbtree_t           tree;      /* of holders */
    ngx_rbtree_node_t      sentinel;
    size_t                 size;      /* of all holders */
    time_t                 logged;    /* when a refusal was */
} ngx_http_im_unsent_t;


/* allocated while it has requests with an unsent answer */

typedef struct {
    ngx_str_node_t         node;      /* the key, behind the struct */
    ngx_http_im_unsent_t  *unsent;
    size_t                 size;
    ngx_uint_t             requests;
} ngx_http_im_holder_t;


void ngx_http_im_unsent_init(ngx_http_im_unsent_t *unsent);

/*
 * Whether the holder may have so many bytes more; if not, a warning is logged,
 * at most once a second.
 */
ngx_uint_t ngx_http_im_unsent_allows(ngx_http_im_unsent_t *unsent,
    ngx_str_t *key, size_t size, ngx_log_t *log);

/* NULL when out of memory; otherwise to be subtracted once, the same size */
ngx_http_im_holder_t *ngx_http_im_unsent_add(ngx_http_im_unsent_t *unsent,
    ngx_str_t *key, size_t size, ngx_log_t *log);
void ngx_http_im_unsent_subtract(ngx_http_im_holder_t *holder, size_t size);


#endif /* _NGX_HTTP_IM_UNSENT_H_INCLUDED_ */
