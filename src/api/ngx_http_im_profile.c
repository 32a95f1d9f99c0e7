
#include "ngx_http_im_profile.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


/* ms; a new name shows within a second everywhere */
#define NGX_HTTP_IM_PROFILE_TTL   900


static ngx_uint_t ngx_http_im_profiles_cached(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile);


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

    profile->fetch_next = profiles->added;
    profiles->added = profile;

    return profile;
}


ngx_int_t
ngx_http_im_profiles_fetch(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles)
{
    ngx_str_t               argv[4];
    ngx_http_im_profile_t  *profile;

    profile = profiles->added;
    profiles->added = NULL;

    if (profile == NULL
        || (call->cache && ngx_http_im_profiles_cached(call, profile)))
    {
        return NGX_OK;
    }

    ngx_str_set(&argv[0], "HMGET");
    ngx_str_set(&argv[2], "n");
    ngx_str_set(&argv[3], "i");

    for ( /* void */ ; profile; profile = profile->fetch_next) {

        if (profile->known) {
            continue;
        }

        profile->sent = ngx_current_msec;
        profile->cmd = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                            NGX_HTTP_IM_USER_PROFILE,
                                            &profile->id, argv, 4);
        if (profile->cmd == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* are all of them in the cache?  They are looked up under one lock */

static ngx_uint_t
ngx_http_im_profiles_cached(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile)
{
    ngx_uint_t               missing;
    ngx_msec_t               since;
    ngx_http_im_cache_key_t  key;

    since = ngx_current_msec - NGX_HTTP_IM_PROFILE_TTL;
    missing = 0;

    ngx_http_im_cache_lock(call->cache);

    for ( /* void */ ; profile; profile = profile->fetch_next) {

        ngx_http_im_hint_key(call, NGX_HTTP_IM_CACHE_PROFILE, &profile->id,
                             profile->hash, &key);

        profile->known = (ngx_http_im_cache_get(call->cache, &key, since,
                                                call->pool, profile->text)
                          == NGX_OK);

        missing += !profile->known;
    }

    ngx_http_im_cache_unlock(call->cache);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im profiles not in cache:%ui job:%p",
                   missing, call->job);

    return missing == 0;
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
        return ngx_http_im_call_store_error(call);
    }

    profile->known = 1;

    if (call->cache) {
        ngx_http_im_hint_key(call, NGX_HTTP_IM_CACHE_PROFILE, &profile->id,
                             profile->hash, &key);

        ngx_http_im_cache_put(call->cache, &key, profile->sent,
                              profile->text);
    }

    return NGX_OK;
}


void
ngx_http_im_profile_forget(ngx_http_im_call_t *call, ngx_str_t *id)
{
    ngx_http_im_cache_key_t  key;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im profile forget user:\"%V\" job:%p",
                   id, call->job);

    if (call->cache) {
        ngx_http_im_hint_key(call, NGX_HTTP_IM_CACHE_PROFILE, id,
                             ngx_murmur_hash2(id->data, id->len), &key);

        ngx_http_im_cache_forget(call->cache, &key);
    }
}
