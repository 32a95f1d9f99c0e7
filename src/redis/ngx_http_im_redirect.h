
#ifndef _NGX_HTTP_IM_REDIRECT_H_INCLUDED_
#define _NGX_HTTP_IM_REDIRECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"


/*
 * The bytes of a command that goes to another node of a cluster.
 *
 * ASKING is a part of the bytes of its command, so that nothing comes between
 * the two; the command then has two replies.
 *
 * A command with several keys gets TRYAGAIN from the node that imports a slot
 * unless all of them are there.  If the other node has none of them, which is
 * why it has redirected the command, and the keys of a script are created
 * together, then none exists anywhere.  Such a script is sent again with its
 * first key alone: a single key that does not exist is no reason to refuse
 * it, and the script finds the others by the name of that.
 */

/* NGX_OK, or NGX_ERROR when out of memory */
ngx_int_t ngx_http_im_redirect_ask(ngx_http_im_cmd_t *cmd, ngx_pool_t *pool);

/* NGX_OK; NGX_DECLINED: it has no other keys; NGX_ERROR: out of memory */
ngx_int_t ngx_http_im_redirect_one_key(ngx_http_im_cmd_t *cmd,
    ngx_pool_t *pool);

/* as it was in the beginning */
void ngx_http_im_redirect_undo(ngx_http_im_cmd_t *cmd);


#endif /* _NGX_HTTP_IM_REDIRECT_H_INCLUDED_ */
