
#include "ngx_http_im_group.h"
#include "ngx_http_im_conv.h"


typedef struct {
    ngx_str_t                 conv_id;
    ngx_array_t               member;     /* of ngx_str_t */
} ngx_http_im_group_add_args_t;

typedef struct {
    ngx_http_im_cmd_t        *script;
    u_char                   *added;      /* '1' for each who is no member */
    ngx_str_t                *ids;        /* these */
    ngx_uint_t                n;
    ngx_http_im_places_t      places;
} ngx_http_im_group_add_t;


static ngx_int_t ngx_http_im_group_add_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_add(ngx_http_im_call_t *call);
static void ngx_http_im_group_add_script(ngx_http_im_call_t *call,
    ngx_uint_t judge);
static ngx_int_t ngx_http_im_group_add_judged(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_add_places(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_add_new(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_add_done(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_add_fields[] = {

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_CONV_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_add_args_t, conv_id), 0, 0, NULL, 0 },

    { ngx_string("member"), NGX_HTTP_IM_FIELD_IDS, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_add_args_t, member), 0,
      NGX_HTTP_IM_NO_LIMIT, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * script group_add, to judge only -> "ok " and who is new, or the code of a
 * refusal, and script join of each, see ngx_http_im_group.h; script group_add
 * of those who are new -> "ok" or a code.
 */

const ngx_http_im_op_t  ngx_http_im_op_group_add = {
    ngx_string("group_add"),
    ngx_http_im_group_add_fields,
    sizeof(ngx_http_im_group_add_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_group_add_check,
    ngx_http_im_group_add
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

    call->group = 1;
    call->state = add;

    /* more than the group may have are refused, whoever they are */

    if (member->nelts <= call->options->group_max_members) {
        add->ids = member->elts;
        add->n = member->nelts;
    }

    ngx_http_im_group_add_script(call, 1);
    ngx_http_im_places_take(call, &add->places, add->ids, add->n);

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
    ngx_http_im_group_add_t       *add;
    ngx_http_im_group_add_args_t  *args;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_MEMBERS,
        NGX_HTTP_IM_CONV_SETTINGS
    };

    add = call->state;
    args = call->args;

    argv = ngx_palloc(call->pool, (5 + add->n) * sizeof(ngx_str_t));
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
    argv[4].len = ngx_sprintf(count, "%ui", judge ? args->member.nelts
                                                  : add->n)
                  - count;

    if (add->n) {
        ngx_memcpy(&argv[5], add->ids, add->n * sizeof(ngx_str_t));
    }

    add->script = ngx_http_im_call_script(call, judge ? NGX_HTTP_IM_READ
                                                      : NGX_HTTP_IM_UPSERT,
                                          NGX_HTTP_IM_SCRIPT_GROUP_ADD,
                                          &call->conv_id, keys, 3,
                                          argv, 5 + add->n);
}


static ngx_int_t
ngx_http_im_group_add_judged(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_str_t                 result;
    ngx_http_im_group_add_t  *add;

    add = call->state;

    rc = ngx_http_im_call_result(call, add->script, &result);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group add judged rc:%i ids:%ui job:%p",
                   rc, add->n, call->job);

    if (rc == NGX_DECLINED) {
        return ngx_http_im_places_refuse(call, &add->places, call->error.id);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (result.len != sizeof("ok ") - 1 + add->n) {
        return ngx_http_im_call_store_error(call);
    }

    add->added = result.data + sizeof("ok ") - 1;

    return ngx_http_im_group_add_places(call);
}


static ngx_int_t
ngx_http_im_group_add_places(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_http_im_group_add_t  *add;

    add = call->state;

    rc = ngx_http_im_places_check(call, &add->places);

    if (rc == NGX_DONE) {
        return ngx_http_im_places_refuse(call, &add->places,
                                         NGX_HTTP_IM_TOO_MANY_GROUPS);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_places_renew(call, &add->places, add->added)
        == NGX_AGAIN)
    {
        call->next = ngx_http_im_group_add_places;
        return NGX_AGAIN;
    }

    return ngx_http_im_group_add_new(call);
}


/* only they have places of this call: who left meanwhile is not added again */

static ngx_int_t
ngx_http_im_group_add_new(ngx_http_im_call_t *call)
{
    ngx_str_t                *ids;
    ngx_uint_t                i, n;
    ngx_http_im_group_add_t  *add;

    add = call->state;

    ids = ngx_palloc(call->pool, (add->n + 1) * sizeof(ngx_str_t));
    if (ids == NULL) {
        return NGX_ERROR;
    }

    for (n = 0, i = 0; i < add->n; i++) {
        if (add->added[i] == '1') {
            ids[n++] = add->ids[i];
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group add new:%ui of %ui job:%p", n, add->n, call->job);

    if (n == 0) {
        return NGX_OK;
    }

    add->ids = ids;
    add->n = n;

    ngx_http_im_group_add_script(call, 0);

    call->next = ngx_http_im_group_add_done;

    return NGX_AGAIN;
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

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group add done rc:%i ids:%ui job:%p",
                   rc, add->n, call->job);

    return (rc == NGX_DECLINED)
           ? ngx_http_im_places_refuse(call, &add->places, call->error.id)
           : rc;
}
