
#ifndef _NGX_HTTP_IM_MESSAGE_H_INCLUDED_
#define _NGX_HTTP_IM_MESSAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_profile.h"
#include "ngx_http_im_schema.h"


/* The messages of an answer: rows of a timeline and who sent them. */

typedef struct {
    ngx_http_im_row_t         row;
    ngx_http_im_profile_t    *sender;
} ngx_http_im_message_t;

typedef struct {
    ngx_http_im_message_t    *elts;
    ngx_uint_t                nelts;
    ngx_uint_t                first;      /* of the last conversation */
    size_t                    size;       /* of the rows */
    ngx_http_im_profiles_t    profiles;   /* of the senders */
} ngx_http_im_messages_t;


/* room for n, none of them yet; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_messages_init(ngx_http_im_call_t *call,
    ngx_http_im_messages_t *messages, ngx_uint_t n);

/*
 * The next one, and its sender, who is yet to be fetched.  NGX_OK; NGX_DONE:
 * the row is no message's; NGX_ERROR; or refused.
 */
ngx_int_t ngx_http_im_message_add(ngx_http_im_call_t *call,
    ngx_http_im_messages_t *messages, ngx_str_t *text);

/* one of them as a JSON object */
void ngx_http_im_message_write(ngx_http_im_call_t *call,
    ngx_http_im_message_t *message, ngx_str_t *conv_id, ngx_uint_t seq);

/* the other way round */
void ngx_http_im_messages_reverse(ngx_http_im_messages_t *messages);

/*
 * The answer, an array; parses the senders.  conv_id: as it is shown.  NGX_OK,
 * or refused.
 */
ngx_int_t ngx_http_im_messages_write(ngx_http_im_call_t *call,
    ngx_http_im_messages_t *messages, ngx_str_t *conv_id);


#endif /* _NGX_HTTP_IM_MESSAGE_H_INCLUDED_ */
