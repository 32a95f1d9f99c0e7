
#ifndef _NGX_HTTP_IM_ID_H_INCLUDED_
#define _NGX_HTTP_IM_ID_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_IM_ID_MAX         64
#define NGX_HTTP_IM_PAIR_LEN       24
#define NGX_HTTP_IM_MSG_ID_MAX     128    /* of an imported one */
#define NGX_HTTP_IM_RAND_LEN       16

/* of a conversation's id, which is part of a path, and of a user's */

#define NGX_HTTP_IM_ID_CONV_FORM                                             \
    "1 to 64 bytes of A-Z a-z 0-9 _ - . : @, but not . or .."
#define NGX_HTTP_IM_ID_USER_FORM                                             \
    "1 to 64 bytes of A-Z a-z 0-9 _ - . : @ + = | ~ / ! *, but not . or .."


ngx_uint_t ngx_http_im_id_conv_valid(ngx_str_t *id);
ngx_uint_t ngx_http_im_id_user_valid(ngx_str_t *id);

/* whether it is the id of a 1:1 conversation: 24 lower-case hex digits */
ngx_uint_t ngx_http_im_id_is_pair(ngx_str_t *id);

/* the id of the 1:1 conversation of two users, in either order */
void ngx_http_im_id_pair(ngx_str_t *a, ngx_str_t *b,
    u_char dst[NGX_HTTP_IM_PAIR_LEN]);

/* for any strings */
ngx_uint_t ngx_http_im_str_eq(const ngx_str_t *a, const ngx_str_t *b);

/* in the order of bytes, as memcmp() */
ngx_int_t ngx_http_im_id_order(ngx_str_t *a, ngx_str_t *b);

/* PREFIX_T_N is shown as id N and type T, others unchanged and type "" */
void ngx_http_im_id_split(ngx_str_t *id, ngx_str_t *shown, ngx_str_t *type);

/* "12-0123456789abcdef" -> 12; 0: not the id of a message */
uint64_t ngx_http_im_id_msg_seq(ngx_str_t *msg_id);


#endif /* _NGX_HTTP_IM_ID_H_INCLUDED_ */
