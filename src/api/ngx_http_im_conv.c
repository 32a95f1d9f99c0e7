
#include "ngx_http_im_conv.h"


static ngx_int_t ngx_http_im_conv_refuse_pair_done(ngx_http_im_call_t *call);


ngx_int_t
ngx_http_im_conv_pair_check(ngx_http_im_call_t *call, ngx_str_t *from_id,
    ngx_str_t *to_id)
{
    if (!ngx_http_im_str_eq(from_id, to_id)) {
        return NGX_OK;
    }

    return ngx_http_im_error_set(call->pool, &call->error,
                                 NGX_HTTP_IM_BAD_REQUEST,
                                 "to_id must be another user than from_id");
}


ngx_int_t
ngx_http_im_conv_pair_id(ngx_pool_t *pool, ngx_str_t *a, ngx_str_t *b,
    ngx_str_t *id)
{
    id->data = ngx_pnalloc(pool, NGX_HTTP_IM_PAIR_LEN);
    if (id->data == NULL) {
        return NGX_ERROR;
    }

    id->len = NGX_HTTP_IM_PAIR_LEN;

    ngx_http_im_id_pair(a, b, id->data);

    return NGX_OK;
}


ngx_uint_t
ngx_http_im_conv_pair_users(ngx_str_t *first, ngx_str_t *second,
    ngx_str_t *users)
{
    u_char      *p;
    ngx_uint_t   swap;

    swap = (ngx_http_im_id_order(first, second) > 0);

    p = ngx_sprintf(users->data, "%V %V ", swap ? second : first,
                    swap ? first : second);

    users->len = p - users->data;

    return swap;
}


void
ngx_http_im_conv_set(ngx_http_im_call_t *call, ngx_str_t *conv_id)
{
    call->conv_id = *conv_id;
    call->pair = ngx_http_im_id_is_pair(conv_id);
}


ngx_int_t
ngx_http_im_conv_pair_set(ngx_http_im_call_t *call, ngx_str_t *a,
    ngx_str_t *b)
{
    call->pair = 1;

    return ngx_http_im_conv_pair_id(call->pool, a, b, &call->conv_id);
}


ngx_int_t
ngx_http_im_conv_check(ngx_http_im_call_t *call)
{
    call->pair = ngx_http_im_id_is_pair(&call->conv_id);

    if (ngx_http_im_id_conv_valid(&call->conv_id)) {
        return NGX_OK;
    }

    return ngx_http_im_error_set(call->pool, &call->error,
                                 NGX_HTTP_IM_BAD_REQUEST,
                                 "conv_id must be " NGX_HTTP_IM_ID_CONV_FORM);
}


ngx_int_t
ngx_http_im_conv_user_check(ngx_http_im_call_t *call, ngx_str_t *from_id)
{
    ngx_int_t  rc;

    call->from_id = *from_id;

    rc = ngx_http_im_conv_check(call);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_im_call_check_user(call, "from_id", from_id);
}


ngx_int_t
ngx_http_im_conv_other(ngx_http_im_call_t *call, ngx_str_t *head)
{
    return (head->len && head->data[0] == '3')
           ? ngx_http_im_call_restart(call, head)
           : ngx_http_im_call_store_error(call);
}


ngx_http_im_cmd_t *
ngx_http_im_conv_msg_script(ngx_http_im_call_t *call, ngx_uint_t kind,
    ngx_http_im_script_e script, const ngx_http_im_key_e *keys,
    ngx_uint_t nkeys, ngx_str_t *argv, ngx_uint_t argc)
{
    ngx_http_im_key_e  all[NGX_HTTP_IM_USER_INBOX];

    ngx_memcpy(all, keys, nkeys * sizeof(ngx_http_im_key_e));

    if (call->imported) {
        all[nkeys++] = NGX_HTTP_IM_CONV_IMPORTED;
        ngx_str_set(&argv[argc], "1");
        argc++;
    }

    return ngx_http_im_call_script(call, kind, script, &call->conv_id, all,
                                   nkeys, argv, argc);
}


