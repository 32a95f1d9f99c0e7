
#ifndef _NGX_HTTP_IM_HINT_H_INCLUDED_
#define _NGX_HTTP_IM_HINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_call.h"


/*
 * Hints save commands.  They are in the cache, which all workers share, and
 * may be missing or old at any time: what is answered and stored is the same
 * without them.
 */

void ngx_http_im_hint_key(ngx_http_im_call_t *call, ngx_http_im_cache_e kind,
    ngx_str_t *id, ngx_http_im_cache_key_t *key);

/*
 * value: that of an entry put for a command sent after since, copied to the
 * call's pool; "" otherwise.  NGX_OK, NGX_DECLINED or NGX_ERROR.
 */
ngx_int_t ngx_http_im_hint_get(ngx_http_im_call_t *call,
    ngx_http_im_cache_e kind, ngx_str_t *conv_id, ngx_msec_t since,
    ngx_str_t *value);

/* sent: when the command was sent whose reply the value is */
void ngx_http_im_hint_put(ngx_http_im_call_t *call, ngx_http_im_cache_e kind,
    ngx_str_t *conv_id, ngx_msec_t sent, ngx_str_t *value);


/* who wrote last in a group, "" if unknown; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_im_sender_get(ngx_http_im_call_t *call,
    ngx_str_t *conv_id, ngx_str_t *user);
void ngx_http_im_sender_put(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *user);


/*
 * The inboxes of a 1:1.  Scores are only raised once in 16 seconds for each
 * conversation: a score may be older than the last message, but never by a
 * whole step of a clock that ticks every 16 seconds.
 */

/*
 * Do both inboxes have the call's conversation with a score in the step of
 * call->made_time, or a later one?  seq is the number of the message that was
 * stored, generation that of the command which stored it.
 */
ngx_uint_t ngx_http_im_inbox_is_current(ngx_http_im_call_t *call, int64_t seq,
    ngx_msec_t generation);

/* both inboxes have call->made_time, by commands sent at that time */
void ngx_http_im_inbox_put(ngx_http_im_call_t *call, ngx_msec_t sent);

/*
 * Entries of an inbox are in the order of scores.  Can none that comes after
 * the last one fetched have a newer message than the last one shown?  Times
 * of their last messages.
 */
ngx_uint_t ngx_http_im_inbox_order_is_final(ngx_str_t *shown,
    ngx_str_t *fetched);

/* the scores of the step of a time in ms, from the first to the last */
void ngx_http_im_inbox_step(int64_t ms, int64_t *start, int64_t *end);


/*
 * The newest rows of the call's conversation, n of them or all there are, as
 * they were within the last minute.  They are the newest still if the first
 * is the row of the message in the head, and if rev is that of the head: no
 * message was recalled since.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_http_im_recent_get(ngx_http_im_call_t *call, ngx_uint_t n,
    ngx_str_t *rev, ngx_str_t *rows);

/* takes a row from the front, 0: there is none */
ngx_uint_t ngx_http_im_recent_next(ngx_str_t *rows, ngx_str_t *row);

/*
 * The reply to a ZREVRANGE from 0, all of whose elements are strings; rev is
 * that of a head that was read before it.
 */
void ngx_http_im_recent_put(ngx_http_im_call_t *call, ngx_str_t *rev,
    ngx_http_im_reply_t *reply, ngx_msec_t sent);


#endif /* _NGX_HTTP_IM_HINT_H_INCLUDED_ */
