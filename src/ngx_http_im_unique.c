
#include "ngx_http_im_unique.h"


static uint64_t ngx_http_im_unique_next(ngx_http_im_unique_t *unique,
    ngx_http_im_siphash_key_t *key);


ngx_int_t
ngx_http_im_unique_init(ngx_http_im_unique_t *unique, ngx_log_t *log)
{
    unique->counter = 0;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, log, 0,
                   "im unique:%p init, with new keys", unique);

    if (ngx_http_im_siphash_key_init(&unique->msg, log) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_im_siphash_key_init(&unique->group, log);
}


void
ngx_http_im_unique_msg(ngx_http_im_unique_t *unique,
    u_char dst[NGX_HTTP_IM_UNIQUE_MSG_LEN])
{
    uint64_t  n;

    n = ngx_http_im_unique_next(unique, &unique->msg);

    ngx_hex_dump(dst, (u_char *) &n, NGX_HTTP_IM_UNIQUE_MSG_LEN / 2);
}


void
ngx_http_im_unique_group(ngx_http_im_unique_t *unique,
    u_char dst[NGX_HTTP_IM_UNIQUE_GROUP_LEN])
{
    uint64_t  n[2];

    n[0] = ngx_http_im_unique_next(unique, &unique->group);
    n[1] = ngx_http_im_unique_next(unique, &unique->group);

    ngx_hex_dump(dst, (u_char *) n, NGX_HTTP_IM_UNIQUE_GROUP_LEN / 2);
}


static uint64_t
ngx_http_im_unique_next(ngx_http_im_unique_t *unique,
    ngx_http_im_siphash_key_t *key)
{
    unique->counter++;

    return ngx_http_im_siphash(key, (u_char *) &unique->counter,
                               sizeof(uint64_t));
}
