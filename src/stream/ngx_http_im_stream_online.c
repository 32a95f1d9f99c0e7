
#include "ngx_http_im_stream_online.h"


/* s; the last one is written less than 25 s before the stream ends */
#define NGX_HTTP_IM_ONLINE_TTL      "25"

#define NGX_HTTP_IM_ONLINE_EVERY    10000    /* ms */
#define NGX_HTTP_IM_ONLINE_BATCH    512      /* keys of one job */


static void ngx_http_im_stream_online_handler(ngx_http_im_job_t *job);


void
ngx_http_im_stream_online_refresh(ngx_http_im_channel_t *channel)
{
    ngx_str_t                   argv[5], caller = ngx_string(" online");
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_im_job_t          *job;
    ngx_http_im_store_t        *store;
    ngx_http_im_stream_user_t  *user;

    if (channel->online) {
        return;
    }

    job = NULL;

    for (n = 0; n < NGX_HTTP_IM_ONLINE_BATCH; n++) {
        q = ngx_queue_head(&channel->table.online);

        if (q == ngx_queue_sentinel(&channel->table.online)) {
            break;
        }

        user = ngx_queue_data(q, ngx_http_im_stream_user_t, online);

        if (user->refreshed && ngx_current_msec - user->refreshed
                               < NGX_HTTP_IM_ONLINE_EVERY)
        {
            break;
        }

        if (job == NULL) {
            store = ngx_http_im_store_get(channel->store);
            job = store ? ngx_http_im_store_job(store) : NULL;

            if (job == NULL) {
                return;
            }
        }

        ngx_str_set(&argv[0], "SET");
        ngx_str_set(&argv[2], "1");
        ngx_str_set(&argv[3], "EX");
        ngx_str_set(&argv[4], NGX_HTTP_IM_ONLINE_TTL);

        if (ngx_http_im_key(job->pool, &argv[1],
                            &channel->options->key_prefix,
                            NGX_HTTP_IM_USER_ONLINE, &user->sn.str)
            != NGX_OK
            || ngx_http_im_cmd_add(&job->pipeline, NGX_HTTP_IM_UPSERT, 1,
                                   argv, 5)
               == NULL)
        {
            ngx_http_im_store_release(job);
            return;
        }

        user->refreshed = ngx_current_msec;

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&channel->table.online, q);
    }

    if (job == NULL) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im channel \"%V\" refreshes users:%ui job:%p",
                   &channel->name, n, job);

    job->handler = ngx_http_im_stream_online_handler;
    job->data = channel;

    channel->online = job;

    ngx_http_im_store_submit(job, &caller);
}


/* what has failed is done again when it is due */

static void
ngx_http_im_stream_online_handler(ngx_http_im_job_t *job)
{
    ngx_http_im_channel_t  *channel;

    channel = job->data;
    channel->online = NULL;

    ngx_http_im_store_release(job);
}
