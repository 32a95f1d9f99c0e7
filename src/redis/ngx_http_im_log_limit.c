
#include "ngx_http_im_log_limit.h"


#define NGX_HTTP_IM_LOG_LIMIT_MSEC   1000


static void ngx_http_im_log_limit_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_im_log_limit_flush(ngx_http_im_log_limit_t *limit);


void
ngx_http_im_log_limit_init(ngx_http_im_log_limit_t *limit, ngx_log_t *log)
{
    limit->log = log;

    limit->timer.handler = ngx_http_im_log_limit_timer_handler;
    limit->timer.data = limit;
    limit->timer.log = log;
    limit->timer.cancelable = 1;
}


void ngx_cdecl
ngx_http_im_log_limit(ngx_http_im_log_limit_t *limit, ngx_uint_t level,
    ngx_err_t err, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_http_im_log_limit_va(limit, level, limit->log, err, fmt, args);
    va_end(args);
}


void
ngx_http_im_log_limit_va(ngx_http_im_log_limit_t *limit, ngx_uint_t level,
    ngx_log_t *log, ngx_err_t err, const char *fmt, va_list args)
{
    u_char  *p, *last;

    if (limit->log->log_level < level) {
        return;
    }

    /* the worst of those that are counted is logged */

    if (limit->n && level > limit->level) {
        limit->n++;

        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                       "im log limit:%p level:%ui is only counted:%ui",
                       limit, level, limit->n);

        return;
    }

    last = limit->text + NGX_HTTP_IM_LOG_LIMIT_LEN;

    p = ngx_vslprintf(limit->text, last, fmt, args);

    if (err) {
        p = ngx_log_errno(p, last, err);
    }

    limit->len = p - limit->text;
    limit->level = level;

    if (limit->timer.timer_set) {
        limit->n++;

        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                       "im log limit:%p level:%ui waits, counted:%ui",
                       limit, level, limit->n);

        return;
    }

    ngx_log_error(level, log, 0, "%*s", limit->len, limit->text);

    ngx_add_timer(&limit->timer, NGX_HTTP_IM_LOG_LIMIT_MSEC);
}


static void
ngx_http_im_log_limit_timer_handler(ngx_event_t *ev)
{
    ngx_http_im_log_limit_t  *limit;

    limit = ev->data;

    if (ngx_http_im_log_limit_flush(limit)) {
        ngx_add_timer(ev, NGX_HTTP_IM_LOG_LIMIT_MSEC);
    }
}


static ngx_uint_t
ngx_http_im_log_limit_flush(ngx_http_im_log_limit_t *limit)
{
    ngx_uint_t  n;

    n = limit->n;
    limit->n = 0;

    if (n) {
        ngx_log_error(limit->level, limit->log, 0, "%*s (%ui in a second)",
                      limit->len, limit->text, n);
    }

    return n;
}


void
ngx_http_im_log_limit_close(ngx_http_im_log_limit_t *limit)
{
    if (limit->timer.timer_set) {
        ngx_del_timer(&limit->timer);
    }

    (void) ngx_http_im_log_limit_flush(limit);
}


void
ngx_http_im_log_copy(ngx_str_t *dst, const ngx_str_t *src, size_t max)
{
    size_t  i;

    dst->len = ngx_min(src->len, max);

    for (i = 0; i < dst->len; i++) {
        dst->data[i] = (src->data[i] < 0x20 || src->data[i] > 0x7e)
                       ? '?' : src->data[i];
    }
}
