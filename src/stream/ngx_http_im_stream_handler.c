
#include "ngx_http_im_stream_handler.h"
#include "ngx_http_im_channel.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_identity.h"
#include "ngx_http_im_join.h"
#include "ngx_http_im_origin.h"
#include "ngx_http_im_response.h"
#include "ngx_http_im_stream.h"
#include "ngx_http_im_stream_conn.h"


static ngx_int_t ngx_http_im_stream_user(ngx_http_request_t *r,
    ngx_str_t *user);
static ngx_int_t ngx_http_im_stream_refuse(ngx_http_request_t *r,
    ngx_http_im_error_e id, const char *text);
static ngx_int_t ngx_http_im_stream_arg(ngx_http_request_t *r,
    const char *name, size_t len, ngx_str_t *value);
static ngx_int_t ngx_http_im_stream_last_id(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_int_t ngx_http_im_stream_open(ngx_http_request_t *r,
    ngx_str_t *user, ngx_str_t *last_id);
static ngx_int_t ngx_http_im_stream_expires(ngx_http_request_t *r,
    ngx_http_im_stream_loc_conf_t *slcf, ngx_msec_t *expires);
static ngx_int_t ngx_http_im_stream_begin(ngx_http_im_stream_t *stream);


ngx_int_t
ngx_http_im_stream_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  user, last_id;

    if (r != r->main) {
        return NGX_HTTP_BAD_REQUEST;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        rc = ngx_http_im_stream_user(r, &user);

    } else {
        rc = ngx_http_im_stream_refuse(r, NGX_HTTP_IM_METHOD_NOT_ALLOWED,
                                       "the method must be GET");
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : rc;
    }

    if (ngx_http_im_stream_last_id(r, &last_id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im stream user:\"%V\" last id:\"%V\" method:%ui",
                   &user, &last_id, r->method);

    return ngx_http_im_stream_open(r, &user, &last_id);
}


/* NGX_OK; NGX_DONE: refused; or what the request is to be finalized with */

static ngx_int_t
ngx_http_im_stream_user(ngx_http_request_t *r, ngx_str_t *user)
{
    ngx_int_t                rc;
    ngx_http_im_loc_conf_t  *lcf;
    ngx_http_im_identity_t   identity;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    rc = ngx_http_im_identity_get(r, &identity);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_im_stream_refuse(r, NGX_HTTP_IM_FORBIDDEN,
                                         identity.refused);
    }

    if (!ngx_http_im_origin_is_allowed(r, lcf->origins)) {
        return ngx_http_im_stream_refuse(r, NGX_HTTP_IM_FORBIDDEN,
                                         "the Origin of the request is "
                                         "neither this host nor listed in "
                                         "im_origin");
    }

    *user = identity.user;

    if (identity.trusted) {

        if (ngx_http_im_stream_arg(r, "user", 4, user) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (user->len == 0) {
            return ngx_http_im_stream_refuse(r, NGX_HTTP_IM_FORBIDDEN,
                                             "the argument user is missing");
        }
    }

    if (!ngx_http_im_id_user_valid(user)) {
        return ngx_http_im_stream_refuse(r, NGX_HTTP_IM_BAD_REQUEST,
                                         "user must be "
                                         NGX_HTTP_IM_ID_USER_FORM);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_stream_refuse(ngx_http_request_t *r, ngx_http_im_error_e id,
    const char *text)
{
    ngx_int_t  rc;
    ngx_str_t  error;

    error.data = (u_char *) text;
    error.len = ngx_strlen(text);

    rc = ngx_http_im_response_error(r, id, &error);

    return (rc == NGX_OK) ? NGX_DONE : rc;
}


/* an argument, unescaped; "" without it */

static ngx_int_t
ngx_http_im_stream_arg(ngx_http_request_t *r, const char *name, size_t len,
    ngx_str_t *value)
{
    u_char  *dst, *src;

    if (ngx_http_arg(r, (u_char *) name, len, value) != NGX_OK) {
        ngx_str_null(value);
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, value->len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    src = value->data;
    value->data = dst;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


/* the header is of a browser that reconnects, the argument of its page */

static ngx_int_t
ngx_http_im_stream_last_id(ngx_http_request_t *r, ngx_str_t *id)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    ngx_str_t  name = ngx_string("last-event-id");

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].key.len == name.len && header[i].value.len
            && ngx_strncasecmp(header[i].key.data, name.data, name.len) == 0)
        {
            *id = header[i].value;
            return NGX_OK;
        }
    }

    return ngx_http_im_stream_arg(r, "last_event_id",
                                  sizeof("last_event_id") - 1, id);
}


static ngx_int_t
ngx_http_im_stream_open(ngx_http_request_t *r, ngx_str_t *user,
    ngx_str_t *last_id)
{
    ngx_int_t                       rc;
    ngx_msec_t                      expires;
    ngx_http_im_stream_t           *stream;
    ngx_http_im_loc_conf_t         *lcf;
    ngx_http_im_stream_loc_conf_t  *slcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);
    slcf = ngx_http_get_module_loc_conf(r, ngx_http_im_stream_module);

    if (ngx_http_im_stream_expires(r, slcf, &expires) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_im_stream_conn_header(r);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : rc;
    }

    stream = ngx_calloc(sizeof(ngx_http_im_stream_t), r->connection->log);
    if (stream == NULL) {
        return NGX_ERROR;
    }

    stream->request = r;
    stream->log = r->connection->log;
    stream->channel = slcf->channel;
    stream->conf = slcf;
    stream->options = &lcf->options;
    stream->id.time = -1;
    stream->allowed = slcf->buffer;
    stream->written = ngx_current_msec;
    stream->expires = expires;

    if (ngx_http_im_stream_conn_init(stream) != NGX_OK) {
        ngx_free(stream);
        return NGX_ERROR;
    }

    stream->join = ngx_http_im_join_create(stream, last_id);

    if (stream->join == NULL || ngx_http_im_stream_begin(stream) != NGX_OK
        || ngx_http_im_channel_join(stream, user) != NGX_OK)
    {
        ngx_http_im_join_free(stream);
        r->main->count--;
        return NGX_ERROR;
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_im_stream_expires(ngx_http_request_t *r,
    ngx_http_im_stream_loc_conf_t *slcf, ngx_msec_t *expires)
{
    time_t      until;
    ngx_str_t   value;
    ngx_msec_t  max;

    /* not all at once: by up to a tenth more or less */

    max = slcf->max_time - slcf->max_time / 10
          + ngx_random() % (slcf->max_time / 5 + 1);

    if (slcf->until) {

        if (ngx_http_complex_value(r, slcf->until, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        until = ngx_atotm(value.data, value.len);

        if (value.len && until == (time_t) NGX_ERROR) {
            until = 0;
        }

        if (value.len) {
            until -= ngx_time();
            max = (until <= 0) ? 0
                               : ngx_min(max, (ngx_msec_t) until * 1000);
        }
    }

    *expires = ngx_current_msec + max;

    return NGX_OK;
}


/* the first bytes, so that whatever is between sees that there are some */

static ngx_int_t
ngx_http_im_stream_begin(ngx_http_im_stream_t *stream)
{
    ngx_http_im_frame_t  *frame;

    frame = ngx_http_im_frame_hello(1000 + ngx_random() % 2000, stream->log);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_stream_conn_send(stream, frame);
    ngx_http_im_frame_release(frame);

    return stream->broken ? NGX_ERROR : NGX_OK;
}