ngx_http_im_cmd_t *
ngx_http_im_conv_head_fetch(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_uint_t text)
{
    ngx_str_t  argv[4];

    if (text) {
        ngx_str_set(&argv[0], "GET");

        return ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                    NGX_HTTP_IM_CONV_HEAD, conv_id, argv, 2);
    }

    ngx_str_set(&argv[0], "GETRANGE");
    ngx_str_set(&argv[2], "0");
    ngx_str_set(&argv[3], NGX_HTTP_IM_HEAD_PREFIX);

    return ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ, NGX_HTTP_IM_CONV_HEAD,
                                conv_id, argv, 4);
}


ngx_http_im_cmd_t *
ngx_http_im_conv_member_fetch(ngx_http_im_call_t *call, ngx_str_t *conv_id,
    ngx_str_t *user)
{
    ngx_str_t  argv[3];

    ngx_str_set(&argv[0], "HGET");
    argv[2] = *user;

    return ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                NGX_HTTP_IM_CONV_MEMBERS, conv_id, argv, 3);
}


ngx_int_t
ngx_http_im_conv_member_parse(ngx_http_im_call_t *call,
    ngx_http_im_head_t *head, ngx_http_im_cmd_t *member, int64_t *position)
{
    ngx_int_t               rc;
    ngx_str_t               text;
    ngx_http_im_position_t  value;

    if (member == NULL) {
        return ngx_http_im_call_store_error(call);
    }

    rc = ngx_http_im_reply_string(&member->reply, &text);

    if (rc == NGX_DECLINED) {
        return NGX_DONE;
    }

    if (rc != NGX_OK || !head->group) {
        return ngx_http_im_call_store_error(call);
    }

    if (ngx_http_im_position_parse(&value, &text) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    /* joining is not reading: the last message before it is unread, too */

    *position = value.seq - value.joined;

    return NGX_OK;
}


ngx_http_im_cmd_t *
ngx_http_im_conv_inbox_add(ngx_http_im_call_t *call, ngx_str_t *user,
    ngx_str_t *peer)
{
    u_char     entry[NGX_HTTP_IM_PAIR_LEN + 1 + NGX_HTTP_IM_ID_MAX];
    ngx_str_t  argv[5];

    ngx_str_set(&argv[0], "ZADD");
    ngx_str_set(&argv[2], "GT");
    argv[3] = call->made_time;
    argv[4].data = entry;
    argv[4].len = ngx_snprintf(entry, sizeof(entry), "%V %V", &call->conv_id,
                               peer)
                  - entry;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im conv inbox add user:\"%V\" peer:\"%V\" job:%p",
                   user, peer, call->job);

    return ngx_http_im_call_cmd(call, NGX_HTTP_IM_UPSERT,
                                NGX_HTTP_IM_USER_INBOX, user, argv, 5);
}


ngx_int_t
ngx_http_im_conv_refuse_pair(ngx_http_im_call_t *call)
{
    call->state = ngx_http_im_conv_head_fetch(call, &call->conv_id, 0);
    call->next = ngx_http_im_conv_refuse_pair_done;
    call->group = 1;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im conv is a 1:1 conv:\"%V\" job:%p",
                   &call->conv_id, call->job);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_conv_refuse_pair_done(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_http_im_cmd_t   *cmd;
    ngx_http_im_head_t   head;

    cmd = call->state;

    rc = ngx_http_im_conv_head_parse(call, &cmd->reply, &head);

    if (rc == NGX_DONE) {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_NOT_FOUND);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (head.group) {
        (void) ngx_http_im_reply_string(&cmd->reply, &text);
        return ngx_http_im_call_restart(call, &text);
    }

    if (call->from_id.len
        && ngx_http_im_conv_user_index(&head, &call->from_id) == NGX_DECLINED)
    {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_MEMBER);
    }

    return ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_GROUP);
}
