
#include "ngx_http_im_backoff.h"


/* after a failure, in ms, with up to a half more at random */
#define NGX_HTTP_IM_BACKOFF_MIN     50
#define NGX_HTTP_IM_BACKOFF_MAX     500

/* with commands in flight: so often at once, then these pauses */
#define NGX_HTTP_IM_BACKOFF_ONCE    2
#define NGX_HTTP_IM_BACKOFF_PACE    10
#define NGX_HTTP_IM_BACKOFF_PACED_MAX  160

/* so often in a row, it has failed */
#define NGX_HTTP_IM_BACKOFF_BREAKS  5

/* ready for so many ms, it was well */
#define NGX_HTTP_IM_BACKOFF_LIVED   200


static ngx_msec_t ngx_http_im_backoff_pace(ngx_http_im_backoff_t *b);


void
ngx_http_im_backoff_ready(ngx_http_im_backoff_t *b)
{
    b->since = ngx_current_msec;
    b->served = 0;
}


void
ngx_http_im_backoff_served(ngx_http_im_backoff_t *b, ngx_uint_t alone)
{
    b->served = 1;
    b->failures = 0;

    if (!alone) {
        b->breaks = 0;
        b->hurried = 0;
    }
}


ngx_http_im_backoff_e
ngx_http_im_backoff_lost(ngx_http_im_backoff_t *b, ngx_uint_t ready,
    ngx_uint_t commands, ngx_uint_t alone)
{
    ngx_uint_t  well;

    well = ready && (b->served || ngx_current_msec - b->since
                                  >= NGX_HTTP_IM_BACKOFF_LIVED);

    if (well) {
        b->failures = 0;
        b->delay = 0;

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im backoff:%p it was well, again at once, breaks:%ui",
                       b, b->breaks);

        return NGX_HTTP_IM_BACKOFF_PACED;
    }

    if (ready && commands) {
        b->breaks++;

        if (alone || b->breaks < NGX_HTTP_IM_BACKOFF_BREAKS) {
            b->delay = ngx_http_im_backoff_pace(b);

            ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                           "im backoff:%p breaks:%ui alone:%ui delay:%M",
                           b, b->breaks, alone, b->delay);

            return NGX_HTTP_IM_BACKOFF_PACED;
        }
    }

    b->failures++;

    b->delay = ngx_min((ngx_msec_t) NGX_HTTP_IM_BACKOFF_MIN
                       << ngx_min(b->failures, 10),
                       NGX_HTTP_IM_BACKOFF_MAX);
    b->delay += ngx_random() % (b->delay / 2);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im backoff:%p failures:%ui breaks:%ui delay:%M",
                   b, b->failures, b->breaks, b->delay);

    return NGX_HTTP_IM_BACKOFF_FAILED;
}


static ngx_msec_t
ngx_http_im_backoff_pace(ngx_http_im_backoff_t *b)
{
    if (b->breaks <= NGX_HTTP_IM_BACKOFF_ONCE) {
        return 0;
    }

    return ngx_min((ngx_msec_t) NGX_HTTP_IM_BACKOFF_PACE
                   << ngx_min(b->breaks - NGX_HTTP_IM_BACKOFF_ONCE, 10),
                   NGX_HTTP_IM_BACKOFF_PACED_MAX);
}


ngx_uint_t
ngx_http_im_backoff_hurry(ngx_http_im_backoff_t *b)
{
    if (b->hurried) {
        return 0;
    }

    b->hurried = 1;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im backoff:%p pause of %Mms is cut short", b, b->delay);

    return 1;
}
