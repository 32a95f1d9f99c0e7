
#include "ngx_http_im_conv.h"
#include "ngx_http_im_profile.h"


typedef struct {
    ngx_http_im_cmd_t        *users;
    ngx_http_im_cmd_t        *viewer;
    ngx_http_im_profile_t   **profile;
    ngx_uint_t                n;
    ngx_http_im_profiles_t    profiles;
} ngx_http_im_group_list_t;


static ngx_int_t ngx_http_im_group_list_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_users(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_profiles(ngx_http_im_call_t *call,
    ngx_str_t *users);
static ngx_int_t ngx_http_im_group_list_answer(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_list_fields[] = {
    ngx_http_im_field_end
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
