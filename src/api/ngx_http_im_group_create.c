
#include "ngx_http_im_group.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_id.h"


typedef struct {
    ngx_str_t             owner_id;
    ngx_http_im_text_t    name;
    ngx_array_t           member;     /* of ngx_str_t */
    ngx_http_im_text_t    img;
    ngx_http_im_text_t    description;
    ngx_str_t             conv_id;
} ngx_http_im_create_args_t;

typedef struct {
    ngx_str_t             *ids;       /* the members, the owner first */
    ngx_uint_t             n;
    ngx_http_im_cmd_t     *cmd;
    ngx_http_im_places_t   places;
} ngx_http_im_create_t;


static ngx_int_t ngx_http_im_group_create_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_members(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_free(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_places(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_script(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_create_done(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_create_fields[] = {

    { ngx_string("owner_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_create_args_t, owner_id), 0, 0, NULL, 0 },

    { ngx_string("name"), NGX_HTTP_IM_FIELD_TEXT, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_create_args_t, name), 1, 128, NULL, 0 },

    { ngx_string("member"), NGX_HTTP_IM_FIELD_IDS, 0,
      offsetof(ngx_http_im_create_args_t, member), 0,
      NGX_HTTP_IM_NO_LIMIT, NULL, 0 },

    { ngx_string("img"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_create_args_t, img), 0, 4096, NULL, 0 },

    { ngx_string("description"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_create_args_t, description), 0, 8192, NULL, 0 },

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_CONV_ID,
      NGX_HTTP_IM_FIELD_EMPTY,
      offsetof(ngx_http_im_create_args_t, conv_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * EXISTS head, if the caller chose the id; script join of each member, see
 * ngx_http_im_group.h; script group_create -> "ok" or the code of a refusal.
 *
 * The places come first: they show nothing until the group is there, and then
 * it is in every list at once.
 */

const ngx_http_im_op_t  ngx_http_im_op_group_create = {
    ngx_string("group_create"),
    ngx_http_im_group_create_fields,
    sizeof(ngx_http_im_create_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_group_create_check,
    ngx_http_im_group_create
};


static ngx_int_t
ngx_http_im_group_create_check(ngx_http_im_call_t *call)
{
    ngx_int_t                   rc;
    ngx_http_im_create_args_t  *args;

    args = call->args;
    call->from_id = args->owner_id;
    ngx_http_im_conv_set(call, &args->conv_id);

    /* "list" is the path of a call */

    if (call->pair
        || (args->conv_id.len == 4
            && ngx_memcmp(args->conv_id.data, "list", 4) == 0))
    {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "conv_id must be neither the word list "
                                     "nor 24 lower-case hex digits");
    }

    rc = ngx_http_im_call_check_user(call, "owner_id", &args->owner_id);

    /* whoever may choose an id could take one that another counts on */

    if (rc == NGX_OK && args->conv_id.len && call->user.len) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_FORBIDDEN,
                                     "conv_id may only be chosen by trusted "
                                     "callers");
    }

    return (rc == NGX_OK) ? ngx_http_im_group_create_members(call) : rc;
}


static ngx_int_t
ngx_http_im_group_create_members(ngx_http_im_call_t *call)
{
    ngx_str_t                  *id;
    ngx_uint_t                  i;
    ngx_http_im_create_t       *group;
    ngx_http_im_create_args_t  *args;

    args = call->args;

    group = ngx_pcalloc(call->pool, sizeof(ngx_http_im_create_t));
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

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group create conv:\"%V\" members:%ui of %ui job:%p",
                   &call->conv_id, group->n, call->options->group_max_members,
                   call->job);

    if (group->n > call->options->group_max_members) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_GROUP_FULL);
    }

    call->state = group;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_group_create(ngx_http_im_call_t *call)
{
    u_char                *p;
    ngx_str_t              argv[2];
    ngx_http_im_create_t  *group;

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

    p = ngx_pnalloc(call->pool, 1 + NGX_HTTP_IM_UNIQUE_GROUP_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p[0] = 'g';
    ngx_http_im_unique_group(call->unique, p + 1);

    call->conv_id.data = p;
    call->conv_id.len = 1 + NGX_HTTP_IM_UNIQUE_GROUP_LEN;

    return ngx_http_im_group_create_places(call);
}


static ngx_int_t
ngx_http_im_group_create_free(ngx_http_im_call_t *call)
{
    int64_t                n;
    ngx_http_im_create_t  *group;

    group = call->state;

    if (ngx_http_im_reply_int(&group->cmd->reply, &n) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group create conv:\"%V\" exists:%L job:%p",
                   &call->conv_id, n, call->job);

    if (n) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_EXISTS);
    }

    return ngx_http_im_group_create_places(call);
}


static ngx_int_t
ngx_http_im_group_create_places(ngx_http_im_call_t *call)
{
    ngx_http_im_create_t  *group;

    group = call->state;

    ngx_http_im_places_take(call, &group->places, group->ids, group->n);

    call->next = ngx_http_im_group_create_script;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_create_script(ngx_http_im_call_t *call)
{
    u_char                      count[NGX_INT_T_LEN];
    ngx_int_t                   rc;
    ngx_str_t                  *argv;
    ngx_http_im_create_t       *group;
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

    rc = ngx_http_im_places_check(call, &group->places);

    if (rc == NGX_DONE) {
        return ngx_http_im_places_refuse(call, &group->places,
                                         NGX_HTTP_IM_TOO_MANY_GROUPS);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_places_renew(call, &group->places, NULL) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    argv = ngx_palloc(call->pool, (4 + group->n) * sizeof(ngx_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = args->owner_id;

    if (ngx_http_im_group_users_join(call->pool, group->ids, group->n,
                                     &argv[1])
        != NGX_OK
        || ngx_http_im_group_info_join(call->pool, &args->name,
                                       &args->img, &args->description,
                                       &argv[2]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    argv[3].data = count;
    argv[3].len = ngx_sprintf(count, "%ui", group->n) - count;

    ngx_memcpy(&argv[4], group->ids, group->n * sizeof(ngx_str_t));

    group->cmd = ngx_http_im_call_script(call, NGX_HTTP_IM_WRITE,
                                         NGX_HTTP_IM_SCRIPT_GROUP_CREATE,
                                         &call->conv_id, keys, 5,
                                         argv, 4 + group->n);

    call->next = ngx_http_im_group_create_done;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_create_done(ngx_http_im_call_t *call)
{
    ngx_int_t              rc;
    ngx_str_t              result;
    ngx_http_im_create_t  *group;

    group = call->state;

    rc = ngx_http_im_call_result(call, group->cmd, &result);

    if (rc == NGX_DECLINED) {
        return ngx_http_im_places_refuse(call, &group->places,
                                         call->error.id);
    }

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
