
#ifndef _NGX_HTTP_IM_DELAY_H_INCLUDED_
#define _NGX_HTTP_IM_DELAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_im_cmd.h"


/*
 * Commands for which there is no node at the moment, in state WAITING.  Each
 * is tried again after 50 ms, then 100 to 800 ms.
 */

typedef void (*ngx_http_im_delay_handler_pt)(void *data,
    ngx_http_im_cmd_t *cmd);

typedef struct {
    ngx_queue_t                    queue;      /* commands, in any order */
    ngx_uint_t                    *n;          /* of them */
    ngx_uint_t                     max;
    ngx_event_t                    timer;      /* cancelable */
    ngx_http_im_delay_handler_pt   handler;
    void                          *data;
    ngx_log_t                     *log;
} ngx_http_im_delay_t;


/* for a struct that is zero */
void ngx_http_im_delay_init(ngx_http_im_delay_t *delay, ngx_uint_t *n,
    ngx_uint_t max, ngx_http_im_delay_handler_pt handler, void *data,
    ngx_log_t *log);
void ngx_http_im_delay_exit(ngx_http_im_delay_t *delay);

/* NGX_OK; NGX_DECLINED: there are too many */
ngx_int_t ngx_http_im_delay_add(ngx_http_im_delay_t *delay,
    ngx_http_im_cmd_t *cmd);

/* all of them are due, soon */
void ngx_http_im_delay_wake(ngx_http_im_delay_t *delay);


#endif /* _NGX_HTTP_IM_DELAY_H_INCLUDED_ */
