
#include "ngx_http_im_api.h"


static void ngx_http_im_profile_key(ngx_http_im_call_t *call,
    ngx_http_im_cache_e kind, ngx_str_t *id, uint32_t hash,
    ngx_http_im_cache_key_t *key);


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

    if (call->cache && profiles->wanted) {

        ngx_http_im_cache_lock(call->cache);

        for (profile = profiles->wanted; profile;
             profile = profile->asked_next)
        {
            ngx_http_im_profile_key(call, NGX_HTTP_IM_CACHE_PROFILE,
                                    &profile->id, profile->hash, &key);

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
        ngx_http_im_profile_key(call, NGX_HTTP_IM_CACHE_PROFILE, &profile->id,
                                profile->hash, &key);

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
        ngx_http_im_profile_key(call, NGX_HTTP_IM_CACHE_PROFILE, id,
                                ngx_murmur_hash2(id->data, id->len), &key);

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

    ngx_http_im_profile_key(call, NGX_HTTP_IM_CACHE_SENDER, conv_id,
                            ngx_murmur_hash2(conv_id->data, conv_id->len),
                            &key);

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

    ngx_http_im_profile_key(call, NGX_HTTP_IM_CACHE_SENDER, conv_id,
                            ngx_murmur_hash2(conv_id->data, conv_id->len),
                            &key);

    values[0] = *user;
    ngx_str_null(&values[1]);

    ngx_http_im_cache_put(call->cache, &key, ngx_current_msec, values);
}


static void
ngx_http_im_profile_key(ngx_http_im_call_t *call, ngx_http_im_cache_e kind,
    ngx_str_t *id, uint32_t hash, ngx_http_im_cache_key_t *key)
{
    key->kind = kind;
    key->scope = call->scope;
    key->hash = hash;
    key->id = *id;
}
