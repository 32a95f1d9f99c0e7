
#include "ngx_http_im_hint.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_schema.h"


/* a step of an inbox's clock: 2^14 ms, 16 seconds */
#define NGX_HTTP_IM_INBOX_SHIFT   14

/* ms; a worker reads the clock once in a turn of its event loop */
#define NGX_HTTP_IM_INBOX_MARGIN  1000

/* ms; changes made to a row by other programs show after this time */
#define NGX_HTTP_IM_RECENT_TTL    60000


static void ngx_http_im_hint_forget(ngx_http_im_call_t *call,
    ngx_http_im_cache_e kind, ngx_str_t *conv_id);
static int64_t ngx_http_im_inbox_step_number(ngx_str_t *time);


void
ngx_http_im_hint_key(ngx_http_im_call_t *call, ngx_http_im_cache_e kind,
    ngx_str_t *id, ngx_http_im_cache_key_t *key)
{
    key->kind = kind;
    key->scope = call->scope;
    key->hash = ngx_http_im_cache_hash(call->cache, id);
    key->id = *id;
}


void
ngx_http_im_hint_put(ngx_http_im_call_t *call, ngx_http_im_cache_e kind,
    ngx_str_t *conv_id, ngx_msec_t sent, ngx_str_t *value)
{
    ngx_str_t                values[2];
    ngx_http_im_cache_key_t  key;

    if (call->cache == NULL) {
        return;
    }

    ngx_http_im_hint_key(call, kind, conv_id, &key);

    values[0] = *value;
    ngx_str_null(&values[1]);

    ngx_http_im_cache_put(call->cache, &key, sent, values);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im hint put kind:%ui conv:\"%V\" size:%uz job:%p",
                   (ngx_uint_t) kind, conv_id, value->len, call->job);
}


