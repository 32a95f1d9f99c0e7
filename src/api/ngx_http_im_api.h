
#ifndef _NGX_HTTP_IM_API_H_INCLUDED_
#define _NGX_HTTP_IM_API_H_INCLUDED_


#include "ngx_http_im_call.h"
#include "ngx_http_im_schema.h"


/* the calls; each is described where it is defined */

extern const ngx_http_im_op_t  ngx_http_im_op_conv_list;
extern const ngx_http_im_op_t  ngx_http_im_op_unread;
extern const ngx_http_im_op_t  ngx_http_im_op_conv_page;
extern const ngx_http_im_op_t  ngx_http_im_op_pair_page;
extern const ngx_http_im_op_t  ngx_http_im_op_conv_read;
extern const ngx_http_im_op_t  ngx_http_im_op_send;
extern const ngx_http_im_op_t  ngx_http_im_op_group_create;
extern const ngx_http_im_op_t  ngx_http_im_op_group_add;
extern const ngx_http_im_op_t  ngx_http_im_op_group_list;
extern const ngx_http_im_op_t  ngx_http_im_op_user_set;
extern const ngx_http_im_op_t  ngx_http_im_op_user_get;


/*
 * Names and pictures of the users of one answer.  Each user is asked for
 * once, whatever the number of places it stands in.  A step names whom it
 * wants, asks for all of them, and reads them when the next step has come.
 */

#define NGX_HTTP_IM_PROFILE_BUCKETS   64

typedef struct ngx_http_im_profile_s  ngx_http_im_profile_t;

struct ngx_http_im_profile_s {
    ngx_http_im_profile_t   *next;         /* in its bucket */
    ngx_http_im_profile_t   *fetch_next;
    ngx_str_t                id;
    ngx_str_t                text[2];      /* name and picture, escaped, */
    ngx_http_im_cmd_t       *cmd;          /*   "" when unknown */
    ngx_msec_t               asked;
    uint32_t                 hash;
    unsigned                 known:1;
};

typedef struct {
    ngx_http_im_profile_t   *buckets[NGX_HTTP_IM_PROFILE_BUCKETS];
    ngx_http_im_profile_t   *wanted;       /* not yet asked for */
} ngx_http_im_profiles_t;


void ngx_http_im_profiles_init(ngx_http_im_profiles_t *profiles);

/* NULL: out of memory */
ngx_http_im_profile_t *ngx_http_im_profile_add(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles, ngx_str_t *id);

/* may add commands; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_profiles_fetch(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles);

/* NGX_ERROR: what came back makes no sense */
ngx_int_t ngx_http_im_profile_parse(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile);

void ngx_http_im_profile_changed(ngx_http_im_call_t *call, ngx_str_t *id);


/*
 * What one call tells those that come after it, on this machine, through the
 * cache.  Nothing depends on it but what has to be asked.
 */

void ngx_http_im_hint_key(ngx_http_im_call_t *call, ngx_http_im_cache_e kind,
    ngx_str_t *id, uint32_t hash, ngx_http_im_cache_key_t *key);

/* who probably wrote last in a group, "" if there is no idea */
ngx_int_t ngx_http_im_sender_get(ngx_http_im_call_t *call,
    ngx_str_t *conv_id, ngx_str_t *user);
void ngx_http_im_sender_put(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *user);

/*
 * Both inboxes have the conversation, with a score of the same step of the
 * clock as time or of a later one; asked: when they were written.
 */
ngx_uint_t ngx_http_im_inbox_is_current(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *time);
void ngx_http_im_inbox_put(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *time, ngx_msec_t asked);
int64_t ngx_http_im_inbox_step(ngx_str_t *time);

/*
 * The newest rows of the call's conversation, n of them or all there are, as
 * they were within the last minute.  They are the newest still if the first
 * is that of the message in the head.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_http_im_recent_get(ngx_http_im_call_t *call, ngx_uint_t n,
    ngx_str_t *rows);

/* takes a row from the front, 0: there is none */
ngx_uint_t ngx_http_im_recent_next(ngx_str_t *rows, ngx_str_t *row);

/* the reply to a ZREVRANGE from 0; all of its elements are strings */
void ngx_http_im_recent_put(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *reply, ngx_msec_t asked);


#endif /* _NGX_HTTP_IM_API_H_INCLUDED_ */
