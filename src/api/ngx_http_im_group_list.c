
#include "ngx_http_im_conv.h"
#include "ngx_http_im_profile.h"


typedef struct {
    ngx_str_node_t            sn;         /* str: the member */
    ngx_str_t                 text;       /* escaped */
} ngx_http_im_group_alias_t;

typedef struct {
    ngx_http_im_cmd_t        *settings;
    ngx_http_im_cmd_t        *viewer;
    ngx_str_t                 owner;
    ngx_rbtree_t              aliases;    /* of ngx_http_im_group_alias_t */
    ngx_rbtree_node_t         sentinel;
    size_t                    aliases_len;
    ngx_http_im_profile_t   **profile;    /* of the members, as shown */
    ngx_uint_t                n;
    ngx_http_im_profiles_t    profiles;
} ngx_http_im_group_list_t;


static ngx_int_t ngx_http_im_group_list_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_users(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_settings(ngx_http_im_call_t *call,
    ngx_str_t *users);
static ngx_int_t ngx_http_im_group_list_alias_add(ngx_http_im_call_t *call,
    ngx_str_t *user, ngx_str_t *text);
static ngx_int_t ngx_http_im_group_list_profiles(ngx_http_im_call_t *call,
    ngx_str_t *users);
static ngx_int_t ngx_http_im_group_list_answer(ngx_http_im_call_t *call);
static void ngx_http_im_group_alias_write(ngx_http_im_group_list_t *members,
    ngx_http_im_writer_t *w, ngx_str_t *user);


static const ngx_http_im_field_t  ngx_http_im_group_list_fields[] = {
    ngx_http_im_field_end
};


/*
 * HGETALL settings, and where im_user is set HEXISTS members user
 * -> "owner", "a", "users", "\"b\",\"a\"", "a:b", alias of b, ... and 1;
 * HMGET profile of each member -> name, picture
 */

const ngx_http_im_op_t  ngx_http_im_op_group_list = {
    ngx_string("group_list"),
    ngx_http_im_group_list_fields,
    sizeof(ngx_uint_t),
    NGX_HTTP_IM_OP_READ,
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

    ngx_rbtree_init(&members->aliases, &members->sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_str_set(&argv[0], "HGETALL");

    members->settings = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                             NGX_HTTP_IM_CONV_SETTINGS,
                                             &call->conv_id, argv, 2);

    if (call->user.len) {
        ngx_str_set(&argv[0], "HEXISTS");
        argv[2] = call->user;

        members->viewer = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                               NGX_HTTP_IM_CONV_MEMBERS,
                                               &call->conv_id, argv, 3);
    }

    call->group = 1;
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

    if (members->viewer
        && ngx_http_im_reply_int(&members->viewer->reply, &n) != NGX_OK)
    {
        return ngx_http_im_call_store_error(call);
    }

    rc = ngx_http_im_group_list_settings(call, &users);
    if (rc != NGX_OK) {
        return rc;
    }

    if (members->viewer && n == 0) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_MEMBER);
    }

    rc = ngx_http_im_group_list_profiles(call, &users);

    return (rc == NGX_OK)
           ? ngx_http_im_call_continue(call, ngx_http_im_group_list_answer)
           : rc;
}


/* fields of the hash, and their values, in no order */