ngx_int_t
ngx_http_im_hint_get(ngx_http_im_call_t *call, ngx_http_im_cache_e kind,
    ngx_str_t *conv_id, ngx_msec_t since, ngx_str_t *value)
{
    ngx_int_t                rc;
    ngx_str_t                values[2];
    ngx_http_im_cache_key_t  key;

    ngx_str_null(value);

    if (call->cache == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_im_hint_key(call, kind, conv_id, &key);

    ngx_http_im_cache_lock(call->cache);
    rc = ngx_http_im_cache_get(call->cache, &key, since, call->pool, values);
    ngx_http_im_cache_unlock(call->cache);

    if (rc == NGX_OK) {
        *value = values[0];
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im hint get kind:%ui conv:\"%V\" rc:%i job:%p",
                   (ngx_uint_t) kind, conv_id, rc, call->job);

    return rc;
}


static void
ngx_http_im_hint_forget(ngx_http_im_call_t *call, ngx_http_im_cache_e kind,
    ngx_str_t *conv_id)
{
    ngx_http_im_cache_key_t  key;

    if (call->cache == NULL) {
        return;
    }

    ngx_http_im_hint_key(call, kind, conv_id, &key);

    ngx_http_im_cache_forget(call->cache, &key);
}


ngx_int_t
ngx_http_im_sender_get(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *user)
{
    ngx_int_t  rc;

    rc = ngx_http_im_hint_get(call, NGX_HTTP_IM_CACHE_SENDER, conv_id,
                              ngx_http_im_cache_long_ago(), user);

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


void
ngx_http_im_sender_put(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *user)
{
    ngx_http_im_hint_put(call, NGX_HTTP_IM_CACHE_SENDER, conv_id,
                         ngx_current_msec, user);
}


/*
 * A server that was restarted may have lost what was written to the inboxes
 * before: only hints younger than its connections count.  Message 1 begins a
 * conversation anew, so no inbox can have it, whatever was put before.
 */

ngx_uint_t
ngx_http_im_inbox_is_current(ngx_http_im_call_t *call, int64_t seq,
    ngx_msec_t generation)
{
    ngx_str_t   time;
    ngx_uint_t  current;

    if (seq <= 1) {

        if (ngx_http_im_hint_get(call, NGX_HTTP_IM_CACHE_INBOX,
                                 &call->conv_id, ngx_http_im_cache_long_ago(),
                                 &time)
            == NGX_OK)
        {
            ngx_http_im_hint_forget(call, NGX_HTTP_IM_CACHE_INBOX,
                                    &call->conv_id);
        }

        return 0;
    }

    if (ngx_http_im_hint_get(call, NGX_HTTP_IM_CACHE_INBOX, &call->conv_id,
                             generation + NGX_HTTP_IM_INBOX_MARGIN, &time)
        != NGX_OK)
    {
        return 0;
    }

    current = ngx_http_im_inbox_step_number(&time)
              >= ngx_http_im_inbox_step_number(&call->made_time);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im inbox written:%V message:%V current:%ui job:%p",
                   &time, &call->made_time, current, call->job);

    return current;
}


void
ngx_http_im_inbox_put(ngx_http_im_call_t *call, ngx_msec_t sent)
{
    ngx_http_im_hint_put(call, NGX_HTTP_IM_CACHE_INBOX, &call->conv_id, sent,
                         &call->made_time);
}


ngx_uint_t
ngx_http_im_inbox_order_is_final(ngx_str_t *shown, ngx_str_t *fetched)
{
    return ngx_http_im_inbox_step_number(shown)
           > ngx_http_im_inbox_step_number(fetched);
}


void
ngx_http_im_inbox_step(int64_t ms, int64_t *start, int64_t *end)
{
    int64_t  step;

    step = ms >> NGX_HTTP_IM_INBOX_SHIFT;

    *start = step << NGX_HTTP_IM_INBOX_SHIFT;
    *end = ((step + 1) << NGX_HTTP_IM_INBOX_SHIFT) - 1;
}


static int64_t
ngx_http_im_inbox_step_number(ngx_str_t *time)
{
    return ngx_http_im_atoi(time->data, time->len)
           >> NGX_HTTP_IM_INBOX_SHIFT;
}


/*
 * The revision, then rows, each after its length in two bytes.  They are the
 * whole timeline if the last one is that of the first message.
 */

ngx_int_t
ngx_http_im_recent_get(ngx_http_im_call_t *call, ngx_uint_t n, ngx_str_t *rev,
    ngx_str_t *rows)
{
    ngx_str_t          text, rest;
    ngx_http_im_row_t  row;

    if (ngx_http_im_hint_get(call, NGX_HTTP_IM_CACHE_RECENT, &call->conv_id,
                             ngx_current_msec - NGX_HTTP_IM_RECENT_TTL, rows)
        != NGX_OK
        || rows->len < NGX_HTTP_IM_HEAD_REV_LEN)
    {
        return NGX_DECLINED;
    }

    rev->data = rows->data;
    rev->len = NGX_HTTP_IM_HEAD_REV_LEN;

    rows->data += NGX_HTTP_IM_HEAD_REV_LEN;
    rows->len -= NGX_HTTP_IM_HEAD_REV_LEN;

    ngx_str_null(&text);

    for (rest = *rows; n && ngx_http_im_recent_next(&rest, &text); n--) {
        /* void */
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im recent size:%uz missing:%ui job:%p",
                   rows->len, n, call->job);

    if (n == 0
        || (ngx_http_im_row_parse(&row, &text) == NGX_OK && row.seq == 1))
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_im_recent_next(ngx_str_t *rows, ngx_str_t *row)
{
    if (rows->len == 0) {
        return 0;
    }

    row->len = rows->data[0] << 8 | rows->data[1];
    row->data = rows->data + 2;

    rows->data += 2 + row->len;
    rows->len -= 2 + row->len;

    return 1;
}


void
ngx_http_im_recent_put(ngx_http_im_call_t *call, ngx_str_t *rev,
    ngx_http_im_reply_t *reply, ngx_msec_t sent)
{
    u_char      *p, buf[NGX_HTTP_IM_CACHE_MAX];
    ngx_str_t    rows, *row;
    ngx_uint_t   i;

    p = ngx_cpymem(buf, rev->data, rev->len);

    for (i = 0; i < reply->nelts; i++) {
        row = &reply->elts[i].str;

        if (row->len == 0) {
            break;
        }

        if ((size_t) (buf + sizeof(buf) - p) < 2 + row->len) {
            ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                           "im recent too large rows:%ui of %ui job:%p",
                           i, reply->nelts, call->job);
            return;
        }

        *p++ = (u_char) (row->len >> 8);
        *p++ = (u_char) row->len;
        p = ngx_cpymem(p, row->data, row->len);
    }

    rows.data = buf;
    rows.len = p - buf;

    ngx_http_im_hint_put(call, NGX_HTTP_IM_CACHE_RECENT, &call->conv_id, sent,
                         &rows);
}
