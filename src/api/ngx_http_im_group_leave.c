
#include "ngx_http_im_group.h"
#include "ngx_http_im_conv.h"


typedef struct {
    ngx_str_t                from_id;
} ngx_http_im_group_leave_args_t;

typedef struct {
    ngx_http_im_cmd_t       *script;
    ngx_http_im_places_t     places;
} ngx_http_im_group_leave_t;


static ngx_int_t ngx_http_im_group_leave_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_leave(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_leave_script(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_group_leave_places(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_group_leave_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_group_leave_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * ZSCORE of the user's place; script group_leave -> "ok" or the code of a
 * refusal; script unjoin, see ngx_http_im_group.h.
 */

const ngx_http_im_op_t  ngx_http_im_op_group_leave = {
    ngx_string("group_leave"),
    ngx_http_im_group_leave_fields,
    sizeof(ngx_http_im_group_leave_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_group_leave_check,
    ngx_http_im_group_leave
};


static ngx_int_t
ngx_http_im_group_leave_check(ngx_http_im_call_t *call)
{
    ngx_http_im_group_leave_args_t  *args;

    args = call->args;

    return ngx_http_im_conv_user_check(call, &args->from_id);
}


static ngx_int_t
ngx_http_im_group_leave(ngx_http_im_call_t *call)
{
    ngx_http_im_group_leave_t       *leave;
    ngx_http_im_group_leave_args_t  *args;

    if (call->pair) {
        return ngx_http_im_conv_refuse_pair(call);
    }

    args = call->args;

    leave = ngx_pcalloc(call->pool, sizeof(ngx_http_im_group_leave_t));
    if (leave == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_places_find(call, &leave->places, &args->from_id, 1);

    call->state = leave;
    call->next = ngx_http_im_group_leave_script;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_leave_script(ngx_http_im_call_t *call)
{
    ngx_int_t                        rc;
    ngx_http_im_group_leave_t       *leave;
    ngx_http_im_group_leave_args_t  *args;

    args = call->args;
    leave = call->state;

    rc = ngx_http_im_places_found(call, &leave->places);
    if (rc != NGX_OK) {
        return rc;
    }

    /* done twice, the second time is refused: the user is no member */

    leave->script = ngx_http_im_group_script(call, NGX_HTTP_IM_WRITE,
                                             NGX_HTTP_IM_SCRIPT_GROUP_LEAVE,
                                             &args->from_id, 1);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im group leave conv:\"%V\" user:\"%V\" job:%p",
                   &call->conv_id, &args->from_id, call->job);

    call->next = ngx_http_im_group_leave_places;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_group_leave_places(ngx_http_im_call_t *call)
{
    ngx_int_t                   rc;
    ngx_str_t                   result;
    ngx_http_im_group_leave_t  *leave;

    leave = call->state;

    rc = ngx_http_im_group_result(call, leave->script, &result);

    return (rc == NGX_OK)
           ? ngx_http_im_places_leave(call, &leave->places, (u_char *) "1")
           : rc;
}
