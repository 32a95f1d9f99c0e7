
#ifndef _NGX_HTTP_IM_MISSED_H_INCLUDED_
#define _NGX_HTTP_IM_MISSED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/*
 * A call for a stream, not for a request: the groups of a user, and what has
 * happened in the user's conversations since a time.  Its arguments and its
 * result are in ngx_http_im_missed_event.h.
 */
extern const ngx_http_im_op_t  ngx_http_im_op_missed;


#endif /* _NGX_HTTP_IM_MISSED_H_INCLUDED_ */
