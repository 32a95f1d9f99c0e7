
#include "ngx_http_im_convs.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_id.h"


static ngx_uint_t ngx_http_im_convs_user_index(ngx_http_im_convs_t *convs,
    ngx_http_im_convs_row_t *row);
static ngx_int_t ngx_http_im_convs_front_parse(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_reply_t *reply,
    ngx_http_im_convs_row_t *row);
static ngx_int_t ngx_http_im_convs_group_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *elts, ngx_http_im_convs_row_t *row);


ngx_int_t
ngx_http_im_convs_row_parse(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t *row)
{
    int64_t               position;
    ngx_int_t             rc;
    ngx_uint_t            n, of;
    ngx_http_im_reply_t  *reply;

    reply = &row->cmd->reply;

    /* a whole group has three elements */

    of = (row->peer.len == 0 && row->whole) ? 3 : 1;
    n = of * row->n;

    if (reply->type != NGX_HTTP_IM_REPLY_ARRAY || n + of > reply->nelts) {
        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                       "im convs row conv:\"%V\" cmd:%p type:%d job:%p",
                       &row->conv_id, row->cmd, reply->type, call->job);

        return ngx_http_im_call_store_error(call);
    }

    reply = &reply->elts[n];

    if (row->peer.len == 0) {
        return ngx_http_im_convs_group_parse(call, reply, row);
    }

    if (!row->whole) {
        return ngx_http_im_convs_front_parse(call, convs, reply, row);
    }

    rc = ngx_http_im_conv_head_parse(call, reply, &row->head);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_im_conv_position(call, &row->head, NULL, convs->user,
                                   &position);

    if (rc == NGX_OK) {
        row->unread = ngx_max(row->head.seq - position, 0);
        row->hidden = row->head.hidden[ngx_http_im_convs_user_index(convs,
                                                                    row)];
    }

    return rc;
}


/* of the two users of a 1:1, who are in the order of their ids */

static ngx_uint_t
ngx_http_im_convs_user_index(ngx_http_im_convs_t *convs,
    ngx_http_im_convs_row_t *row)
{
    return ngx_http_im_id_order(convs->user, &row->peer) > 0;
}


static ngx_int_t
ngx_http_im_convs_front_parse(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_reply_t *reply,
    ngx_http_im_convs_row_t *row)
{
    ngx_str_t   front;
    ngx_uint_t  i;

    if (ngx_http_im_reply_string(reply, &front) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (front.len == 0) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                       "im convs row conv:\"%V\" has no messages job:%p",
                       &row->conv_id, call->job);

        return NGX_DONE;
    }

    if (ngx_http_im_front_parse(&row->head, &front) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    i = ngx_http_im_convs_user_index(convs, row);

    row->unread = ngx_max(row->head.seq - row->head.read[i], 0);
    row->hidden = row->head.hidden[i];

    return NGX_OK;
}


/* part of a response, as scripts have written it: not checked byte by byte */

static ngx_inline ngx_uint_t
ngx_http_im_convs_quoted(ngx_str_t *text)
{
    return text->len > 1 && text->data[0] == '"'
           && text->data[text->len - 1] == '"';
}


/* position, " ", head or its front; then users and info, if it is whole */

static ngx_int_t
ngx_http_im_convs_group_parse(ngx_http_im_call_t *call,
    ngx_http_im_reply_t *elts, ngx_http_im_convs_row_t *row)
{
    u_char                  *p;
    ngx_str_t                text, head;
    ngx_http_im_position_t   position;

    if (ngx_http_im_reply_string(elts, &text) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (text.len == 0) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                       "im convs row conv:\"%V\" not a member job:%p",
                       &row->conv_id, call->job);

        return NGX_DONE;
    }

    p = ngx_strlchr(text.data, text.data + text.len, ' ');

    if (p == NULL) {
        return ngx_http_im_call_store_error(call);
    }

    head.data = p + 1;
    head.len = text.data + text.len - head.data;

    text.len = p - text.data;

    if (ngx_http_im_position_parse(&position, &text) != NGX_OK
        || ngx_http_im_head_parse(&row->head, &head) != NGX_OK
        || !row->head.group)
    {
        return ngx_http_im_call_store_error(call);
    }

    row->hidden = (position.hidden == row->head.seq);

    if (row->whole
        && (ngx_http_im_reply_string(&elts[1], &row->users) != NGX_OK
            || ngx_http_im_reply_string(&elts[2], &row->info) != NGX_OK
            || (!row->hidden && (!ngx_http_im_convs_quoted(&row->users)
                                 || !ngx_http_im_convs_quoted(&row->info)))))
    {
        return ngx_http_im_call_store_error(call);
    }

    row->unread = ngx_max(row->head.seq - position.seq, 0);

    return NGX_OK;
}
