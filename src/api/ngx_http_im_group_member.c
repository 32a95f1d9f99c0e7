
#include "ngx_http_im_api.h"


typedef struct {
    ngx_str_t             owner_id;
    ngx_http_im_text_t    name;
    ngx_array_t           member;     /* of ngx_str_t */
    ngx_http_im_text_t    img;
    ngx_http_im_text_t    description;
    ngx_str_t             conv_id;
} ngx_http_im_create_args_t;

typedef struct {
    ngx_str_t             conv_id;
    ngx_array_t           member;     /* of ngx_str_t */
} ngx_http_im_add_args_t;

typedef struct {
    ngx_str_t            *ids;        /* the owner first */
    ngx_uint_t            n;
    ngx_http_im_cmd_t    *cmd;
} ngx_http_im_group_t;

typedef struct {
    ngx_http_im_cmd_t        *users;
    ngx_http_im_cmd_t        *viewer;
    ngx_http_im_profile_t   **profile;
    ngx_uint_t                n;
    ngx_http_im_profiles_t    profiles;
} ngx_http_im_members_t;


static ngx_int_t ngx_http_im_group_create_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_free(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_refer(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_make(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_done(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_add_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_add(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_add_refer(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_settled(ngx_http_im_call_t *call);
static void ngx_http_im_group_refer(ngx_http_im_call_t *call,
    ngx_http_im_group_t *group);
static ngx_int_t ngx_http_im_group_is_pair(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_is_pair_done(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_users(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_list_answer(ngx_http_im_call_t *call);


/* a group may be larger than any list of members is long */
#define NGX_HTTP_IM_MEMBERS_MAX   65536


static const ngx_http_im_field_t  ngx_http_im_group_create_fields[] = {

    { ngx_string("owner_id"), NGX_HTTP_IM_FIELD_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_create_args_t, owner_id), 0, 0, NULL, 0 },

    { ngx_string("name"), NGX_HTTP_IM_FIELD_TEXT, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_create_args_t, name), 1, 128, NULL, 0 },

    { ngx_string("member"), NGX_HTTP_IM_FIELD_IDS, 0,
      offsetof(ngx_http_im_create_args_t, member), 0, NGX_HTTP_IM_MEMBERS_MAX,
      NULL, 0 },

    { ngx_string("img"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_create_args_t, img), 0, 4096, NULL, 0 },

    { ngx_string("description"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_create_args_t, description), 0, 8192, NULL, 0 },

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_ID, NGX_HTTP_IM_FIELD_EMPTY,
      offsetof(ngx_http_im_create_args_t, conv_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


static const ngx_http_im_field_t  ngx_http_im_group_add_fields[] = {

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_ID, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_add_args_t, conv_id), 0, 0, NULL, 0 },

    { ngx_string("member"), NGX_HTTP_IM_FIELD_IDS, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_add_args_t, member), 0, NGX_HTTP_IM_MEMBERS_MAX,
      NULL, 0 },

    ngx_http_im_field_end
};


static const ngx_http_im_field_t  ngx_http_im_group_list_fields[] = {
    ngx_http_im_field_end
};


/*
 * EXISTS head, if the caller chose the id; SADD groups of each member; script
 * group_create -> "ok" or the code of a refusal.
 *
 * The references come first: they show nothing until the group is there, and
 * then it is in every list at once.
 */

const ngx_http_im_op_t  ngx_http_im_op_group_create = {
    ngx_string("group_create"),
    ngx_http_im_group_create_fields,
    sizeof(ngx_http_im_create_args_t),
    1,
    ngx_http_im_group_create_check,
    ngx_http_im_group_create
};


/*
 * script group_add -> "ok" or the code of a refusal; SADD groups of each.
 * Calling again repairs what was left half done.
 */

const ngx_http_im_op_t  ngx_http_im_op_group_add = {
    ngx_string("group_add"),
    ngx_http_im_group_add_fields,
    sizeof(ngx_http_im_add_args_t),
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
ngx_http_im_group_create_check(ngx_http_im_call_t *call)
{
    ngx_str_t                  *id;
    ngx_uint_t                  i;
    ngx_http_im_group_t        *group;
    ngx_http_im_create_args_t  *args;

    args = call->args;
    call->from_id = args->owner_id;
    call->conv_id = args->conv_id;

    if (ngx_http_im_id_is_pair(&args->conv_id)
        || (args->conv_id.len == 4
            && ngx_memcmp(args->conv_id.data, "list", 4) == 0))
    {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "conv_id must be neither the word list nor "
                                     "24 lower-case hex digits");
    }

    if (ngx_http_im_call_check_user(call, "owner_id", &args->owner_id)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    group = ngx_pcalloc(call->pool, sizeof(ngx_http_im_group_t));
    if (group == NULL) {
        return NGX_ERROR;
    }

    group->ids = ngx_palloc(call->pool, (args->member.nelts + 1)
                                        * sizeof(ngx_str_t));
    if (group->ids == NULL) {
        return NGX_ERROR;
    }

    group->ids[group->n++] = args->owner_id;

    id = args->member.elts;

    for (i = 0; i < args->member.nelts; i++) {
        if (!ngx_http_im_str_eq(&id[i], &args->owner_id)) {
            group->ids[group->n++] = id[i];
        }
    }

    if (group->n > call->options->group_max_members) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_GROUP_FULL);
    }

    call->state = group;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_group_create(ngx_http_im_call_t *call)
{
    u_char               *p;
    ngx_str_t             argv[2];
    ngx_http_im_group_t  *group;

    group = call->state;

    if (call->conv_id.len) {
        ngx_str_set(&argv[0], "EXISTS");

        group->cmd = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_CONV_HEAD,
                                          &call->conv_id, argv, 2);

        call->next = ngx_http_im_group_create_free;

        return NGX_AGAIN;
    }

    /* "g" and 24 hex digits: not the form of a 1:1 conversation's id */

    p = ngx_pnalloc(call->pool, 1 + 2 * NGX_HTTP_IM_RAND_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p[0] = 'g';
    ngx_http_im_id_random(call->random, p + 1);
    ngx_http_im_id_random(call->random, p + 1 + NGX_HTTP_IM_RAND_LEN);

    call->conv_id.data = p;
    call->conv_id.len = NGX_HTTP_IM_GROUP_ID_LEN;

    return ngx_http_im_group_create_refer(call);
}


static ngx_int_t
ngx_http_im_group_create_free(ngx_http_im_call_t *call)
{
    int64_t               n;
    ngx_http_im_group_t  *group;

    group = call->state;

    if (ngx_http_im_reply_int(&group->cmd->reply, &n) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (n) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_EXISTS);
    }

    return ngx_http_im_group_create_refer(call);
}


static ngx_int_t
ngx_http_im_group_create_refer(ngx_http_im_call_t *call)
{
    ngx_http_im_group_refer(call, call->state);

    call->next = ngx_http_im_group_create_make;

    return NGX_AGAIN;
}


/* the group is in the lists of all these */

static void
ngx_http_im_group_refer(ngx_http_im_call_t *call, ngx_http_im_group_t *group)
{
    ngx_str_t   argv[3];
    ngx_uint_t  i;

    ngx_str_set(&argv[0], "SADD");
    argv[2] = call->conv_id;

    for (i = 0; i < group->n; i++) {
        (void) ngx_http_im_call_cmd(call, NGX_HTTP_IM_UPSERT,
                                    NGX_HTTP_IM_USER_GROUPS, &group->ids[i],
                                    argv, 3);
    }

    group->cmd = call->pipeline->first;
}


static ngx_int_t
ngx_http_im_group_create_make(ngx_http_im_call_t *call)
{
    u_char                     *p;
    size_t                      len;
    ngx_str_t                  *argv;
    ngx_uint_t                  i;
    ngx_http_im_group_t        *group;
    ngx_http_im_create_args_t  *args;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_IDEMPOTENCY,
        NGX_HTTP_IM_CONV_MEMBERS,
        NGX_HTTP_IM_CONV_SETTINGS
    };

    args = call->args;
    group = call->state;

    if (ngx_http_im_call_integers(call, group->cmd) != NGX_OK) {
        return NGX_DECLINED;
    }

    argv = ngx_palloc(call->pool, (3 + group->n) * sizeof(ngx_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = args->owner_id;

    /* members as an answer shows them */

    for (len = 0, i = 0; i < group->n; i++) {
        len += group->ids[i].len + 3;
    }

    p = ngx_pnalloc(call->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    argv[1].data = p;
    argv[1].len = len - 1;

    for (i = 0; i < group->n; i++) {
        p = ngx_sprintf(p, "\"%V\"", &group->ids[i]);

        if (i < group->n - 1) {
            *p++ = ',';
        }

        argv[3 + i] = group->ids[i];
    }

    len = sizeof("\"name\":\"\",\"img\":\"\",\"description\":\"\"") - 1
          + args->name.escaped.len + args->img.escaped.len
          + args->description.escaped.len;

    argv[2].data = ngx_pnalloc(call->pool, len);
    if (argv[2].data == NULL) {
        return NGX_ERROR;
    }

    argv[2].len = ngx_sprintf(argv[2].data, "\"name\":\"%V\",\"img\":\"%V\","
                                            "\"description\":\"%V\"",
                              &args->name.escaped, &args->img.escaped,
                              &args->description.escaped)
                  - argv[2].data;

    group->cmd = ngx_http_im_call_script(call, NGX_HTTP_IM_WRITE,
                                         NGX_HTTP_IM_SCRIPT_GROUP_CREATE,
                                         &call->conv_id, keys, 5,
                                         argv, 3 + group->n);

    call->next = ngx_http_im_group_create_done;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_create_done(ngx_http_im_call_t *call)
{
    ngx_int_t             rc;
    ngx_str_t             result;
    ngx_http_im_group_t  *group;

    group = call->state;

    rc = ngx_http_im_call_result(call, group->cmd, &result);
    if (rc != NGX_OK) {
        return rc;
    }

    call->made_conv = call->conv_id;

    if (call->options->reply_full) {
        ngx_http_im_write_lit(&call->writer, "{\"conv_id\":\"");
        ngx_http_im_write_raw(&call->writer, &call->conv_id);
        ngx_http_im_write_lit(&call->writer, "\"}");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_group_add_check(ngx_http_im_call_t *call)
{
    ngx_http_im_group_t     *group;
    ngx_http_im_add_args_t  *args;

    args = call->args;
    call->from_id = call->user;
    call->conv_id = args->conv_id;

    group = ngx_pcalloc(call->pool, sizeof(ngx_http_im_group_t));
    if (group == NULL) {
        return NGX_ERROR;
    }

    group->ids = args->member.elts;
    group->n = args->member.nelts;

    call->state = group;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_group_add(ngx_http_im_call_t *call)
{
    u_char                limit[NGX_INT_T_LEN];
    ngx_str_t            *argv;
    ngx_http_im_group_t  *group;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_MEMBERS,
        NGX_HTTP_IM_CONV_SETTINGS
    };

    group = call->state;

    if (ngx_http_im_id_is_pair(&call->conv_id)) {
        return ngx_http_im_group_is_pair(call);
    }

    argv = ngx_palloc(call->pool, (2 + group->n) * sizeof(ngx_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = call->user;
    argv[1].data = limit;
    argv[1].len = ngx_sprintf(limit, "%ui", call->options->group_max_members)
                  - limit;

    ngx_memcpy(&argv[2], group->ids, group->n * sizeof(ngx_str_t));

    group->cmd = ngx_http_im_call_script(call, NGX_HTTP_IM_UPSERT,
                                         NGX_HTTP_IM_SCRIPT_GROUP_ADD,
                                         &call->conv_id, keys, 3,
                                         argv, 2 + group->n);

    call->next = ngx_http_im_group_add_refer;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_add_refer(ngx_http_im_call_t *call)
{
    ngx_int_t             rc;
    ngx_str_t             result;
    ngx_http_im_group_t  *group;

    group = call->state;

    rc = ngx_http_im_call_result(call, group->cmd, &result);

    if (rc != NGX_OK || group->n == 0) {
        return rc;
    }

    ngx_http_im_group_refer(call, group);

    call->next = ngx_http_im_group_settled;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_settled(ngx_http_im_call_t *call)
{
    ngx_http_im_group_t  *group;

    group = call->state;

    return ngx_http_im_call_integers(call, group->cmd);
}


/* a 1:1 conversation is no group, if it is there at all */

static ngx_int_t
ngx_http_im_group_is_pair(ngx_http_im_call_t *call)
{
    ngx_str_t  argv[4];

    ngx_str_set(&argv[0], "GETRANGE");
    ngx_str_set(&argv[2], "0");
    ngx_str_set(&argv[3], NGX_HTTP_IM_HEAD_PREFIX);

    call->state = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                       NGX_HTTP_IM_CONV_HEAD, &call->conv_id,
                                       argv, 4);

    call->next = ngx_http_im_group_is_pair_done;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_is_pair_done(ngx_http_im_call_t *call)
{
    ngx_str_t            text;
    ngx_http_im_cmd_t   *cmd;
    ngx_http_im_head_t   head;

    cmd = call->state;

    if (ngx_http_im_reply_string(&cmd->reply, &text) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (text.len == 0) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_NOT_FOUND);
    }

    if (ngx_http_im_head_parse(&head, &text) != NGX_OK || head.group) {
        return ngx_http_im_call_store_error(call);
    }

    if (call->user.len
        && !ngx_http_im_str_eq(&head.users[0], &call->user)
        && !ngx_http_im_str_eq(&head.users[1], &call->user))
    {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_MEMBER);
    }

    return ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_GROUP);
}


static ngx_int_t
ngx_http_im_group_list_check(ngx_http_im_call_t *call)
{
    call->from_id = call->user;

    return ngx_http_im_call_check_conv(call);
}


static ngx_int_t
ngx_http_im_group_list(ngx_http_im_call_t *call)
{
    ngx_str_t               argv[3];
    ngx_http_im_members_t  *members;

    if (ngx_http_im_id_is_pair(&call->conv_id)) {
        return ngx_http_im_group_is_pair(call);
    }

    members = ngx_pcalloc(call->pool, sizeof(ngx_http_im_members_t));
    if (members == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_profiles_init(&members->profiles);

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
    int64_t                  n;
    ngx_str_t                users, id;
    ngx_int_t                rc;
    ngx_http_im_members_t   *members;
    ngx_http_im_profile_t  **profile;

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

    /* an id, its quotes and a comma, but for the last, are four bytes */

    members->profile = ngx_palloc(call->pool,
                                  (users.len / 4 + 1) * sizeof(void *));
    if (members->profile == NULL) {
        return NGX_ERROR;
    }

    while ((rc = ngx_http_im_users_next(&users, &id)) == NGX_OK) {

        profile = &members->profile[members->n++];
        *profile = ngx_http_im_profile_add(call, &members->profiles, &id);

        if (*profile == NULL) {
            return NGX_ERROR;
        }
    }

    if (rc == NGX_ERROR) {
        return ngx_http_im_call_store_error(call);
    }

    if (ngx_http_im_profiles_fetch(call, &members->profiles) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_im_call_idle(call)) {
        return ngx_http_im_group_list_answer(call);
    }

    call->next = ngx_http_im_group_list_answer;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_list_answer(ngx_http_im_call_t *call)
{
    size_t                   size;
    ngx_uint_t               i;
    ngx_http_im_writer_t    *w;
    ngx_http_im_members_t   *members;
    ngx_http_im_profile_t  **profile;

    members = call->state;
    profile = members->profile;
    w = &call->writer;

    for (size = 2, i = 0; i < members->n; i++) {

        if (ngx_http_im_profile_parse(call, profile[i]) != NGX_OK) {
            return ngx_http_im_call_store_error(call);
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
