
#include "ngx_http_im_schema.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_writer.h"


/* offsets in a head, see src/script/send.lua */

#define NGX_HTTP_IM_HEAD_SEQ          1
#define NGX_HTTP_IM_HEAD_TIME         16
#define NGX_HTTP_IM_HEAD_REV          29
#define NGX_HTTP_IM_HEAD_HIDDEN       35
#define NGX_HTTP_IM_HEAD_READ         37
#define NGX_HTTP_IM_HEAD_PAIR_TYPE    67
#define NGX_HTTP_IM_HEAD_GROUP_TYPE   35

#define NGX_HTTP_IM_SEQ_LEN           15
#define NGX_HTTP_IM_TIME_LEN          13

/* in the id of a message, where a space would end it; escaped in all texts */
#define NGX_HTTP_IM_MSG_ID_SPACE      1


static u_char *ngx_http_im_head_pair_parse(ngx_http_im_head_t *head,
    u_char *p, u_char *last);
static ngx_int_t ngx_http_im_head_imported_parse(ngx_http_im_head_t *head,
    u_char **p, u_char *last, ngx_uint_t sender);
static void ngx_http_im_msg_id_replace(ngx_str_t *id, u_char ch, u_char by);
static ngx_int_t ngx_http_im_schema_word(u_char **p, u_char *last,
    ngx_str_t *word);


