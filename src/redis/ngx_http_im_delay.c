
#include "ngx_http_im_delay.h"


#define NGX_HTTP_IM_DELAY_MIN     50       /* ms */
#define NGX_HTTP_IM_DELAY_SHIFT   4        /* 800 ms */
#define NGX_HTTP_IM_DELAY_COUNT   7
#define NGX_HTTP_IM_DELAY_TICK    25


static void ngx_http_im_delay_timer_handler(ngx_event_t *ev);


void
ngx_http_im_delay_init(ngx_http_im_delay_t *delay, ngx_uint_t *n,
    ngx_uint_t max, ngx_http_im_delay_handler_pt handler, void *data,
    ngx_log_t *log)
{
    ngx_queue_init(&delay->queue);

    delay->n = n;
    delay->max = max;
    delay->handler = handler;
    delay->data = data;
    delay->log = log;

    delay->timer.handler = ngx_http_im_delay_timer_handler;
    delay->timer.data = delay;
    delay->timer.log = log;
    delay->timer.cancelable = 1;
}


void
ngx_http_im_delay_exit(ngx_http_im_delay_t *delay)
{
    if (delay->timer.timer_set) {
        ngx_del_timer(&delay->timer);
    }
}


ngx_int_t
ngx_http_im_delay_add(ngx_http_im_delay_t *delay, ngx_http_im_cmd_t *cmd)
{
    if (*delay->n >= delay->max) {
        return NGX_DECLINED;
    }

    cmd->state = NGX_HTTP_IM_CMD_WAITING;
    cmd->node = NULL;
    cmd->flow = NULL;
    cmd->moved = 1;
    cmd->due = ngx_current_msec
               + ((ngx_msec_t) NGX_HTTP_IM_DELAY_MIN
                  << ngx_min(cmd->delays, NGX_HTTP_IM_DELAY_SHIFT));

    if (cmd->delays < NGX_HTTP_IM_DELAY_COUNT) {
        cmd->delays++;
    }

    (*delay->n)++;
    ngx_queue_insert_tail(&delay->queue, &cmd->queue);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, delay->log, 0,
                   "im cmd:%p job:%p delayed, delays:%ui all:%ui",
                   cmd, cmd->job, (ngx_uint_t) cmd->delays, *delay->n);

    if (!delay->timer.timer_set) {
        ngx_add_timer(&delay->timer, NGX_HTTP_IM_DELAY_TICK);
    }

    return NGX_OK;
}


void
ngx_http_im_delay_wake(ngx_http_im_delay_t *delay)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    for (q = ngx_queue_head(&delay->queue);
         q != ngx_queue_sentinel(&delay->queue);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);
        cmd->due = ngx_current_msec;
    }

    if (*delay->n) {
        ngx_add_timer(&delay->timer, 1);
    }
}


/* those that are due leave the queue first, as they may come back */

static void
ngx_http_im_delay_timer_handler(ngx_event_t *ev)
{
    ngx_queue_t          *q, *next, due;
    ngx_http_im_cmd_t    *cmd;
    ngx_http_im_delay_t  *delay;

    delay = ev->data;

    ngx_queue_init(&due);

    for (q = ngx_queue_head(&delay->queue);
         q != ngx_queue_sentinel(&delay->queue);
         q = next)
    {
        next = ngx_queue_next(q);
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        if ((ngx_msec_int_t) (cmd->due - ngx_current_msec) <= 0) {
            (*delay->n)--;
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&due, q);
        }
    }

    if (*delay->n) {
        ngx_add_timer(ev, NGX_HTTP_IM_DELAY_TICK);
    }

    while (!ngx_queue_empty(&due)) {
        q = ngx_queue_head(&due);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, delay->log, 0,
                       "im cmd:%p job:%p is tried again", cmd, cmd->job);

        delay->handler(delay->data, cmd);
    }
}
