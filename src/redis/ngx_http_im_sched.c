
#include "ngx_http_im_sched.h"


/* bytes of replies that may be in flight */
#define NGX_HTTP_IM_SCHED_WINDOW   (512 * 1024)

/* bytes that the replies of one flow in flight may have: a list of 500 fits */
#define NGX_HTTP_IM_SCHED_MOST     (128 * 1024 * 1024)

/* what a command is charged, in bytes, however small it and its reply are */
#define NGX_HTTP_IM_SCHED_COMMAND  1024

/* a reply is a quarter of the mean, and so is a longer time */
#define NGX_HTTP_IM_SCHED_WEIGHT   4

/* a shorter time is this part, and so is a reply after a large one */
#define NGX_HTTP_IM_SCHED_FORGET   32
#define NGX_HTTP_IM_SCHED_LARGE    (64 * 1024)

/* ms for which a flow that broke a connection is parked, and remembered */
#define NGX_HTTP_IM_SCHED_PARK     100
#define NGX_HTTP_IM_SCHED_REMEMBER 10000


static void ngx_http_im_flow_mean(ngx_http_im_flow_t *flow, size_t size);
static void ngx_http_im_flow_time(ngx_http_im_flow_t *flow, size_t time);
static void ngx_http_im_sched_timer_handler(ngx_event_t *ev);
static void ngx_http_im_flow_insert(ngx_http_im_sched_t *sched,
    ngx_http_im_flow_t *flow);
static void ngx_http_im_flow_remove(ngx_http_im_sched_t *sched,
    ngx_http_im_flow_t *flow);
static void ngx_http_im_flow_count(ngx_http_im_sched_t *sched,
    ngx_http_im_flow_t *flow, ngx_http_im_cmd_t *cmd, ngx_int_t sign);


void
ngx_http_im_sched_init(ngx_http_im_sched_t *sched, ngx_event_t *flush,
    ngx_http_im_stat_t *stat, size_t *total)
{
    ngx_memzero(sched, sizeof(ngx_http_im_sched_t));

    sched->flush = flush;
    sched->stat = stat;
    sched->total = total;

    ngx_queue_init(&sched->parked);

    sched->timer.handler = ngx_http_im_sched_timer_handler;
    sched->timer.data = sched;
    sched->timer.log = flush->log;
    sched->timer.cancelable = 1;

    /* tags are compared as times are: they may wrap around */

    ngx_rbtree_init(&sched->starts, &sched->sentinel,
                    ngx_rbtree_insert_timer_value);
}


void
ngx_http_im_sched_close(ngx_http_im_sched_t *sched)
{
    if (sched->timer.timer_set) {
        ngx_del_timer(&sched->timer);
    }
}


ngx_http_im_flow_t *
ngx_http_im_flow_get(ngx_http_im_callers_t *callers,
    ngx_http_im_caller_t *caller, ngx_http_im_sched_t *sched)
{
    ngx_http_im_flow_t  *flow;

    for (flow = caller->flows; flow; flow = flow->next) {
        if (flow->sched == sched) {
            return flow;
        }
    }

    flow = ngx_calloc(sizeof(ngx_http_im_flow_t), callers->log);
    if (flow == NULL) {
        return NULL;
    }

    ngx_queue_init(&flow->waiting);

    flow->sched = sched;
    flow->finish = sched->now;
    flow->next = caller->flows;
    caller->flows = flow;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, callers->log, 0,
                   "im flow:%p create caller:%p in flight:%uz",
                   flow, caller, sched->in_flight);

    return flow;
}


ngx_uint_t
ngx_http_im_sched_ready(ngx_http_im_sched_t *sched)
{
    return sched->starts.root != &sched->sentinel
           && sched->in_flight < NGX_HTTP_IM_SCHED_WINDOW;
}


ngx_http_im_cmd_t *
ngx_http_im_sched_peek(ngx_http_im_sched_t *sched)
{
    ngx_queue_t         *q;
    ngx_rbtree_node_t   *node;
    ngx_http_im_flow_t  *flow;

    if (!ngx_http_im_sched_ready(sched)) {
        return NULL;
    }

    node = ngx_rbtree_min(sched->starts.root, &sched->sentinel);
    flow = (ngx_http_im_flow_t *)
               ((u_char *) node - offsetof(ngx_http_im_flow_t, node));

    q = ngx_queue_head(&flow->waiting);

    return ngx_queue_data(q, ngx_http_im_cmd_t, queue);
}


