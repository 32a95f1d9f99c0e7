
#include "ngx_http_im_api.h"


void
ngx_http_im_profiles_init(ngx_http_im_profiles_t *profiles)
{
    ngx_memzero(profiles, sizeof(ngx_http_im_profiles_t));
}


ngx_http_im_profile_t *
ngx_http_im_profile_want(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles, ngx_str_t *id)
{
    uint32_t                  hash;
    ngx_http_im_profile_t    *profile, **bucket;

    hash = ngx_murmur_hash2(id->data, id->len);
    bucket = &profiles->buckets[hash % NGX_HTTP_IM_PROFILE_BUCKETS];

    for (profile = *bucket; profile; profile = profile->next) {
        if (profile->hash == hash && ngx_http_im_same(&profile->id, id)) {
            return profile;
        }
    }

    profile = ngx_pcalloc(call->pool, sizeof(ngx_http_im_profile_t));
    if (profile == NULL) {
        return NULL;
    }

    profile->id = *id;
    profile->hash = hash;

    profile->next = *bucket;
    *bucket = profile;

    profile->asked_next = profiles->wanted;
    profiles->wanted = profile;

    return profile;
}


/* the cache first, all in one go, and the store for what is not there */

ngx_int_t
ngx_http_im_profiles_ask(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles)
{
    ngx_str_t                 argv[4];
    ngx_http_im_profile_t    *profile;
    ngx_http_im_cache_key_t   key;

    key.kind = NGX_HTTP_IM_CACHE_PROFILE;
    key.scope = call->scope;

    if (call->cache && profiles->wanted) {

        ngx_http_im_cache_lock(call->cache);

        for (profile = profiles->wanted; profile;
             profile = profile->asked_next)
        {
            key.id = profile->id;
            key.hash = profile->hash;

            profile->known = (ngx_http_im_cache_get(call->cache, &key,
                                                    call->pool, profile->text)
                              == NGX_OK);
        }

        ngx_http_im_cache_unlock(call->cache);
    }

    ngx_str_set(&argv[0], "HMGET");
    ngx_str_set(&argv[2], "n");
    ngx_str_set(&argv[3], "i");

    for (profile = profiles->wanted; profile; profile = profile->asked_next) {

        if (profile->known) {
            continue;
        }

        profile->asked = ngx_current_msec;
        profile->cmd = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                            NGX_HTTP_IM_USER_PROFILE,
                                            &profile->id, argv, 4);
        if (profile->cmd == NULL) {
            return NGX_ERROR;
        }
    }

    profiles->wanted = NULL;

    return NGX_OK;
}


ngx_int_t
ngx_http_im_profile_read(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile)
{
    ngx_http_im_reply_t      *reply;
    ngx_http_im_cache_key_t   key;

    if (profile->known) {
        return NGX_OK;
    }

    reply = &profile->cmd->reply;

    if (ngx_http_im_reply_array(reply, 2) != NGX_OK
        || ngx_http_im_reply_string(&reply->elts[0], &profile->text[0])
           == NGX_ERROR
        || ngx_http_im_reply_string(&reply->elts[1], &profile->text[1])
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    profile->known = 1;

    if (call->cache) {
        key.kind = NGX_HTTP_IM_CACHE_PROFILE;
        key.scope = call->scope;
        key.hash = profile->hash;
        key.id = profile->id;

        ngx_http_im_cache_put(call->cache, &key, profile->asked,
                              profile->text);
    }

    return NGX_OK;
}


void
ngx_http_im_profile_changed(ngx_http_im_call_t *call, ngx_str_t *id)
{
    ngx_http_im_cache_key_t  key;

    if (call->cache) {
        key.kind = NGX_HTTP_IM_CACHE_PROFILE;
        key.scope = call->scope;
        key.hash = ngx_murmur_hash2(id->data, id->len);
        key.id = *id;

        ngx_http_im_cache_forget(call->cache, &key);
    }
}


ngx_int_t
ngx_http_im_sender_hint(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *user)
{
    ngx_int_t                rc;
    ngx_str_t                values[2];
    ngx_http_im_cache_key_t  key;

    ngx_str_null(user);

    if (call->cache == NULL) {
        return NGX_OK;
    }

    key.kind = NGX_HTTP_IM_CACHE_SENDER;
    key.scope = call->scope;
    key.hash = ngx_murmur_hash2(conv_id->data, conv_id->len);
    key.id = *conv_id;

    ngx_http_im_cache_lock(call->cache);
    rc = ngx_http_im_cache_get(call->cache, &key, call->pool, values);
    ngx_http_im_cache_unlock(call->cache);

    if (rc == NGX_OK) {
        *user = values[0];
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


void
ngx_http_im_sender_note(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *user)
{
    ngx_str_t                values[2];
    ngx_http_im_cache_key_t  key;

    if (call->cache == NULL) {
        return;
    }

    key.kind = NGX_HTTP_IM_CACHE_SENDER;
    key.scope = call->scope;
    key.hash = ngx_murmur_hash2(conv_id->data, conv_id->len);
    key.id = *conv_id;

    values[0] = *user;
    ngx_str_null(&values[1]);

    ngx_http_im_cache_put(call->cache, &key, ngx_current_msec, values);
}
