
#include "ngx_http_im_group.h"
#include "ngx_http_im_conv.h"


static ngx_int_t ngx_http_im_group_done(ngx_http_im_call_t *call);


static const ngx_http_im_key_e  ngx_http_im_group_keys[] = {
    NGX_HTTP_IM_CONV_HEAD,
    NGX_HTTP_IM_CONV_MEMBERS,
    NGX_HTTP_IM_CONV_SETTINGS
};


ngx_http_im_cmd_t *
ngx_http_im_group_script(ngx_http_im_call_t *call, ngx_uint_t kind,
    ngx_http_im_script_e script, ngx_str_t *argv, ngx_uint_t argc)
{
    call->group = 1;

    return ngx_http_im_call_script(call, kind, script, &call->conv_id,
                                   ngx_http_im_group_keys, 3, argv, argc);
}


ngx_int_t
ngx_http_im_group_result(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd,
    ngx_str_t *result)
{
    ngx_int_t  rc;

    rc = ngx_http_im_call_result(call, cmd, result);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group result conv:\"%V\" rc:%i job:%p",
                   &call->conv_id, rc, call->job);

    /* that from_id is the caller's own id was checked before */

    if (rc == NGX_DECLINED && call->error.id == NGX_HTTP_IM_FORBIDDEN) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_FORBIDDEN,
                                     "only the owner of the group conv_id may "
                                     "do this");
    }

    return rc;
}


ngx_int_t
ngx_http_im_group_run(ngx_http_im_call_t *call, ngx_uint_t kind,
    ngx_http_im_script_e script, ngx_str_t *argv, ngx_uint_t argc)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group run \"%V\" conv:\"%V\" job:%p",
                   &call->op->name, &call->conv_id, call->job);

    if (call->pair) {
        return ngx_http_im_conv_refuse_pair(call);
    }

    call->state = ngx_http_im_group_script(call, kind, script, argv, argc);
    call->next = ngx_http_im_group_done;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_done(ngx_http_im_call_t *call)
{
    ngx_str_t  result;

    return ngx_http_im_group_result(call, call->state, &result);
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


ngx_int_t
ngx_http_im_group_info_join(ngx_pool_t *pool, ngx_http_im_text_t *name,
    ngx_http_im_text_t *img, ngx_http_im_text_t *description, ngx_str_t *info)
{
    size_t  len;

    len = sizeof("\"name\":\"\",\"img\":\"\",\"description\":\"\"") - 1
          + name->escaped.len + img->escaped.len + description->escaped.len;

    info->data = ngx_pnalloc(pool, len);
    if (info->data == NULL) {
        return NGX_ERROR;
    }

    info->len = ngx_sprintf(info->data, "\"name\":\"%V\",\"img\":\"%V\","
                                        "\"description\":\"%V\"",
                            &name->escaped, &img->escaped,
                            &description->escaped)
                - info->data;

    return NGX_OK;
}
