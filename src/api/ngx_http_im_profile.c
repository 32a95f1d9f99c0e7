
#include "ngx_http_im_api.h"


void
ngx_http_im_profiles_init(ngx_http_im_profiles_t *profiles)
{
    ngx_rbtree_init(&profiles->tree, &profiles->sentinel,
                    ngx_str_rbtree_insert_value);
    profiles->pending = 0;
}


ngx_http_im_profile_t *
ngx_http_im_profile_want(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles, ngx_str_t *id)
{
    uint32_t                hash;
    ngx_str_t               argv[4];
    ngx_str_node_t         *node;
    ngx_http_im_profile_t  *profile;

    hash = ngx_crc32_short(id->data, id->len);

    node = ngx_str_rbtree_lookup(&profiles->tree, id, hash);
    if (node) {
        return (ngx_http_im_profile_t *) node;
    }

    profile = ngx_pcalloc(call->pool, sizeof(ngx_http_im_profile_t));
    if (profile == NULL) {
        return NULL;
    }

    profile->node.node.key = hash;
    profile->node.str = *id;

    ngx_rbtree_insert(&profiles->tree, &profile->node.node);

    ngx_str_set(&argv[0], "HMGET");
    ngx_str_set(&argv[2], "n");
    ngx_str_set(&argv[3], "i");

    profile->cmd = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                        NGX_HTTP_IM_USER_PROFILE, id, argv, 4);
    profiles->pending++;

    return profile;
}


ngx_int_t
ngx_http_im_profile_read(ngx_http_im_profile_t *profile)
{
    ngx_http_im_reply_t  *reply;

    if (profile->cmd == NULL) {
        return NGX_OK;
    }

    reply = &profile->cmd->reply;
    profile->cmd = NULL;

    if (ngx_http_im_reply_array(reply, 2) != NGX_OK
        || ngx_http_im_reply_string(&reply->elts[0], &profile->name)
           == NGX_ERROR
        || ngx_http_im_reply_string(&reply->elts[1], &profile->img)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