ngx_http_im_cmd_t *
ngx_http_im_sched_next(ngx_http_im_sched_t *sched)
{
    ngx_http_im_cmd_t   *cmd;
    ngx_http_im_flow_t  *flow;

    cmd = ngx_http_im_sched_peek(sched);
    if (cmd == NULL) {
        return NULL;
    }

    flow = cmd->flow;

    cmd->charge = NGX_HTTP_IM_SCHED_COMMAND + cmd->resp.len + flow->mean
                  + flow->time;

    sched->in_flight += cmd->charge;
    sched->now = flow->node.key;

    ngx_http_im_flow_remove(sched, flow);
    ngx_queue_remove(&cmd->queue);

    flow->finish += cmd->charge;
    flow->most += cmd->most;
    ngx_http_im_flow_count(sched, flow, cmd, -1);

    ngx_http_im_flow_insert(sched, flow);

    return cmd;
}


void
ngx_http_im_flow_release(ngx_http_im_sched_t *sched, ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_flow_t  *flow;

    flow = cmd->flow;

    if (cmd->size || cmd->time) {
        flow->finish += NGX_HTTP_IM_SCHED_COMMAND + cmd->resp.len + cmd->size
                        + cmd->time - cmd->charge;

        ngx_http_im_flow_mean(flow, cmd->size);
        ngx_http_im_flow_time(flow, cmd->time);
    }

    sched->in_flight -= cmd->charge;
    flow->most -= cmd->most;
    cmd->charge = 0;
    cmd->time = 0;

    ngx_http_im_flow_insert(sched, flow);

    if (ngx_http_im_sched_ready(sched)) {
        ngx_post_event(sched->flush, &ngx_posted_events);
    }
}


/*
 * Large replies are expected of who had one, and for a while: the next of them
 * would be written together with others that are as large.
 */

static void
ngx_http_im_flow_mean(ngx_http_im_flow_t *flow, size_t size)
{
    if (size >= ngx_max(flow->mean, NGX_HTTP_IM_SCHED_LARGE)) {
        flow->mean = size;
        return;
    }

    if (flow->mean >= NGX_HTTP_IM_SCHED_LARGE) {
        flow->mean -= (flow->mean - size) / NGX_HTTP_IM_SCHED_FORGET;

    } else {
        flow->mean -= flow->mean / NGX_HTTP_IM_SCHED_WEIGHT;
        flow->mean += size / NGX_HTTP_IM_SCHED_WEIGHT;
    }
}


/*
 * The time shows while commands are in flight behind each other.  As it is
 * what prevents that, it is not forgotten at once where none shows.
 */

static void
ngx_http_im_flow_time(ngx_http_im_flow_t *flow, size_t time)
{
    if (time > flow->time) {
        flow->time += (time - flow->time) / NGX_HTTP_IM_SCHED_WEIGHT;

    } else {
        flow->time -= (flow->time - time) / NGX_HTTP_IM_SCHED_FORGET;
    }

    if (flow->time < NGX_HTTP_IM_SCHED_COMMAND) {
        flow->time = 0;
    }
}


void
ngx_http_im_flow_push(ngx_http_im_sched_t *sched, ngx_http_im_cmd_t *cmd)
{
    cmd->number = ++cmd->flow->number;
    ngx_queue_insert_tail(&cmd->flow->waiting, &cmd->queue);

    ngx_http_im_flow_insert(sched, cmd->flow);
    ngx_http_im_flow_count(sched, cmd->flow, cmd, 1);
}


void
ngx_http_im_flow_return(ngx_http_im_sched_t *sched, ngx_http_im_cmd_t *cmd)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *first;

    /* behind those that came back before it and were pushed before it */

    for (q = ngx_queue_head(&cmd->flow->waiting);
         q != ngx_queue_sentinel(&cmd->flow->waiting);
         q = ngx_queue_next(q))
    {
        first = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        if ((ngx_int_t) (first->number - cmd->number) > 0) {
            break;
        }
    }

    /* before q */

    ngx_queue_insert_tail(q, &cmd->queue);

    ngx_http_im_flow_insert(sched, cmd->flow);
    ngx_http_im_flow_count(sched, cmd->flow, cmd, 1);
}


