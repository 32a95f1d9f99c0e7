
#include "ngx_http_im_call.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_schema.h"


ngx_int_t
ngx_http_im_call_restart(ngx_http_im_call_t *call, ngx_str_t *head)
{
    u_char     *id;
    ngx_str_t  *users;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call restart conv:\"%V\" kind:%c again:%d job:%p",
                   &call->conv_id, head->len ? head->data[0] : '-',
                   (int) call->imported, call->job);

    if (call->imported || call->conv_id.len == 0 || head->len == 0) {
        return ngx_http_im_call_store_error(call);
    }

    call->imported = 1;

    if (head->data[0] != '3') {

        /* the messages of a 1:1, or a group */

        call->pair = (head->data[0] == '0');

        return call->op->start(call);
    }

    users = call->name_users;

    if (ngx_http_im_alias_parse(head, users) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (call->group) {
        call->pair = 1;

        return ngx_http_im_call_error(call,
                    (call->from_id.len == 0 || ngx_http_im_call_is_user(call))
                    ? NGX_HTTP_IM_NOT_GROUP : NGX_HTTP_IM_NOT_MEMBER);
    }

    call->name_id = call->conv_id;

    id = ngx_pnalloc(call->pool, NGX_HTTP_IM_PAIR_LEN);
    if (id == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_id_pair(&users[0], &users[1], id);

    call->conv_id.data = id;
    call->conv_id.len = NGX_HTTP_IM_PAIR_LEN;
    call->pair = 1;

    return call->op->start(call);
}


ngx_uint_t
ngx_http_im_call_is_user(ngx_http_im_call_t *call)
{
    return ngx_http_im_str_eq(&call->name_users[0], &call->from_id)
           || ngx_http_im_str_eq(&call->name_users[1], &call->from_id);
}
