
#include "ngx_http_im_group.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_profile.h"


typedef struct {
    ngx_str_t                 conv_id;
    ngx_array_t               member;     /* of ngx_str_t */
} ngx_http_im_group_add_args_t;

typedef struct {
    ngx_http_im_cmd_t        *script;
    ngx_http_im_places_t      places;
} ngx_http_im_group_add_t;

typedef struct {
    ngx_http_im_cmd_t        *users;
    ngx_http_im_cmd_t        *viewer;
    ngx_http_im_profile_t   **profile;
    ngx_uint_t                n;
    ngx_http_im_profiles_t    profiles;
} ngx_http_im_group_list_t;


static ngx_int_t ngx_http_im_group_add_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_add(ngx_http_im_call_t *call);
static void ngx_http_im_group_add_script(ngx_http_im_call_t *call,
    ngx_uint_t judge);
static ngx_int_t ngx_http_im_group_add_judged(ngx_http_im_call_t *call);
static ngx_uint_t ngx_http_im_group_add_is_none(ngx_str_t *result);
static ngx_int_t ngx_http_im_group_add_done(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_users(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_profiles(ngx_http_im_call_t *call,
    ngx_str_t *users);
static ngx_int_t ngx_http_im_group_list_answer(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_add_fields[] = {

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_CONV_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_add_args_t, conv_id), 0, 0, NULL, 0 },

    { ngx_string("member"), NGX_HTTP_IM_FIELD_IDS, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_add_args_t, member), 0,
      NGX_HTTP_IM_NO_LIMIT, NULL, 0 },

    ngx_http_im_field_end
};


static const ngx_http_im_field_t  ngx_http_im_group_list_fields[] = {
    ngx_http_im_field_end
};


/*
 * script group_add, to judge only -> "ok" or the code of a refusal, and script
 * join of each, see ngx_http_im_group.h; script group_add.
 */

const ngx_http_im_op_t  ngx_http_im_op_group_add = {
    ngx_string("group_add"),
    ngx_http_im_group_add_fields,
    sizeof(ngx_http_im_group_add_args_t),
    1,
    ngx_http_im_group_add_check,
    ngx_http_im_group_add
};


/*
 * HGET settings users, and where im_user is set HEXISTS members user
 * -> "\"a\",\"b\"", 1; HMGET profile of each member -> name, picture
 */

const ngx_http_im_op_t  ngx_http_im_op_group_list = {
    ngx_string("group_list"),
    ngx_http_im_group_list_fields,
    sizeof(ngx_uint_t),
    0,
    ngx_http_im_group_list_check,
    ngx_http_im_group_list
};


static ngx_int_t
ngx_http_im_group_add_check(ngx_http_im_call_t *call)
{
    ngx_http_im_group_add_args_t  *args;

    args = call->args;
    call->from_id = call->user;
    ngx_http_im_conv_set(call, &args->conv_id);

    if (call->user.len
        && call->options->group_add == NGX_HTTP_IM_GROUP_ADD_TRUSTED)
    {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_FORBIDDEN,
                                     "only trusted callers may add a member");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_group_add(ngx_http_im_call_t *call)
{
    ngx_array_t                   *member;
    ngx_http_im_group_add_t       *add;
    ngx_http_im_group_add_args_t  *args;

    if (call->pair) {
        return ngx_http_im_conv_refuse_pair(call);
    }

    args = call->args;
    member = &args->member;

    add = ngx_pcalloc(call->pool, sizeof(ngx_http_im_group_add_t));
    if (add == NULL) {
        return NGX_ERROR;
    }

    call->state = add;

    ngx_http_im_group_add_script(call, 1);

    /* more than the group may have are refused, whoever they are */

    if (member->nelts <= call->options->group_max_members) {
        ngx_http_im_places_take(call, &add->places, member->elts,
                                member->nelts);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group add conv:\"%V\" ids:%ui job:%p",
                   &call->conv_id, member->nelts, call->job);

    call->next = ngx_http_im_group_add_judged;

    return NGX_AGAIN;
}


static void
ngx_http_im_group_add_script(ngx_http_im_call_t *call, ngx_uint_t judge)
{
    u_char                         limit[NGX_INT_T_LEN], count[NGX_INT_T_LEN];
    ngx_str_t                     *argv;
    ngx_uint_t                     n;
    ngx_array_t                   *member;
    ngx_http_im_group_add_t       *add;
    ngx_http_im_group_add_args_t  *args;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_MEMBERS,
        NGX_HTTP_IM_CONV_SETTINGS
    };

    add = call->state;
    args = call->args;
    member = &args->member;

    n = (member->nelts <= call->options->group_max_members) ? member->nelts
                                                            : 0;

    argv = ngx_palloc(call->pool, (5 + n) * sizeof(ngx_str_t));
    if (argv == NULL) {
        call->pipeline->failed = 1;
        return;
    }

    argv[0] = call->user;

    ngx_str_set(&argv[1], "");

    if (call->options->group_add == NGX_HTTP_IM_GROUP_ADD_OWNER) {
        ngx_str_set(&argv[1], "1");
    }

    argv[2].data = limit;
    argv[2].len = ngx_sprintf(limit, "%ui", call->options->group_max_members)
                  - limit;

    ngx_str_set(&argv[3], "");

    if (judge) {
        ngx_str_set(&argv[3], "1");
    }

    argv[4].data = count;
    argv[4].len = ngx_sprintf(count, "%ui", member->nelts) - count;

    ngx_memcpy(&argv[5], member->elts, n * sizeof(ngx_str_t));

    add->script = ngx_http_im_call_script(call, judge ? NGX_HTTP_IM_READ
                                                      : NGX_HTTP_IM_UPSERT,
                                          NGX_HTTP_IM_SCRIPT_GROUP_ADD,
                                          &call->conv_id, keys, 3,
                                          argv, 5 + n);
}


