
#include "ngx_http_im_frame.h"
#include "ngx_http_im_atoi.h"


#define NGX_HTTP_IM_FRAME_CHUNK   (NGX_SIZE_T_LEN + 2 * (sizeof(CRLF) - 1))


static ngx_http_im_frame_t *ngx_http_im_frame_alloc(size_t len,
    ngx_str_t *conv_id, ngx_log_t *log);
static ngx_http_im_frame_t *ngx_http_im_frame_end(ngx_http_im_frame_t *frame,
    u_char *last);
static u_char *ngx_http_im_frame_id(u_char *p, ngx_http_im_event_id_t *id);


ngx_int_t
ngx_http_im_event_id_parse(ngx_http_im_event_id_t *id, ngx_str_t *text)
{
    ngx_int_t  epoch;

    if (text->len != NGX_HTTP_IM_EVENT_ID_LEN || text->data[8] != '-') {
        return NGX_DECLINED;
    }

    epoch = ngx_hextoi(text->data, 8);
    id->time = ngx_http_im_atoi(text->data + 9, 13);

    if (epoch == NGX_ERROR || id->time < 0) {
        return NGX_DECLINED;
    }

    id->epoch = (uint32_t) epoch;

    return NGX_OK;
}


ngx_http_im_frame_t *
ngx_http_im_frame_create(ngx_http_im_event_id_t *id, const char *event,
    ngx_str_t *data, ngx_log_t *log)
{
    return ngx_http_im_frame_conv_create(id, event, data, NULL, log);
}


ngx_http_im_frame_t *
ngx_http_im_frame_conv_create(ngx_http_im_event_id_t *id, const char *event,
    ngx_str_t *data, ngx_str_t *conv_id, ngx_log_t *log)
{
    u_char               *p;
    ngx_http_im_frame_t  *frame;

    frame = ngx_http_im_frame_alloc(sizeof("id: \nevent: \ndata: \n\n") - 1
                                    + NGX_HTTP_IM_EVENT_ID_LEN
                                    + ngx_strlen(event) + data->len,
                                    conv_id, log);
    if (frame == NULL) {
        return NULL;
    }

    p = frame->sse.data;

    if (id && id->time >= 0) {
        p = ngx_http_im_frame_id(p, id);
    }

    p = ngx_sprintf(p, "event: %s\ndata: ", event);
    p = ngx_cpymem(p, data->data, data->len);
    *p++ = LF;
    *p++ = LF;

    return ngx_http_im_frame_end(frame, p);
}


ngx_http_im_frame_t *
ngx_http_im_frame_hello(ngx_msec_t retry, ngx_log_t *log)
{
    u_char               *p;
    ngx_http_im_frame_t  *frame;

    frame = ngx_http_im_frame_alloc(64, NULL, log);
    if (frame == NULL) {
        return NULL;
    }

    p = ngx_sprintf(frame->sse.data, ": ok\nretry: %M\n\n", retry);

    return ngx_http_im_frame_end(frame, p);
}


ngx_http_im_frame_t *
ngx_http_im_frame_bye(const char *reason, ngx_msec_t retry, ngx_log_t *log)
{
    u_char               *p;
    ngx_http_im_frame_t  *frame;

    frame = ngx_http_im_frame_alloc(128, NULL, log);
    if (frame == NULL) {
        return NULL;
    }

    p = ngx_sprintf(frame->sse.data, "retry: %M\nevent: bye\n"
                    "data: {\"reason\":\"%s\"}\n\n", retry, reason);

    return ngx_http_im_frame_end(frame, p);
}


ngx_http_im_frame_t *
ngx_http_im_frame_ping(ngx_http_im_event_id_t *id, ngx_log_t *log)
{
    u_char               *p;
    ngx_http_im_frame_t  *frame;

    frame = ngx_http_im_frame_alloc(64, NULL, log);
    if (frame == NULL) {
        return NULL;
    }

    p = frame->sse.data;

    *p++ = ':';
    *p++ = LF;

    if (id->time >= 0) {
        p = ngx_http_im_frame_id(p, id);
    }

    *p++ = LF;

    return ngx_http_im_frame_end(frame, p);
}


void
ngx_http_im_frame_release(ngx_http_im_frame_t *frame)
{
    if (--frame->refs == 0) {
        ngx_free(frame);
    }
}


/* room for so many bytes, with that for the size of a chunk before them */

static ngx_http_im_frame_t *
ngx_http_im_frame_alloc(size_t len, ngx_str_t *conv_id, ngx_log_t *log)
{
    u_char               *p;
    size_t                id_len;
    ngx_http_im_frame_t  *frame;

    id_len = conv_id ? conv_id->len : 0;

    frame = ngx_alloc(sizeof(ngx_http_im_frame_t) + id_len
                      + NGX_HTTP_IM_FRAME_CHUNK + len, log);
    if (frame == NULL) {
        return NULL;
    }

    p = (u_char *) frame + sizeof(ngx_http_im_frame_t);

    frame->refs = 1;
    frame->group = 0;
    frame->seq = 0;

    frame->conv_id.data = p;
    frame->conv_id.len = id_len;

    if (id_len) {
        p = ngx_cpymem(p, conv_id->data, id_len);
    }

    frame->sse.data = p + NGX_SIZE_T_LEN + sizeof(CRLF) - 1;

    return frame;
}


static ngx_http_im_frame_t *
ngx_http_im_frame_end(ngx_http_im_frame_t *frame, u_char *last)
{
    u_char  size[NGX_SIZE_T_LEN + sizeof(CRLF) - 1], *p;

    frame->sse.len = last - frame->sse.data;

    p = ngx_sprintf(size, "%xz" CRLF, frame->sse.len);

    frame->chunk.len = (p - size) + frame->sse.len + sizeof(CRLF) - 1;
    frame->chunk.data = frame->sse.data - (p - size);

    ngx_memcpy(frame->chunk.data, size, p - size);

    last[0] = CR;
    last[1] = LF;

    return frame;
}


static u_char *
ngx_http_im_frame_id(u_char *p, ngx_http_im_event_id_t *id)
{
    return ngx_sprintf(p, "id: %08xD-%013L\n", id->epoch, id->time);
}
