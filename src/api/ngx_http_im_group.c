
#include "ngx_http_im_group.h"


ngx_http_im_cmd_t *
ngx_http_im_group_refs_add(ngx_http_im_call_t *call, ngx_str_t *users,
    ngx_uint_t n)
{
    ngx_str_t   argv[3];
    ngx_uint_t  i;

    ngx_str_set(&argv[0], "SADD");
    argv[2] = call->conv_id;

    for (i = 0; i < n; i++) {
        (void) ngx_http_im_call_cmd(call, NGX_HTTP_IM_UPSERT,
                                    NGX_HTTP_IM_USER_GROUPS, &users[i], argv,
                                    3);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group refs conv:\"%V\" users:%ui job:%p",
                   &call->conv_id, n, call->job);

    return call->pipeline->first;
}


ngx_int_t
ngx_http_im_group_users_join(ngx_pool_t *pool, ngx_str_t *ids, ngx_uint_t n,
    ngx_str_t *users)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    for (len = 0, i = 0; i < n; i++) {
        len += ids[i].len + sizeof("\"\",") - 1;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    users->data = p;
    users->len = len - 1;

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "\"%V\"", &ids[i]);

        if (i < n - 1) {
            *p++ = ',';
        }
    }

    return NGX_OK;
}
