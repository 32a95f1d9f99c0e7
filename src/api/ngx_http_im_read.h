
#ifndef _NGX_HTTP_IM_READ_H_INCLUDED_
#define _NGX_HTTP_IM_READ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/*
 * Script read -> "ok" or the code of a refusal: the position of a user in the
 * call's conversation becomes seq, or that of msg_id, or the last message if
 * seq is negative.  It is never set back.
 */
ngx_http_im_cmd_t *ngx_http_im_read_position_set(ngx_http_im_call_t *call,
    ngx_str_t *user, int64_t seq, ngx_str_t *msg_id);


#endif /* _NGX_HTTP_IM_READ_H_INCLUDED_ */
