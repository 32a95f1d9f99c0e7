
#include "ngx_http_im.h"
#include "ngx_http_im_health.h"
#include "ngx_http_im_redis.h"
#include "ngx_http_im_response.h"


#define NGX_HTTP_IM_HEALTH_TIME   1000     /* ms that a result is used */


struct ngx_http_im_health_s {
    ngx_queue_t              waiting;   /* requests */
    ngx_uint_t               pending;   /* stores that have not answered the
                                           probe */
    ngx_msec_t               checked;   /* when the last probe ended */
    ngx_str_t               *failed;    /* by it: name of a store, or NULL */
    unsigned                 known:1;   /* there was one */
};


/* in the queue of those that wait, or linked to itself */

typedef struct {
    ngx_queue_t              queue;
    ngx_http_request_t      *request;
} ngx_http_im_health_wait_t;


/* of one store, in the pool of the job */

typedef struct {
    ngx_http_im_health_t    *health;
    ngx_http_im_cmd_t       *cmd;
    ngx_str_t               *name;      /* of the store */
} ngx_http_im_health_probe_t;


static ngx_int_t ngx_http_im_health_wait(ngx_http_request_t *r,
    ngx_http_im_health_t *health);
static void ngx_http_im_health_cleanup(void *data);
static void ngx_http_im_health_probe(ngx_http_im_main_conf_t *imcf,
    ngx_http_im_loc_conf_t *lcf);
static ngx_int_t ngx_http_im_health_probe_store(ngx_http_im_health_t *health,
    ngx_http_im_redis_conf_t *conf, ngx_str_t *prefix);
static void ngx_http_im_health_job_handler(ngx_http_im_job_t *job);
static void ngx_http_im_health_wake(ngx_http_im_health_t *health);
static ngx_int_t ngx_http_im_health_send(ngx_http_request_t *r,
    ngx_http_im_health_t *health);


char *
ngx_http_im_health_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_loc_conf_t  *lcf = conf;

    ngx_http_im_main_conf_t   *imcf;
    ngx_http_core_loc_conf_t  *clcf;

    if (lcf->health) {
        return "is duplicate";
    }

    if (lcf->pass || lcf->status) {
        return "cannot stand beside im_pass or im_status; give it a location "
               "of its own";
    }

    lcf->health = 1;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);
    imcf->has_health = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_im_health_handler;

    return NGX_CONF_OK;
}


ngx_http_im_health_t *
ngx_http_im_health_create(ngx_pool_t *pool)
{
    ngx_http_im_health_t  *health;

    health = ngx_pcalloc(pool, sizeof(ngx_http_im_health_t));

    if (health) {
        ngx_queue_init(&health->waiting);
    }

    return health;
}