static ngx_int_t
ngx_http_im_group_add_judged(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_str_t                 result;
    ngx_http_im_group_add_t  *add;

    add = call->state;

    rc = ngx_http_im_call_result(call, add->script, &result);

    if (rc == NGX_DECLINED) {
        return ngx_http_im_places_refuse(call, &add->places, call->error.id);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_im_places_check(call, &add->places);

    if (rc == NGX_DONE) {
        return ngx_http_im_places_refuse(call, &add->places,
                                         NGX_HTTP_IM_TOO_MANY_GROUPS);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_group_add_is_none(&result)) {
        return NGX_OK;
    }

    ngx_http_im_group_add_script(call, 0);
    ngx_http_im_places_renew(call, &add->places);

    call->next = ngx_http_im_group_add_done;

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_http_im_group_add_is_none(ngx_str_t *result)
{
    return result->len == 4 && ngx_strncmp(result->data, "none", 4) == 0;
}


/* the group may have changed since it was judged */

static ngx_int_t
ngx_http_im_group_add_done(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_str_t                 result;
    ngx_http_im_group_add_t  *add;

    add = call->state;

    rc = ngx_http_im_call_result(call, add->script, &result);

    return (rc == NGX_DECLINED)
           ? ngx_http_im_places_refuse(call, &add->places, call->error.id)
           : rc;
}


static ngx_int_t
ngx_http_im_group_list_check(ngx_http_im_call_t *call)
{
    call->from_id = call->user;

    return ngx_http_im_conv_check(call);
}


static ngx_int_t
ngx_http_im_group_list(ngx_http_im_call_t *call)
{
    ngx_str_t                  argv[3];
    ngx_http_im_group_list_t  *members;

    if (call->pair) {
        return ngx_http_im_conv_refuse_pair(call);
    }

    members = ngx_pcalloc(call->pool, sizeof(ngx_http_im_group_list_t));
    if (members == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&argv[0], "HGET");
    ngx_str_set(&argv[2], "users");

    members->users = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_CONV_SETTINGS,
                                          &call->conv_id, argv, 3);

    if (call->user.len) {
        ngx_str_set(&argv[0], "HEXISTS");
        argv[2] = call->user;

        members->viewer = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                               NGX_HTTP_IM_CONV_MEMBERS,
                                               &call->conv_id, argv, 3);
    }

    call->state = members;
    call->next = ngx_http_im_group_list_users;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_list_users(ngx_http_im_call_t *call)
{
    int64_t                    n;
    ngx_str_t                  users;
    ngx_int_t                  rc;
    ngx_http_im_group_list_t  *members;

    members = call->state;

    rc = ngx_http_im_reply_string(&members->users->reply, &users);

    if (rc == NGX_ERROR
        || (members->viewer
            && ngx_http_im_reply_int(&members->viewer->reply, &n) != NGX_OK))
    {
        return ngx_http_im_call_store_error(call);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_NOT_FOUND);
    }

    if (members->viewer && n == 0) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_MEMBER);
    }

    rc = ngx_http_im_group_list_profiles(call, &users);

    return (rc == NGX_OK)
           ? ngx_http_im_call_continue(call, ngx_http_im_group_list_answer)
           : rc;
}


static ngx_int_t
ngx_http_im_group_list_profiles(ngx_http_im_call_t *call, ngx_str_t *users)
{
    ngx_int_t                   rc;
    ngx_str_t                   id;
    ngx_http_im_profile_t     **profile;
    ngx_http_im_group_list_t   *members;

    members = call->state;

    /* an id, its quotes and a comma, but for the last, are four bytes */

    members->profile = ngx_palloc(call->pool,
                                  (users->len / 4 + 1) * sizeof(void *));
    if (members->profile == NULL) {
        return NGX_ERROR;
    }

    while ((rc = ngx_http_im_users_next(users, &id)) == NGX_OK) {

        profile = &members->profile[members->n++];
        *profile = ngx_http_im_profile_add(call, &members->profiles, &id);

        if (*profile == NULL) {
            return NGX_ERROR;
        }
    }

    if (rc == NGX_ERROR) {
        return ngx_http_im_call_store_error(call);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group list conv:\"%V\" members:%ui job:%p",
                   &call->conv_id, members->n, call->job);

    return ngx_http_im_profiles_fetch(call, &members->profiles);
}


static ngx_int_t
ngx_http_im_group_list_answer(ngx_http_im_call_t *call)
{
    size_t                      size;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_im_writer_t       *w;
    ngx_http_im_profile_t     **profile;
    ngx_http_im_group_list_t   *members;

    members = call->state;
    profile = members->profile;
    w = &call->writer;

    for (size = 2, i = 0; i < members->n; i++) {

        rc = ngx_http_im_profile_parse(call, profile[i]);
        if (rc != NGX_OK) {
            return rc;
        }

        size += sizeof("{\"id\":\"\",\"name\":\"\",\"alias\":\"\"},") - 1
                + profile[i]->id.len + profile[i]->text[0].len;
    }

    w->size = size;

    ngx_http_im_write_lit(w, "[");

    for (i = 0; i < members->n; i++) {

        if (i) {
            ngx_http_im_write_lit(w, ",");
        }

        ngx_http_im_write_lit(w, "{\"id\":\"");
        ngx_http_im_write_raw(w, &profile[i]->id);
        ngx_http_im_write_lit(w, "\",\"name\":\"");
        ngx_http_im_write_raw(w, &profile[i]->text[0]);
        ngx_http_im_write_lit(w, "\",\"alias\":\"\"}");
    }

    ngx_http_im_write_lit(w, "]");

    return NGX_OK;
}