void
ngx_http_im_flow_drop(ngx_http_im_sched_t *sched, ngx_http_im_cmd_t *cmd)
{
    ngx_queue_remove(&cmd->queue);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, sched->flush->log, 0,
                   "im cmd:%p job:%p dropped from flow:%p",
                   cmd, cmd->job, cmd->flow);

    ngx_http_im_flow_count(sched, cmd->flow, cmd, -1);

    if (ngx_queue_empty(&cmd->flow->waiting)) {
        ngx_http_im_flow_remove(sched, cmd->flow);
    }
}


void
ngx_http_im_flow_remember(ngx_http_im_sched_t *sched, ngx_http_im_flow_t *flow)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sched->flush->log, 0,
                   "im flow:%p broke a connection, parked:%ui",
                   flow, (ngx_uint_t) flow->is_parked);

    flow->breaks = 1;
    flow->remembered = ngx_current_msec + NGX_HTTP_IM_SCHED_REMEMBER;

    if (flow->is_parked) {
        ngx_queue_remove(&flow->parked);

    } else {
        ngx_http_im_flow_remove(sched, flow);
    }

    flow->is_parked = 1;
    ngx_queue_insert_tail(&sched->parked, &flow->parked);

    if (!sched->timer.timer_set) {
        ngx_add_timer(&sched->timer, NGX_HTTP_IM_SCHED_PARK);
    }
}


static void
ngx_http_im_sched_timer_handler(ngx_event_t *ev)
{
    ngx_queue_t          *q;
    ngx_msec_int_t        left;
    ngx_http_im_flow_t   *flow;
    ngx_http_im_sched_t  *sched;

    sched = ev->data;

    while (!ngx_queue_empty(&sched->parked)) {
        q = ngx_queue_head(&sched->parked);
        flow = ngx_queue_data(q, ngx_http_im_flow_t, parked);

        left = flow->remembered - ngx_current_msec
               - (NGX_HTTP_IM_SCHED_REMEMBER - NGX_HTTP_IM_SCHED_PARK);

        if (left > 0) {
            ngx_add_timer(ev, left);
            return;
        }

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ev->log, 0,
                       "im flow:%p is no longer parked", flow);

        ngx_queue_remove(q);
        flow->is_parked = 0;

        ngx_http_im_flow_insert(sched, flow);
        ngx_post_event(sched->flush, &ngx_posted_events);
    }
}


ngx_uint_t
ngx_http_im_flow_is_remembered(ngx_http_im_flow_t *flow)
{
    if (flow->breaks
        && (ngx_msec_int_t) (flow->remembered - ngx_current_msec) <= 0)
    {
        flow->breaks = 0;

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im flow:%p its break is forgotten", flow);
    }

    return flow->breaks;
}


/*
 * If a command of it waits and may be written.  A flow that was empty for a
 * while has saved up nothing.
 */

static void
ngx_http_im_flow_insert(ngx_http_im_sched_t *sched, ngx_http_im_flow_t *flow)
{
    ngx_queue_t        *q;
    ngx_http_im_cmd_t  *cmd;

    if (flow->is_in || flow->is_parked || ngx_queue_empty(&flow->waiting)) {
        return;
    }

    if (flow->most) {
        q = ngx_queue_head(&flow->waiting);
        cmd = ngx_queue_data(q, ngx_http_im_cmd_t, queue);

        if (flow->most + cmd->most > NGX_HTTP_IM_SCHED_MOST) {
            return;
        }
    }

    if ((ngx_int_t) (flow->finish - sched->now) < 0) {
        flow->finish = sched->now;
    }

    flow->node.key = flow->finish;

    ngx_rbtree_insert(&sched->starts, &flow->node);
    flow->is_in = 1;
}


static void
ngx_http_im_flow_remove(ngx_http_im_sched_t *sched, ngx_http_im_flow_t *flow)
{
    if (flow->is_in) {
        ngx_rbtree_delete(&sched->starts, &flow->node);
        flow->is_in = 0;
    }
}


/* a command waits, or waits no more */

static void
ngx_http_im_flow_count(ngx_http_im_sched_t *sched, ngx_http_im_flow_t *flow,
    ngx_http_im_cmd_t *cmd, ngx_int_t sign)
{
    ngx_int_t  len;

    len = sign * (ngx_int_t) cmd->resp.len;

    flow->size += len;
    sched->size += len;
    *sched->total += len;

    ngx_http_im_stat_add(sched->stat, NGX_HTTP_IM_STAT_WAITING, sign);
    ngx_http_im_stat_add(sched->stat, NGX_HTTP_IM_STAT_WAITING_BYTES, len);
}
