
#include "ngx_http_im_import_check.h"
#include "ngx_http_im_conv.h"


/* ms; all times have 13 digits */
#define NGX_HTTP_IM_IMPORT_TIME_MIN   1000000000000
#define NGX_HTTP_IM_IMPORT_TIME_MAX   9999999999999


static ngx_int_t ngx_http_im_import_users_check(ngx_http_im_call_t *call,
    ngx_http_im_import_args_t *args);
static ngx_int_t ngx_http_im_import_owner_check(ngx_http_im_call_t *call,
    ngx_http_im_import_args_t *args);
static ngx_int_t ngx_http_im_import_rows_check(ngx_http_im_call_t *call,
    ngx_http_im_import_args_t *args);


static const ngx_http_im_field_t  ngx_http_im_import_row_fields[] = {

    { ngx_string("msg_id"), NGX_HTTP_IM_FIELD_NAME, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_import_row_t, msg_id), 1, NGX_HTTP_IM_MSG_ID_MAX,
      NULL, 0 },

    { ngx_string("msg_type"), NGX_HTTP_IM_FIELD_INT,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_import_row_t, msg_type), 0, 4, NULL, 0 },

    { ngx_string("msg"), NGX_HTTP_IM_FIELD_TEXT, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_import_row_t, msg), 0, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_import_row_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("from_time"), NGX_HTTP_IM_FIELD_INT,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_import_row_t, from_time),
      NGX_HTTP_IM_IMPORT_TIME_MIN, NGX_HTTP_IM_IMPORT_TIME_MAX, NULL, 0 },

    ngx_http_im_field_end
};


const ngx_http_im_field_t  ngx_http_im_import_fields[] = {

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_CONV_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_import_args_t, conv_id), 0, 0, NULL, 0 },

    { ngx_string("conv_type"), NGX_HTTP_IM_FIELD_INT,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_import_args_t, conv_type), 0, 1, NULL, 0 },

    { ngx_string("conv_users"), NGX_HTTP_IM_FIELD_IDS,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_import_args_t, conv_users), 1,
      NGX_HTTP_IM_NO_LIMIT, NULL, 0 },

    { ngx_string("owner_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_EMPTY,
      offsetof(ngx_http_im_import_args_t, owner_id), 0, 0, NULL, 0 },

    { ngx_string("name"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_import_args_t, name), 0, 128, NULL, 0 },

    { ngx_string("img"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_import_args_t, img), 0, 4096, NULL, 0 },

    { ngx_string("description"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_import_args_t, description), 0, 8192, NULL, 0 },

    { ngx_string("created"), NGX_HTTP_IM_FIELD_TIME, 0,
      offsetof(ngx_http_im_import_args_t, created),
      NGX_HTTP_IM_IMPORT_TIME_MIN, NGX_HTTP_IM_IMPORT_TIME_MAX, NULL, 0 },

    { ngx_string("unread"), NGX_HTTP_IM_FIELD_BOOL, 0,
      offsetof(ngx_http_im_import_args_t, unread), 0, 0, NULL, 0 },

    { ngx_string("messages"), NGX_HTTP_IM_FIELD_OBJECTS,
      NGX_HTTP_IM_FIELD_REQUIRED|NGX_HTTP_IM_FIELD_SPLIT,
      offsetof(ngx_http_im_import_args_t, messages), 0,
      NGX_HTTP_IM_IMPORT_MAX, ngx_http_im_import_row_fields,
      sizeof(ngx_http_im_import_row_t) },

    ngx_http_im_field_end
};


ngx_int_t
ngx_http_im_import_check(ngx_http_im_call_t *call)
{
    ngx_int_t                   rc;
    ngx_http_im_import_args_t  *args;

    args = call->args;
    call->conv_id = args->conv_id;
    call->pair = (args->conv_type == 0);

    /* "list" is the path of a call */

    if (args->conv_id.len == 4
        && ngx_memcmp(args->conv_id.data, "list", 4) == 0)
    {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "conv_id must not be the word list");
    }

    rc = ngx_http_im_import_users_check(call, args);

    if (rc == NGX_OK) {
        rc = ngx_http_im_import_rows_check(call, args);
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im import check conv:\"%V\" users:%ui messages:%ui rc:%i "
                   "job:%p", &call->conv_id, args->conv_users.nelts,
                   args->messages.nelts, rc, call->job);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!call->trusted) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_FORBIDDEN,
                                     "only trusted callers may import");
    }

    return (args->conv_users.nelts > call->options->group_max_members
            && !call->pair)
           ? ngx_http_im_call_error(call, NGX_HTTP_IM_GROUP_FULL) : NGX_OK;
}


static ngx_int_t
ngx_http_im_import_users_check(ngx_http_im_call_t *call,
    ngx_http_im_import_args_t *args)
{
    ngx_str_t  *users;

    if (args->conv_type == 1) {
        return ngx_http_im_import_owner_check(call, args);
    }

    if (args->conv_users.nelts != 2) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "conv_users must have two different "
                                     "users where conv_type is 0");
    }

    users = args->conv_users.elts;
    call->name_id = args->conv_id;

    return ngx_http_im_conv_pair_set(call, &users[0], &users[1]);
}


static ngx_int_t
ngx_http_im_import_owner_check(ngx_http_im_call_t *call,
    ngx_http_im_import_args_t *args)
{
    ngx_str_t   *users;
    ngx_uint_t   i;

    users = args->conv_users.elts;

    if (args->owner_id.len == 0) {
        args->owner_id = users[0];
        return NGX_OK;
    }

    for (i = 0; i < args->conv_users.nelts; i++) {
        if (ngx_http_im_str_eq(&users[i], &args->owner_id)) {
            return NGX_OK;
        }
    }

    /* of too many ids not all are kept, and the call is refused */

    if (args->conv_users.nelts > call->options->group_max_members) {
        return NGX_OK;
    }

    return ngx_http_im_error_set(call->pool, &call->error,
                                 NGX_HTTP_IM_BAD_REQUEST,
                                 "owner_id must be one of conv_users");
}


static ngx_int_t
ngx_http_im_import_rows_check(ngx_http_im_call_t *call,
    ngx_http_im_import_args_t *args)
{
    ngx_uint_t                 i;
    ngx_http_im_import_row_t  *row;

    row = args->messages.elts;

    for (i = 0; i < args->messages.nelts; i++) {

        if (i && row[i].from_time < row[i - 1].from_time) {
            return ngx_http_im_error_set(call->pool, &call->error,
                                         NGX_HTTP_IM_BAD_REQUEST,
                                         "messages[%ui]: from_time must not "
                                         "be before that of the message "
                                         "before it", i);
        }

        if (row[i].msg.len > call->options->max_message_size) {
            return ngx_http_im_error_set(call->pool, &call->error,
                                         NGX_HTTP_IM_MSG_TOO_LONG,
                                         "messages[%ui]: msg must be at most "
                                         "%uz bytes long", i,
                                         call->options->max_message_size);
        }

        if (ngx_http_im_msg_id_escape(call->pool, &row[i].msg_id) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