ngx_int_t
ngx_http_im_health_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 text = ngx_string("the method must be GET");
    ngx_http_im_health_t     *health;
    ngx_http_im_loc_conf_t   *lcf;
    ngx_http_im_main_conf_t  *imcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);
    imcf = ngx_http_get_module_main_conf(r, ngx_http_im_module);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_im_response_error(r, NGX_HTTP_IM_METHOD_NOT_ALLOWED,
                                          &text);
    }

    health = imcf->health;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im health known:%d age:%M pending:%ui",
                   (int) health->known, ngx_current_msec - health->checked,
                   health->pending);

    if (health->pending == 0 && health->known
        && ngx_current_msec - health->checked < NGX_HTTP_IM_HEALTH_TIME)
    {
        return ngx_http_im_health_send(r, health);
    }

    if (ngx_http_im_health_wait(r, health) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (health->pending == 0) {
        ngx_http_im_health_probe(imcf, lcf);
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_im_health_wait(ngx_http_request_t *r, ngx_http_im_health_t *health)
{
    ngx_http_cleanup_t         *cln;
    ngx_http_im_health_wait_t  *wait;

    wait = ngx_palloc(r->pool, sizeof(ngx_http_im_health_wait_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (wait == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im health wait:%p pending:%ui", wait, health->pending);

    wait->request = r;
    ngx_queue_insert_tail(&health->waiting, &wait->queue);

    cln->handler = ngx_http_im_health_cleanup;
    cln->data = wait;

    r->main->count++;

    if (r == r->main) {
        r->read_event_handler = ngx_http_test_reading;
    }

    return NGX_OK;
}


/* the client does not wait any more, or has its answer */

static void
ngx_http_im_health_cleanup(void *data)
{
    ngx_http_im_health_wait_t  *wait = data;

    ngx_queue_remove(&wait->queue);
    ngx_queue_init(&wait->queue);
}


/*
 * One more than the stores is pending meanwhile, so that no store's answer
 * ends the probe before all of them were asked.
 */

static void
ngx_http_im_health_probe(ngx_http_im_main_conf_t *imcf,
    ngx_http_im_loc_conf_t *lcf)
{
    ngx_uint_t                  i;
    ngx_http_im_health_t       *health;
    ngx_http_im_redis_conf_t  **conf;

    health = imcf->health;
    health->failed = NULL;
    health->pending = 1;

    conf = imcf->stores.elts;

    for (i = 0; i < imcf->stores.nelts; i++) {

        if (ngx_http_im_health_probe_store(health, conf[i],
                                           &lcf->options.key_prefix)
            != NGX_OK)
        {
            health->failed = &conf[i]->name;
        }
    }

    health->pending--;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im health probe stores:%ui pending:%ui failed:%p",
                   imcf->stores.nelts, health->pending, health->failed);

    if (health->pending == 0) {
        ngx_http_im_health_wake(health);
    }
}


/* ZADD with XX adds nothing to a key that is never made */

static ngx_int_t
ngx_http_im_health_probe_store(ngx_http_im_health_t *health,
    ngx_http_im_redis_conf_t *conf, ngx_str_t *prefix)
{
    ngx_str_t                    caller = ngx_string(" health");
    ngx_str_t                    argv[5] = { ngx_string("ZADD"),
                                             ngx_null_string,
                                             ngx_string("XX"),
                                             ngx_string("0"),
                                             ngx_string("x") };
    ngx_http_im_job_t           *job;
    ngx_http_im_store_t         *store;
    ngx_http_im_health_probe_t  *probe;

    store = ngx_http_im_store_get(conf);
    job = store ? ngx_http_im_store_job(store) : NULL;

    if (job == NULL) {
        return NGX_ERROR;
    }

    probe = ngx_palloc(job->pool, sizeof(ngx_http_im_health_probe_t));
    argv[1].data = ngx_pnalloc(job->pool, prefix->len + sizeof("health") - 1);

    if (probe == NULL || argv[1].data == NULL) {
        ngx_http_im_store_release(job);
        return NGX_ERROR;
    }

    argv[1].len = ngx_sprintf(argv[1].data, "%Vhealth", prefix) - argv[1].data;

    probe->health = health;
    probe->name = &conf->name;
    probe->cmd = ngx_http_im_cmd_add(&job->pipeline, NGX_HTTP_IM_UPSERT, 1,
                                     argv, 5);

    if (probe->cmd == NULL) {
        ngx_http_im_store_release(job);
        return NGX_ERROR;
    }

    job->handler = ngx_http_im_health_job_handler;
    job->data = probe;

    health->pending++;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im health probe store:\"%V\" job:%p", &conf->name, job);

    ngx_http_im_store_submit(job, &caller);

    return NGX_OK;
}


static void
ngx_http_im_health_job_handler(ngx_http_im_job_t *job)
{
    int64_t                      n;
    ngx_http_im_health_t        *health;
    ngx_http_im_health_probe_t  *probe;

    probe = job->data;
    health = probe->health;

    if (job->outcome != NGX_HTTP_IM_JOB_OK
        || ngx_http_im_reply_int(&probe->cmd->reply, &n) != NGX_OK)
    {
        health->failed = probe->name;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im health store:\"%V\" outcome:%ui pending:%ui",
                   probe->name, (ngx_uint_t) job->outcome, health->pending);

    ngx_http_im_store_release(job);

    health->pending--;

    if (health->pending == 0) {
        ngx_http_im_health_wake(health);
    }
}


static void
ngx_http_im_health_wake(ngx_http_im_health_t *health)
{
    ngx_queue_t                *q;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_im_health_wait_t  *wait;

    health->known = 1;
    health->checked = ngx_current_msec;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im health is known, failed:%p waiting:%ui",
                   health->failed,
                   (ngx_uint_t) !ngx_queue_empty(&health->waiting));

    while (!ngx_queue_empty(&health->waiting)) {
        q = ngx_queue_head(&health->waiting);

        ngx_queue_remove(q);
        ngx_queue_init(q);

        wait = ngx_queue_data(q, ngx_http_im_health_wait_t, queue);
        r = wait->request;
        c = r->connection;

        ngx_http_set_log_request(c->log, r);

        ngx_http_finalize_request(r, ngx_http_im_health_send(r, health));

        ngx_http_run_posted_requests(c);
    }
}


static ngx_int_t
ngx_http_im_health_send(ngx_http_request_t *r, ngx_http_im_health_t *health)
{
    u_char                *p;
    off_t                  length;
    ngx_str_t              text, type = ngx_string("application/json");
    ngx_http_im_writer_t   w;

    if (health->failed == NULL) {
        ngx_http_im_writer_init(&w, r->pool, 64);
        ngx_http_im_write_lit(&w, "{\"store\":\"ok\"}");

        length = ngx_http_im_writer_close(&w);

        if (length == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_im_response_send(r, NGX_HTTP_OK, &type, w.first,
                                         length);
    }

    p = ngx_pnalloc(r->pool, sizeof("the store  cannot be written to") - 1
                             + health->failed->len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;
    text.len = ngx_sprintf(p, "the store %V cannot be written to",
                           health->failed)
               - p;

    return ngx_http_im_response_error(r, NGX_HTTP_IM_STORE_UNAVAILABLE, &text);
}
