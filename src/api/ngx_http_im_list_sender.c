
#include "ngx_http_im_list_sender.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


ngx_int_t
ngx_http_im_list_senders_add(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list, ngx_http_im_convs_row_t *row)
{
    ngx_str_t  *user;

    user = &row->peer;

    if (row->peer.len == 0) {
        user = &row->hint;

        if (row->head.from.len) {
            *user = row->head.from;

        } else if (ngx_http_im_sender_get(call, &row->conv_id, user)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (list->self == NULL) {
        list->self = ngx_http_im_profile_add(call, &list->profiles,
                                             list->convs.user);
        if (list->self == NULL) {
            return NGX_ERROR;
        }
    }

    if (user->len == 0) {
        return NGX_OK;
    }

    row->sender = ngx_http_im_profile_add(call, &list->profiles, user);

    return row->sender ? NGX_OK : NGX_ERROR;
}


ngx_http_im_profile_t *
ngx_http_im_list_sender_get(ngx_http_im_call_t *call, ngx_http_im_list_t *list,
    ngx_http_im_convs_row_t *row)
{
    ngx_str_t  *from;

    from = &row->head.from;

    if (row->sender && ngx_http_im_str_eq(&row->sender->id, from)) {
        return row->sender;
    }

    if (list->self && ngx_http_im_str_eq(&list->self->id, from)) {
        return list->self;
    }

    return ngx_http_im_profile_add(call, &list->profiles, from);
}
