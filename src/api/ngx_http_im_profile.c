
#include "ngx_http_im_api.h"


/* for how long a profile is good: a rename shows within a second */
#define NGX_HTTP_IM_PROFILE_TTL   900


void
ngx_http_im_profiles_init(ngx_http_im_profiles_t *profiles)
{
    ngx_memzero(profiles, sizeof(ngx_http_im_profiles_t));
}


ngx_http_im_profile_t *
ngx_http_im_profile_add(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles, ngx_str_t *id)
{
    uint32_t                hash;
    ngx_http_im_profile_t  *profile, **bucket;

    hash = ngx_murmur_hash2(id->data, id->len);
    bucket = &profiles->buckets[hash % NGX_HTTP_IM_PROFILE_BUCKETS];

    for (profile = *bucket; profile; profile = profile->next) {
        if (profile->hash == hash && ngx_http_im_str_eq(&profile->id, id)) {
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

    profile->fetch_next = profiles->wanted;
    profiles->wanted = profile;

    return profile;
}


/* the cache first, all in one go, and the store for what is not there */

ngx_int_t
ngx_http_im_profiles_fetch(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles)
{
    ngx_str_t                 argv[4];
    ngx_msec_t                since;
    ngx_http_im_profile_t    *profile;
    ngx_http_im_cache_key_t   key;

    if (call->cache && profiles->wanted) {

        since = ngx_current_msec - NGX_HTTP_IM_PROFILE_TTL;

        ngx_http_im_cache_lock(call->cache);

        for (profile = profiles->wanted; profile;
             profile = profile->fetch_next)
        {
            ngx_http_im_hint_key(call, NGX_HTTP_IM_CACHE_PROFILE,
                                 &profile->id, profile->hash, &key);

            profile->known = (ngx_http_im_cache_get(call->cache, &key, since,
                                                    call->pool, profile->text)
                              == NGX_OK);
        }

        ngx_http_im_cache_unlock(call->cache);
    }

    ngx_str_set(&argv[0], "HMGET");
    ngx_str_set(&argv[2], "n");
    ngx_str_set(&argv[3], "i");

    for (profile = profiles->wanted; profile; profile = profile->fetch_next) {

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
ngx_http_im_profile_parse(ngx_http_im_call_t *call,
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
        ngx_http_im_hint_key(call, NGX_HTTP_IM_CACHE_PROFILE, &profile->id,
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
        ngx_http_im_hint_key(call, NGX_HTTP_IM_CACHE_PROFILE, id,
                             ngx_murmur_hash2(id->data, id->len), &key);

        ngx_http_im_cache_forget(call->cache, &key);
    }
}