static ngx_int_t
ngx_http_im_group_list_settings(ngx_http_im_call_t *call, ngx_str_t *users)
{
    ngx_str_t                  field, value;
    ngx_str_t                  name[] = { ngx_string("owner"),
                                          ngx_string("users") };
    ngx_uint_t                 i;
    ngx_http_im_reply_t       *reply;
    ngx_http_im_group_list_t  *members;

    members = call->state;
    reply = &members->settings->reply;

    if (ngx_http_im_reply_array(reply, 0) != NGX_OK || reply->nelts % 2) {
        return ngx_http_im_call_store_error(call);
    }

    if (reply->nelts == 0) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_NOT_FOUND);
    }

    ngx_str_null(users);

    for (i = 0; i < reply->nelts; i += 2) {

        if (ngx_http_im_reply_string(&reply->elts[i], &field) != NGX_OK
            || ngx_http_im_reply_string(&reply->elts[i + 1], &value)
               != NGX_OK)
        {
            return ngx_http_im_call_store_error(call);
        }

        if (field.len > 2 && ngx_strncmp(field.data, "a:", 2) == 0) {
            field.data += 2;
            field.len -= 2;

            if (ngx_http_im_group_list_alias_add(call, &field, &value)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (ngx_http_im_str_eq(&field, &name[0])) {
            members->owner = value;

        } else if (ngx_http_im_str_eq(&field, &name[1])) {
            *users = value;
        }
    }

    return users->data ? NGX_OK : ngx_http_im_conv_other(call, &value);
}


static ngx_int_t
ngx_http_im_group_list_alias_add(ngx_http_im_call_t *call, ngx_str_t *user,
    ngx_str_t *text)
{
    ngx_http_im_group_list_t   *members;
    ngx_http_im_group_alias_t  *alias;

    members = call->state;

    alias = ngx_palloc(call->pool, sizeof(ngx_http_im_group_alias_t));
    if (alias == NULL) {
        return NGX_ERROR;
    }

    alias->sn.node.key = ngx_crc32_short(user->data, user->len);
    alias->sn.str = *user;
    alias->text = *text;
    members->aliases_len += text->len;

    ngx_rbtree_insert(&members->aliases, &alias->sn.node);

    return NGX_OK;
}


/* the owner comes first, the others as they joined */

static ngx_int_t
ngx_http_im_group_list_profiles(ngx_http_im_call_t *call, ngx_str_t *users)
{
    ngx_int_t                   rc, owner;
    ngx_str_t                   id;
    ngx_http_im_profile_t      *first, **profile;
    ngx_http_im_group_list_t   *members;

    members = call->state;
    owner = -1;

    /* an id, its quotes and a comma, but for the last, are four bytes */

    members->profile = ngx_palloc(call->pool,
                                  (users->len / 4 + 1) * sizeof(void *));
    if (members->profile == NULL) {
        return NGX_ERROR;
    }

    while ((rc = ngx_http_im_users_next(users, &id)) == NGX_OK) {

        if (owner < 0 && ngx_http_im_str_eq(&id, &members->owner)) {
            owner = members->n;   /* the first one, unless transferred */
        }

        profile = &members->profile[members->n++];
        *profile = ngx_http_im_profile_add(call, &members->profiles, &id);

        if (*profile == NULL) {
            return NGX_ERROR;
        }
    }

    if (rc == NGX_ERROR) {
        return ngx_http_im_call_store_error(call);
    }

    if (owner > 0) {
        profile = members->profile;
        first = profile[owner];
        ngx_memmove(&profile[1], profile, owner * sizeof(void *));
        profile[0] = first;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group list conv:\"%V\" members:%ui owner:%i job:%p",
                   &call->conv_id, members->n, owner, call->job);

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

    for (size = 2 + members->aliases_len, i = 0; i < members->n; i++) {

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
        ngx_http_im_group_alias_write(members, w, &profile[i]->id);
    }

    ngx_http_im_write_lit(w, "]");

    return NGX_OK;
}


/* the end of a member's object */

static void
ngx_http_im_group_alias_write(ngx_http_im_group_list_t *members,
    ngx_http_im_writer_t *w, ngx_str_t *user)
{
    ngx_str_node_t             *sn;
    ngx_http_im_group_alias_t  *alias;

    sn = NULL;
    if (members->aliases_len) {
        sn = ngx_str_rbtree_lookup(&members->aliases, user,
                                   ngx_crc32_short(user->data, user->len));
    }

    if (sn == NULL) {
        ngx_http_im_write_lit(w, "\",\"alias\":\"\"}");
        return;
    }

    alias = (ngx_http_im_group_alias_t *) sn;

    ngx_http_im_write_lit(w, "\",\"alias\":\"");
    ngx_http_im_write_raw(w, &alias->text);
    ngx_http_im_write_lit(w, "\"}");
}
