
#include "ngx_http_im_event.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_schema.h"


#define NGX_HTTP_IM_EVENT_CLOCK_LEN   13


static ngx_int_t ngx_http_im_event_word(ngx_str_t *src, ngx_str_t *word);
static ngx_int_t ngx_http_im_event_rest(ngx_http_im_event_t *event);
static void ngx_http_im_event_imported(ngx_str_t *msg_id);


static const struct {
    u_char                 letter;
    ngx_http_im_event_e    kind;
} ngx_http_im_event_letters[] = {
    { 'm', NGX_HTTP_IM_EVENT_MESSAGE },
    { 'c', NGX_HTTP_IM_EVENT_RECALL },
    { 'r', NGX_HTTP_IM_EVENT_READ },
    { 'y', NGX_HTTP_IM_EVENT_TYPING },
    { 'j', NGX_HTTP_IM_EVENT_JOINED },
    { 'l', NGX_HTTP_IM_EVENT_LEFT },
    { 's', NGX_HTTP_IM_EVENT_SET },
    { 't', NGX_HTTP_IM_EVENT_TRANSFERRED },
    { 'd', NGX_HTTP_IM_EVENT_DISMISSED },
    { 'h', NGX_HTTP_IM_EVENT_HIDDEN }
};


ngx_int_t
ngx_http_im_event_parse(ngx_http_im_event_t *event, ngx_str_t *row)
{
    u_char      letter, *p;
    ngx_str_t   src, head;
    ngx_uint_t  i;

    ngx_memzero(event, sizeof(ngx_http_im_event_t));

    src = *row;

    /* "KIND CLOCK:CONV" at least */

    if (src.len < 2 + NGX_HTTP_IM_EVENT_CLOCK_LEN + 2 || src.data[1] != ' ') {
        return NGX_ERROR;
    }

    letter = src.data[0];
    src.data += 2;
    src.len -= 2;

    for (i = 0; i < NGX_HTTP_IM_EVENTS; i++) {
        if (ngx_http_im_event_letters[i].letter == ngx_tolower(letter)) {
            break;
        }
    }

    if (i == NGX_HTTP_IM_EVENTS) {
        return NGX_ERROR;
    }

    event->kind = ngx_http_im_event_letters[i].kind;
    event->pair = (letter >= 'a');
    event->clock = ngx_http_im_atoi(src.data, NGX_HTTP_IM_EVENT_CLOCK_LEN);

    if (ngx_http_im_event_word(&src, &head) != NGX_OK
        || head.len < NGX_HTTP_IM_EVENT_CLOCK_LEN + 2
        || head.data[NGX_HTTP_IM_EVENT_CLOCK_LEN] != ':'
        || event->clock < 0)
    {
        return NGX_ERROR;
    }

    event->conv_id.data = head.data + NGX_HTTP_IM_EVENT_CLOCK_LEN + 1;
    event->conv_id.len = head.len - NGX_HTTP_IM_EVENT_CLOCK_LEN - 1;

    event->shown = event->conv_id;

    p = ngx_strlchr(event->conv_id.data,
                    event->conv_id.data + event->conv_id.len, '=');

    if (p) {
        event->conv_id.len = p - event->conv_id.data;
        event->shown.len -= event->conv_id.len + 1;
        event->shown.data = p + 1;
    }

    if (!ngx_http_im_id_conv_valid(&event->conv_id)
        || !ngx_http_im_id_conv_valid(&event->shown))
    {
        return NGX_ERROR;
    }

    if (event->pair) {
        for (i = 0; i < 2; i++) {
            if (ngx_http_im_event_word(&src, &event->users[i]) != NGX_OK
                || !ngx_http_im_id_user_valid(&event->users[i]))
            {
                return NGX_ERROR;
            }
        }
    }

    event->rest = src;

    return ngx_http_im_event_rest(event);
}


/* takes a word, the last one too; it may not be empty */

static ngx_int_t
ngx_http_im_event_word(ngx_str_t *src, ngx_str_t *word)
{
    u_char  *p;

    word->data = src->data;

    p = ngx_strlchr(src->data, src->data + src->len, ' ');

    if (p == NULL) {
        word->len = src->len;
        src->data += src->len;
        src->len = 0;

    } else {
        word->len = p - src->data;
        src->len -= word->len + 1;
        src->data = p + 1;
    }

    return word->len ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_im_event_rest(ngx_http_im_event_t *event)
{
    ngx_str_t   rest;
    ngx_uint_t  user, msg_id;

    rest = event->rest;

    user = 0;
    msg_id = 0;

    switch (event->kind) {

    case NGX_HTTP_IM_EVENT_READ:
        user = 1;
        msg_id = 1;
        break;

    case NGX_HTTP_IM_EVENT_MESSAGE:
    case NGX_HTTP_IM_EVENT_RECALL:
        msg_id = 1;
        break;

    case NGX_HTTP_IM_EVENT_TYPING:
    case NGX_HTTP_IM_EVENT_HIDDEN:
        user = 1;
        break;

    default:
        break;
    }

    if (user && (ngx_http_im_event_word(&rest, &event->user) != NGX_OK
                 || !ngx_http_im_id_user_valid(&event->user)))
    {
        return NGX_ERROR;
    }

    if (msg_id && ngx_http_im_event_word(&rest, &event->msg_id) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* SEQ=ID is an imported message, which callers know as ID */

static void
ngx_http_im_event_imported(ngx_str_t *msg_id)
{
    u_char  *p;

    if (msg_id->len == 0) {
        return;
    }

    p = ngx_strlchr(msg_id->data, msg_id->data + msg_id->len, '=');

    if (p) {
        p++;
        msg_id->len -= p - msg_id->data;
        msg_id->data = p;

        ngx_http_im_msg_id_unescape(msg_id);
    }
}


ngx_int_t
ngx_http_im_event_users_next(ngx_str_t *rest, ngx_str_t *user)
{
    if (rest->len == 0) {
        return NGX_DONE;
    }

    return ngx_http_im_event_word(rest, user);
}


void
ngx_http_im_event_write(ngx_http_im_writer_t *w, ngx_http_im_event_t *event,
    const char *change)
{
    ngx_http_im_event_imported(&event->msg_id);

    ngx_http_im_write_lit(w, "{\"conv_id\":\"");
    ngx_http_im_write_raw(w, &event->shown);

    if (change) {
        ngx_http_im_write_lit(w, "\",\"change\":\"");
        ngx_http_im_write_bytes(w, change, ngx_strlen(change));
    }

    if (event->user.len && change == NULL) {
        ngx_http_im_write_lit(w, "\",\"id\":\"");
        ngx_http_im_write_raw(w, &event->user);
    }

    if (event->msg_id.len) {
        ngx_http_im_write_lit(w, "\",\"msg_id\":\"");
        ngx_http_im_write_raw(w, &event->msg_id);
    }

    ngx_http_im_write_lit(w, "\"}");
}


ngx_int_t
ngx_http_im_event_text(ngx_http_im_writer_t *w, ngx_str_t *text)
{
    off_t         length;
    u_char       *p;
    ngx_chain_t  *cl;

    length = ngx_http_im_writer_close(w);

    if (length == NGX_ERROR || w->first == NULL) {
        return NGX_ERROR;
    }

    text->len = length;
    text->data = w->first->buf->pos;

    if (w->first->next == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(w->pool, length);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (cl = w->first; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    return NGX_OK;
}