ngx_int_t
ngx_http_im_head_parse(ngx_http_im_head_t *head, ngx_str_t *src)
{
    u_char  *p, *last;

    p = src->data;
    last = p + src->len;

    if (src->len < NGX_HTTP_IM_HEAD_GROUP_TYPE + 2
        || p[0] < '0' || p[0] > '5' || p[0] == '3')
    {
        return NGX_ERROR;
    }

    ngx_memzero(head, sizeof(ngx_http_im_head_t));

    head->group = (p[0] != '0');
    head->dismissed = (p[0] == '2' || p[0] == '5');
    head->imported = (p[0] >= '4');
    head->seq = ngx_http_im_atoi(p + NGX_HTTP_IM_HEAD_SEQ,
                                       NGX_HTTP_IM_SEQ_LEN);
    head->time.data = p + NGX_HTTP_IM_HEAD_TIME;
    head->time.len = NGX_HTTP_IM_TIME_LEN;

    head->rev.data = p + NGX_HTTP_IM_HEAD_REV;
    head->rev.len = NGX_HTTP_IM_HEAD_REV_LEN;

    if (head->seq < 0 || !ngx_http_im_time_valid(&head->time)) {
        return NGX_ERROR;
    }

    head->type.len = 1;

    if (head->group) {
        head->type.data = p + NGX_HTTP_IM_HEAD_GROUP_TYPE;
        p = head->type.data + 1;

        if (ngx_http_im_schema_word(&p, last, &head->from) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        p = ngx_http_im_head_pair_parse(head, p, last);

        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    if (*head->type.data < '0' || *head->type.data > '9') {
        return NGX_ERROR;
    }

    head->text.data = p;
    head->text.len = last - p;

    return NGX_OK;
}


/* the text, or NULL */

static u_char *
ngx_http_im_head_pair_parse(ngx_http_im_head_t *head, u_char *p, u_char *last)
{
    ngx_uint_t  i, sender;

    if (last - p < NGX_HTTP_IM_HEAD_PAIR_TYPE + 3) {
        return NULL;
    }

    for (i = 0; i < 2; i++) {
        head->hidden[i] = (p[NGX_HTTP_IM_HEAD_HIDDEN + i] == '1');
        head->read[i] = ngx_http_im_atoi(p + NGX_HTTP_IM_HEAD_READ
                                         + i * NGX_HTTP_IM_SEQ_LEN,
                                         NGX_HTTP_IM_SEQ_LEN);
        if (head->read[i] < 0) {
            return NULL;
        }
    }

    head->type.data = p + NGX_HTTP_IM_HEAD_PAIR_TYPE;
    sender = head->type.data[1] - '0';
    head->first = head->type.data[2] - '0';
    p = head->type.data + 3;

    if (ngx_http_im_schema_word(&p, last, &head->users[0]) != NGX_OK
        || ngx_http_im_schema_word(&p, last, &head->users[1]) != NGX_OK)
    {
        return NULL;
    }

    if (sender <= 1 && head->first <= 1) {
        head->from = head->users[sender];
        return p;
    }

    return (ngx_http_im_head_imported_parse(head, &p, last, sender) == NGX_OK)
           ? p : NULL;
}


/* what follows the users: the id, and a sender who is none of them, or "" */

static ngx_int_t
ngx_http_im_head_imported_parse(ngx_http_im_head_t *head, u_char **p,
    u_char *last, ngx_uint_t sender)
{
    if (head->first < 2 || head->first > 3 || sender > 2
        || ngx_http_im_schema_word(p, last, &head->id) != NGX_OK
        || !ngx_http_im_id_conv_valid(&head->id))
    {
        return NGX_ERROR;
    }

    head->first -= 2;
    head->imported = 1;

    if (sender == 2) {
        return ngx_http_im_schema_word(p, last, &head->from);
    }

    head->from = head->users[sender];

    return NGX_OK;
}


ngx_int_t
ngx_http_im_front_parse(ngx_http_im_head_t *head, ngx_str_t *src)
{
    u_char      *p;
    ngx_uint_t   i;

    p = src->data;

    ngx_memzero(head, sizeof(ngx_http_im_head_t));

    if (src->len != NGX_HTTP_IM_HEAD_PAIR_TYPE || p[0] != '0') {
        return NGX_ERROR;
    }

    head->seq = ngx_http_im_atoi(p + NGX_HTTP_IM_HEAD_SEQ,
                                 NGX_HTTP_IM_SEQ_LEN);
    head->time.data = p + NGX_HTTP_IM_HEAD_TIME;
    head->time.len = NGX_HTTP_IM_TIME_LEN;

    for (i = 0; i < 2; i++) {
        head->hidden[i] = (p[NGX_HTTP_IM_HEAD_HIDDEN + i] == '1');
        head->read[i] = ngx_http_im_atoi(p + NGX_HTTP_IM_HEAD_READ
                                         + i * NGX_HTTP_IM_SEQ_LEN,
                                         NGX_HTTP_IM_SEQ_LEN);
    }

    return (head->seq < 0 || head->read[0] < 0 || head->read[1] < 0
            || !ngx_http_im_time_valid(&head->time))
           ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_im_position_parse(ngx_http_im_position_t *position, ngx_str_t *src)
{
    u_char  *p, *last, *hide;

    p = src->data;
    last = p + src->len;

    position->hidden = -1;

    hide = ngx_strlchr(p, last, 'h');

    if (hide) {
        position->hidden = ngx_http_im_atoi(hide + 1, last - hide - 1);

        if (position->hidden < 0) {
            return NGX_ERROR;
        }

        last = hide;
    }

    position->joined = (last > p && last[-1] == 'j');
    position->seq = ngx_http_im_atoi(p, last - p - position->joined);

    return (position->seq < 0) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_im_row_parse(ngx_http_im_row_t *row, ngx_str_t *src)
{
    u_char  *p, *last;

    if (src->len == 0) {
        return NGX_DECLINED;
    }

    p = src->data;
    last = p + src->len;

    if (ngx_http_im_schema_word(&p, last, &row->id) != NGX_OK
        || ngx_http_im_schema_word(&p, last, &row->time) != NGX_OK
        || ngx_http_im_schema_word(&p, last, &row->type) != NGX_OK
        || ngx_http_im_schema_word(&p, last, &row->from) != NGX_OK)
    {
        return NGX_ERROR;
    }

    row->text.data = p;
    row->text.len = last - p;

    row->recalled = (row->type.len == 2 && row->type.data[1] == 'r');
    row->type.len -= row->recalled;

    row->seq = ngx_http_im_id_msg_seq(&row->id);
    row->imported = (row->seq == 0);

    if (row->imported) {
        row->seq = ngx_http_im_row_id_parse(&row->id);
    }

    if (row->seq == 0
        || row->type.len != 1 || *row->type.data < '0' || *row->type.data > '9'
        || !ngx_http_im_time_valid(&row->time))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


uint64_t
ngx_http_im_row_id_parse(ngx_str_t *id)
{
    u_char    *p, *last;
    uint64_t   seq;

    seq = ngx_http_im_id_msg_seq(id);

    if (seq) {
        return seq;
    }

    last = id->data + id->len;
    p = ngx_strlchr(id->data, last, '=');

    if (p == NULL || p == id->data || p - id->data > NGX_HTTP_IM_SEQ_LEN
        || p + 1 == last || *id->data == '0'
        || !ngx_http_im_digits(id->data, p - id->data))
    {
        return 0;
    }

    seq = ngx_http_im_atoi(id->data, p - id->data);

    id->data = p + 1;
    id->len = last - id->data;

    return seq;
}


ngx_int_t
ngx_http_im_msg_id_escape(ngx_pool_t *pool, ngx_str_t *id)
{
    ngx_str_t  escaped;

    if (ngx_http_im_json_escape(pool, &escaped, id->data, id->len) != NGX_OK) {
        return NGX_ERROR;
    }

    *id = escaped;

    ngx_http_im_msg_id_replace(id, ' ', NGX_HTTP_IM_MSG_ID_SPACE);

    return NGX_OK;
}


void
ngx_http_im_msg_id_unescape(ngx_str_t *id)
{
    ngx_http_im_msg_id_replace(id, NGX_HTTP_IM_MSG_ID_SPACE, ' ');
}


static void
ngx_http_im_msg_id_replace(ngx_str_t *id, u_char ch, u_char by)
{
    size_t  i;

    for (i = 0; i < id->len; i++) {
        if (id->data[i] == ch) {
            id->data[i] = by;
        }
    }
}


ngx_int_t
ngx_http_im_alias_parse(ngx_str_t *src, ngx_str_t users[2])
{
    u_char  *p, *last;

    p = src->data;
    last = p + src->len;

    if (p == last || *p++ != '3'
        || ngx_http_im_schema_word(&p, last, &users[0]) != NGX_OK
        || ngx_http_im_schema_word(&p, last, &users[1]) != NGX_OK
        || p != last)
    {
        return NGX_ERROR;
    }

    return (ngx_http_im_id_user_valid(&users[0])
            && ngx_http_im_id_user_valid(&users[1])) ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_http_im_row_is_last(ngx_http_im_row_t *row, ngx_http_im_head_t *head)
{
    return row->seq == head->seq
           && ngx_http_im_str_eq(&row->time, &head->time)
           && ngx_http_im_str_eq(&row->type, &head->type)
           && ngx_http_im_str_eq(&row->from, &head->from)
           && row->text.len >= head->text.len
           && ngx_memcmp(row->text.data, head->text.data, head->text.len) == 0;
}


ngx_int_t
ngx_http_im_sent_parse(ngx_http_im_sent_t *sent, ngx_str_t *src)
{
    u_char  *p, *last;

    p = src->data;
    last = p + src->len;

    if (ngx_http_im_schema_word(&p, last, &sent->id) != NGX_OK
        || last - p < NGX_HTTP_IM_TIME_LEN)
    {
        return NGX_ERROR;
    }

    sent->seq = ngx_http_im_id_msg_seq(&sent->id);
    sent->time.data = p;
    sent->time.len = NGX_HTTP_IM_TIME_LEN;

    p += NGX_HTTP_IM_TIME_LEN;

    ngx_str_null(&sent->peer);
    ngx_str_null(&sent->shown);

    if (p < last) {

        if (*p++ != ' ') {
            return NGX_ERROR;
        }

        sent->peer.data = p;
        sent->peer.len = last - p;

        p = memchr(p, ' ', last - p);

        if (p) {
            sent->peer.len = p - sent->peer.data;
            sent->shown.data = p + 1;
            sent->shown.len = last - sent->shown.data;

            if (!ngx_http_im_id_conv_valid(&sent->shown)) {
                return NGX_ERROR;
            }
        }
    }

    return (sent->seq && ngx_http_im_time_valid(&sent->time)) ? NGX_OK
                                                              : NGX_ERROR;
}


/* no leading zero, as it is written to JSON as a number */

ngx_uint_t
ngx_http_im_time_valid(ngx_str_t *time)
{
    return time->len == NGX_HTTP_IM_TIME_LEN && time->data[0] != '0'
           && ngx_http_im_digits(time->data, NGX_HTTP_IM_TIME_LEN);
}


ngx_int_t
ngx_http_im_inbox_parse(ngx_str_t *src, ngx_str_t *conv_id, ngx_str_t *peer)
{
    u_char  *p, *last;

    p = src->data;
    last = p + src->len;

    if (ngx_http_im_schema_word(&p, last, conv_id) != NGX_OK) {
        return NGX_ERROR;
    }

    peer->data = p;
    peer->len = last - p;

    return (ngx_http_im_id_is_pair(conv_id) && ngx_http_im_id_user_valid(peer))
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_im_users_next(ngx_str_t *src, ngx_str_t *id)
{
    u_char  *p, *last;

    if (src->len == 0) {
        return NGX_DONE;
    }

    p = src->data;
    last = p + src->len;

    if (*p++ != '"') {
        return NGX_ERROR;
    }

    id->data = p;

    p = memchr(p, '"', last - p);

    if (p == NULL) {
        return NGX_ERROR;
    }

    id->len = p - id->data;

    if (!ngx_http_im_id_user_valid(id)) {
        return NGX_ERROR;
    }

    if (++p < last && (*p++ != ',' || p == last)) {
        return NGX_ERROR;
    }

    src->data = p;
    src->len = last - p;

    return NGX_OK;
}


/* up to the next space, which is skipped */

static ngx_int_t
ngx_http_im_schema_word(u_char **p, u_char *last, ngx_str_t *word)
{
    u_char  *space;

    space = memchr(*p, ' ', last - *p);
    if (space == NULL) {
        return NGX_ERROR;
    }

    word->data = *p;
    word->len = space - *p;
    *p = space + 1;

    return NGX_OK;
}
