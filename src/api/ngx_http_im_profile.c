
#include "ngx_http_im_profile.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"


/* ms; a new name shows within a second everywhere */
#define NGX_HTTP_IM_PROFILE_TTL     900

/* entries of a bucket that are looked at */
#define NGX_HTTP_IM_PROFILE_CHAIN   16


static ngx_http_im_profile_t *ngx_http_im_profile_of_two(
    ngx_http_im_profiles_t *profiles, ngx_str_t *id);
static uint32_t ngx_http_im_profile_hash(ngx_http_im_call_t *call,
    ngx_str_t *id);
static ngx_inline ngx_http_im_profile_t **ngx_http_im_profile_bucket(
    ngx_http_im_profiles_t *profiles, uint32_t hash);
static ngx_int_t ngx_http_im_profiles_grow(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles);
static void ngx_http_im_profile_key(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile, ngx_http_im_cache_key_t *key);
static ngx_uint_t ngx_http_im_profiles_cached(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile);


/*
 * The table grows with the users.  If some have found ids that collide, which
 * they can only without the cache and its key, a user is fetched more than
 * once instead of being looked for in a long list.
 */

ngx_http_im_profile_t *
ngx_http_im_profile_add(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles, ngx_str_t *id)
{
    uint32_t                hash;
    ngx_uint_t              n;
    ngx_http_im_profile_t  *profile, **bucket;

    if (profiles->n <= 2) {
        profile = ngx_http_im_profile_of_two(profiles, id);
        if (profile) {
            return profile;
        }
    }

    hash = ngx_http_im_profile_hash(call, id);
    bucket = ngx_http_im_profile_bucket(profiles, hash);
    profile = *bucket;

    for (n = 0; profile && n < NGX_HTTP_IM_PROFILE_CHAIN; n++) {

        if (profile->hash == hash && ngx_http_im_str_eq(&profile->id, id)) {
            return profile;
        }

        profile = profile->next;
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

    if (profiles->n < 2) {
        profiles->two[profiles->n] = profile;
    }

    profiles->n++;

    if (profiles->n >= 2 * NGX_HTTP_IM_PROFILE_BUCKETS
        && profiles->n >= 2 * profiles->nbuckets
        && ngx_http_im_profiles_grow(call, profiles) != NGX_OK)
    {
        return NULL;
    }

    return profile;
}


/* the two of a 1:1 are told apart without a hash */

static ngx_http_im_profile_t *
ngx_http_im_profile_of_two(ngx_http_im_profiles_t *profiles, ngx_str_t *id)
{
    ngx_uint_t              i;
    ngx_http_im_profile_t  *profile;

    for (i = 0; i < profiles->n; i++) {
        profile = profiles->two[i];

        if (ngx_http_im_str_eq(&profile->id, id)) {
            return profile;
        }
    }

    return NULL;
}


static uint32_t
ngx_http_im_profile_hash(ngx_http_im_call_t *call, ngx_str_t *id)
{
    return call->cache ? ngx_http_im_cache_hash(call->cache, id)
                       : ngx_murmur_hash2(id->data, id->len);
}


static ngx_inline ngx_http_im_profile_t **
ngx_http_im_profile_bucket(ngx_http_im_profiles_t *profiles, uint32_t hash)
{
    return profiles->more
           ? &profiles->more[hash & (profiles->nbuckets - 1)]
           : &profiles->few[hash % NGX_HTTP_IM_PROFILE_BUCKETS];
}


/* four times as many buckets */

static ngx_int_t
ngx_http_im_profiles_grow(ngx_http_im_call_t *call,
    ngx_http_im_profiles_t *profiles)
{
    ngx_uint_t               i, n;
    ngx_http_im_profile_t   *profile, *next, **old, **bucket;

    old = profiles->more ? profiles->more : profiles->few;
    n = profiles->more ? profiles->nbuckets : NGX_HTTP_IM_PROFILE_BUCKETS;

    profiles->nbuckets = 4 * n;
    profiles->more = ngx_pcalloc(call->pool,
                                 4 * n * sizeof(ngx_http_im_profile_t *));
    if (profiles->more == NULL) {
        return NGX_ERROR;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im profiles n:%ui buckets:%ui job:%p",
                   profiles->n, profiles->nbuckets, call->job);

    for (i = 0; i < n; i++) {

        for (profile = old[i]; profile; profile = next) {
            next = profile->next;

            bucket = ngx_http_im_profile_bucket(profiles, profile->hash);
            profile->next = *bucket;
            *bucket = profile;
        }
    }

    return NGX_OK;
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


/* the user was hashed for the table, under the key of the cache */

static void
ngx_http_im_profile_key(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile, ngx_http_im_cache_key_t *key)
{
    key->kind = NGX_HTTP_IM_CACHE_PROFILE;
    key->scope = call->scope;
    key->hash = profile->hash;
    key->id = profile->id;
}


/* are all of them in the cache?  Some are looked up under one lock */

static ngx_uint_t
ngx_http_im_profiles_cached(ngx_http_im_call_t *call,
    ngx_http_im_profile_t *profile)
{
    ngx_uint_t               n, missing;
    ngx_msec_t               since;
    ngx_http_im_cache_key_t  key;

    since = ngx_current_msec - NGX_HTTP_IM_PROFILE_TTL;
    missing = 0;

    ngx_http_im_cache_lock(call->cache);

    for (n = 1; profile; profile = profile->fetch_next, n++) {

        if (n % NGX_HTTP_IM_CACHE_LOCKED == 0) {
            ngx_http_im_cache_unlock(call->cache);
            ngx_http_im_cache_lock(call->cache);
        }

        ngx_http_im_profile_key(call, profile, &key);

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
        ngx_http_im_profile_key(call, profile, &key);

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
        ngx_http_im_hint_key(call, NGX_HTTP_IM_CACHE_PROFILE, id, &key);

        ngx_http_im_cache_forget(call->cache, &key);
    }
}
