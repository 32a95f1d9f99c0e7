
#include "ngx_http_im_group.h"
#include "ngx_http_im_conv.h"


typedef struct {
    ngx_str_t                from_id;
    ngx_array_t              member;     /* of ngx_str_t */
} ngx_http_im_group_remove_args_t;

typedef struct {
    ngx_http_im_cmd_t       *script;
    ngx_http_im_places_t     places;
} ngx_http_im_group_remove_t;


static ngx_int_t ngx_http_im_group_remove_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_remove(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_remove_script(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_remove_places(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_remove_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_remove_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("member"), NGX_HTTP_IM_FIELD_IDS, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_remove_args_t, member), 0,
      NGX_HTTP_IM_NO_LIMIT, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * ZSCORE of each user's place; script group_remove -> "ok " and who was a
 * member, or the code of a refusal; script unjoin of each who has a place, see
 * ngx_http_im_group.h.
 */

const ngx_http_im_op_t  ngx_http_im_op_group_remove = {
    ngx_string("group_remove"),
    ngx_http_im_group_remove_fields,
    sizeof(ngx_http_im_group_remove_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_group_remove_check,
    ngx_http_im_group_remove
};


static ngx_int_t
ngx_http_im_group_remove_check(ngx_http_im_call_t *call)
{
    ngx_http_im_group_remove_args_t  *args;

    args = call->args;

    /* one more than that is kept of them */

    if (args->member.nelts > call->options->group_max_members) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "member must have at most %ui ids",
                                     call->options->group_max_members);
    }

    return ngx_http_im_conv_user_check(call, &args->from_id);
}


static ngx_int_t
ngx_http_im_group_remove(ngx_http_im_call_t *call)
{
    ngx_http_im_group_remove_t       *remove;
    ngx_http_im_group_remove_args_t  *args;

    if (call->pair) {
        return ngx_http_im_conv_refuse_pair(call);
    }

    args = call->args;

    remove = ngx_pcalloc(call->pool, sizeof(ngx_http_im_group_remove_t));
    if (remove == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_places_find(call, &remove->places, args->member.elts,
                            args->member.nelts);

    call->state = remove;

    return ngx_http_im_call_continue(call, ngx_http_im_group_remove_script);
}


static ngx_int_t
ngx_http_im_group_remove_script(ngx_http_im_call_t *call)
{
    u_char                            count[NGX_INT_T_LEN];
    ngx_int_t                         rc;
    ngx_str_t                        *argv;
    ngx_array_t                      *member;
    ngx_http_im_group_remove_t       *remove;
    ngx_http_im_group_remove_args_t  *args;

    args = call->args;
    member = &args->member;
    remove = call->state;

    rc = ngx_http_im_places_found(call, &remove->places);
    if (rc != NGX_OK) {
        return rc;
    }

    argv = ngx_palloc(call->pool, (2 + member->nelts) * sizeof(ngx_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = args->from_id;
    argv[1].data = count;
    argv[1].len = ngx_sprintf(count, "%ui", member->nelts) - count;

    if (member->nelts) {
        ngx_memcpy(&argv[2], member->elts, member->nelts * sizeof(ngx_str_t));
    }

    remove->script = ngx_http_im_group_script(call, NGX_HTTP_IM_UPSERT,
                                              NGX_HTTP_IM_SCRIPT_GROUP_REMOVE,
                                              argv, 2 + member->nelts);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group remove conv:\"%V\" ids:%ui job:%p",
                   &call->conv_id, member->nelts, call->job);

    call->next = ngx_http_im_group_remove_places;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_remove_places(ngx_http_im_call_t *call)
{
    ngx_int_t                    rc;
    ngx_str_t                    result;
    ngx_http_im_group_remove_t  *remove;

    remove = call->state;

    rc = ngx_http_im_group_result(call, remove->script, &result);

    if (rc == NGX_DECLINED && call->error.id == NGX_HTTP_IM_BAD_REQUEST) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "member must not have the owner of the "
                                     "group");
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (result.len != sizeof("ok ") - 1 + remove->places.n) {
        return ngx_http_im_call_store_error(call);
    }

    return ngx_http_im_places_leave(call, &remove->places,
                                    result.data + sizeof("ok ") - 1);
}
