
#include "ngx_http_im_sched.h"


/* callers that are kept without a job */
#define NGX_HTTP_IM_CALLERS_IDLE   1024


static ngx_http_im_caller_t *ngx_http_im_caller_find(
    ngx_http_im_callers_t *callers, ngx_rbtree_key_t key);
static void ngx_http_im_caller_free(ngx_http_im_callers_t *callers,
    ngx_http_im_caller_t *caller);
static void ngx_http_im_flow_free(ngx_http_im_flow_t *flow);


ngx_int_t
ngx_http_im_callers_init(ngx_http_im_callers_t *callers, ngx_log_t *log)
{
    ngx_rbtree_init(&callers->callers, &callers->sentinel,
                    ngx_rbtree_insert_value);
    ngx_queue_init(&callers->idle);

    callers->nidle = 0;
    callers->log = log;

    return ngx_http_im_siphash_key_init(&callers->key, log);
}


void
ngx_http_im_callers_free(ngx_http_im_callers_t *callers)
{
    ngx_queue_t           *q;
    ngx_http_im_caller_t  *caller;

    while (!ngx_queue_empty(&callers->idle)) {
        q = ngx_queue_head(&callers->idle);
        caller = ngx_queue_data(q, ngx_http_im_caller_t, idle);

        ngx_http_im_caller_free(callers, caller);
    }
}


ngx_http_im_caller_t *
ngx_http_im_caller_get(ngx_http_im_callers_t *callers, ngx_str_t *id)
{
    ngx_rbtree_key_t       key;
    ngx_http_im_caller_t  *caller;

    key = (ngx_rbtree_key_t) ngx_http_im_siphash(&callers->key, id->data,
                                                 id->len);

    caller = ngx_http_im_caller_find(callers, key);

    if (caller) {

        if (caller->jobs++ == 0) {
            ngx_queue_remove(&caller->idle);
            callers->nidle--;
        }

        return caller;
    }

    caller = ngx_alloc(sizeof(ngx_http_im_caller_t), callers->log);
    if (caller == NULL) {
        return NULL;
    }

    caller->node.key = key;
    caller->jobs = 1;
    caller->held = 0;
    caller->flows = NULL;

    ngx_rbtree_insert(&callers->callers, &caller->node);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, callers->log, 0,
                   "im caller:%p create, idle:%ui", caller, callers->nidle);

    return caller;
}


static ngx_http_im_caller_t *
ngx_http_im_caller_find(ngx_http_im_callers_t *callers, ngx_rbtree_key_t key)
{
    ngx_rbtree_node_t  *node;

    node = callers->callers.root;

    while (node != &callers->sentinel) {

        if (key == node->key) {
            return (ngx_http_im_caller_t *)
                       ((u_char *) node - offsetof(ngx_http_im_caller_t,
                                                   node));
        }

        node = (key < node->key) ? node->left : node->right;
    }

    return NULL;
}


void
ngx_http_im_caller_release(ngx_http_im_callers_t *callers,
    ngx_http_im_caller_t *caller)
{
    ngx_queue_t  *q;

    if (--caller->jobs) {
        return;
    }

    ngx_queue_insert_head(&callers->idle, &caller->idle);

    if (++callers->nidle <= NGX_HTTP_IM_CALLERS_IDLE) {
        return;
    }

    q = ngx_queue_last(&callers->idle);

    ngx_http_im_caller_free(callers,
                            ngx_queue_data(q, ngx_http_im_caller_t, idle));
}


/* it has no job, so no command is in any of its flows */

static void
ngx_http_im_caller_free(ngx_http_im_callers_t *callers,
    ngx_http_im_caller_t *caller)
{
    ngx_http_im_flow_t  *flow, *next;

    ngx_queue_remove(&caller->idle);
    callers->nidle--;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, callers->log, 0,
                   "im caller:%p free, idle:%ui", caller, callers->nidle);

    ngx_rbtree_delete(&callers->callers, &caller->node);

    for (flow = caller->flows; flow; flow = next) {
        next = flow->next;

        ngx_http_im_flow_free(flow);
    }

    ngx_free(caller);
}


static void
ngx_http_im_flow_free(ngx_http_im_flow_t *flow)
{
    if (flow->is_parked) {
        ngx_queue_remove(&flow->parked);
    }

    ngx_free(flow);
}


void
ngx_http_im_callers_forget(ngx_http_im_callers_t *callers,
    ngx_http_im_sched_t *sched)
{
    ngx_rbtree_node_t      *node;
    ngx_http_im_flow_t     *flow, **link;
    ngx_http_im_caller_t   *caller;

    if (callers->callers.root == &callers->sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(callers->callers.root, &callers->sentinel);
         node;
         node = ngx_rbtree_next(&callers->callers, node))
    {
        caller = (ngx_http_im_caller_t *)
                     ((u_char *) node - offsetof(ngx_http_im_caller_t, node));

        for (link = &caller->flows; *link; link = &(*link)->next) {
            flow = *link;

            if (flow->sched == sched) {
                *link = flow->next;
                ngx_http_im_flow_free(flow);
                break;
            }
        }
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, callers->log, 0,
                   "im callers forget sched:%p", sched);
}


size_t
ngx_http_im_caller_size(ngx_http_im_caller_t *caller)
{
    size_t               size;
    ngx_http_im_flow_t  *flow;

    for (size = 0, flow = caller->flows; flow; flow = flow->next) {
        size += flow->size;
    }

    return size;
}
