
#include "ngx_http_im_api.h"


typedef struct {
    ngx_str_t             conv_id;
    ngx_str_t             to_id;
    ngx_str_t             from_id;
    ngx_http_im_text_t    msg;
    int64_t               msg_type;
    ngx_str_t             client_msg_id;
} ngx_http_im_send_args_t;

typedef struct {
    ngx_http_im_cmd_t    *script;
    ngx_http_im_cmd_t    *inbox;
    ngx_msec_t            asked;      /* for the inboxes to be written */
} ngx_http_im_send_t;


static ngx_int_t ngx_http_im_send_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_send_check_to(ngx_http_im_call_t *call,
    ngx_http_im_send_args_t *args);
static ngx_int_t ngx_http_im_send(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_send_stored(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_send_listed(ngx_http_im_call_t *call);
static void ngx_http_im_send_inbox(ngx_http_im_call_t *call, ngx_str_t *user,
    ngx_str_t *peer);
static void ngx_http_im_send_answer(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_send_fields[] = {

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_ID, NGX_HTTP_IM_FIELD_EMPTY,
      offsetof(ngx_http_im_send_args_t, conv_id), 0, 0, NULL, 0 },

    { ngx_string("msg"), NGX_HTTP_IM_FIELD_TEXT, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_send_args_t, msg), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("msg_type"), NGX_HTTP_IM_FIELD_INT,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_send_args_t, msg_type), 0, 4, NULL, 0 },

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_ID, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_send_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("to_id"), NGX_HTTP_IM_FIELD_ID,
      NGX_HTTP_IM_FIELD_EMPTY|NGX_HTTP_IM_FIELD_LATER,
      offsetof(ngx_http_im_send_args_t, to_id), 0, 0, NULL, 0 },

    { ngx_string("client_msg_id"), NGX_HTTP_IM_FIELD_NAME, 0,
      offsetof(ngx_http_im_send_args_t, client_msg_id), 1, 64, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * script send -> "msg_id time", for a 1:1 named by its id followed by " "
 * and the other user, or the code of a refusal; then for a 1:1 ZADD GT inbox
 * of both -> how many are new, unless it is known that they have it.  A retry
 * with the same client_msg_id does both again, and so repairs what was left
 * half done.
 */

const ngx_http_im_op_t  ngx_http_im_op_send = {
    ngx_string("send"),
    ngx_http_im_send_fields,
    sizeof(ngx_http_im_send_args_t),
    1,
    ngx_http_im_send_check,
    ngx_http_im_send
};


static ngx_int_t
ngx_http_im_send_check(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_http_im_send_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;
    call->conv_id = args->conv_id;

    if (args->conv_id.len == 0 && args->to_id.len == 0) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "conv_id or to_id is missing");
    }

    if (args->conv_id.len && !ngx_http_im_id_is_pair(&args->conv_id)) {
        /* a group: to_id is ignored */
        ngx_str_null(&args->to_id);
    }

    if (args->to_id.len) {
        rc = ngx_http_im_send_check_to(call, args);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (args->msg.len > call->options->max_message_size) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_MSG_TOO_LONG,
                                     "msg must be at most %uz bytes long",
                                     call->options->max_message_size);
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_send_check_to(ngx_http_im_call_t *call,
    ngx_http_im_send_args_t *args)
{
    u_char  *id;

    if (!ngx_http_im_id_valid(&args->to_id)) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "to_id must be 1 to 64 bytes of "
                                     "A-Z a-z 0-9 _ - . : @");
    }

    if (ngx_http_im_str_eq(&args->from_id, &args->to_id)) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "to_id must be another user than from_id");
    }

    id = ngx_pnalloc(call->pool, NGX_HTTP_IM_PAIR_LEN);
    if (id == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_id_pair(&args->from_id, &args->to_id, id);

    if (args->conv_id.len
        && ngx_memcmp(args->conv_id.data, id, NGX_HTTP_IM_PAIR_LEN) != 0)
    {
        return ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_MISMATCH);
    }

    call->conv_id.data = id;
    call->conv_id.len = NGX_HTTP_IM_PAIR_LEN;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_send(ngx_http_im_call_t *call)
{
    u_char                    random[NGX_HTTP_IM_RAND_LEN], type;
    u_char                    window[NGX_INT64_LEN];
    u_char                    users[2 * (NGX_HTTP_IM_ID_MAX + 1)];
    ngx_str_t                 argv[8], *first, *second;
    ngx_uint_t                kind;
    ngx_http_im_send_t       *send;
    ngx_http_im_send_args_t  *args;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_IDEMPOTENCY,
        NGX_HTTP_IM_CONV_MEMBERS
    };

    args = call->args;

    send = ngx_pcalloc(call->pool, sizeof(ngx_http_im_send_t));
    if (send == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_id_random(call->random, random);
    type = (u_char) ('0' + args->msg_type);

    argv[0] = args->from_id;
    argv[1].data = &type;
    argv[1].len = 1;
    argv[2] = args->msg.escaped;
    argv[3].data = random;
    argv[3].len = NGX_HTTP_IM_RAND_LEN;
    argv[4] = args->client_msg_id;
    argv[5].data = window;
    argv[5].len = ngx_sprintf(window, "%M", call->options->idempotency_window)
                  - window;
    argv[6].data = users;
    argv[6].len = 0;
    ngx_str_set(&argv[7], "0");

    if (args->to_id.len) {
        first = &args->from_id;
        second = &args->to_id;

        if (ngx_http_im_id_order(first, second) > 0) {
            first = &args->to_id;
            second = &args->from_id;
            ngx_str_set(&argv[7], "1");
        }

        argv[6].len = ngx_sprintf(users, "%V %V ", first, second) - users;
    }

    /* sent twice it would be there twice, were it not for client_msg_id */

    kind = args->client_msg_id.len ? NGX_HTTP_IM_UPSERT : NGX_HTTP_IM_WRITE;

    send->script = ngx_http_im_call_script(call, kind,
                               NGX_HTTP_IM_SCRIPT_SEND, &call->conv_id, keys,
                               ngx_http_im_id_is_pair(&call->conv_id) ? 3 : 4,
                               argv, 8);

    call->state = send;
    call->next = ngx_http_im_send_stored;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_send_stored(ngx_http_im_call_t *call)
{
    u_char                   *p, *last;
    int64_t                   seq;
    ngx_int_t                 rc;
    ngx_str_t                 result, peer;
    ngx_http_im_send_t       *send;
    ngx_http_im_send_args_t  *args;

    args = call->args;
    send = call->state;

    rc = ngx_http_im_call_result(call, send->script, &result);
    if (rc != NGX_OK) {
        return rc;
    }

    last = result.data + result.len;
    p = ngx_strlchr(result.data, last, ' ');

    if (p == NULL || last - p < (ssize_t) sizeof(" 1577433689000") - 1) {
        return ngx_http_im_call_store_error(call);
    }

    call->made_conv = call->conv_id;
    call->made_msg.data = result.data;
    call->made_msg.len = p - result.data;
    call->made_time.data = p + 1;
    call->made_time.len = sizeof("1577433689000") - 1;

    p = call->made_time.data + call->made_time.len;

    seq = ngx_http_im_id_msg_seq(&call->made_msg);

    if (seq == 0
        || !ngx_http_im_time_valid(&call->made_time)
        || (p < last && *p != ' '))
    {
        return ngx_http_im_call_store_error(call);
    }

    if (!ngx_http_im_id_is_pair(&call->conv_id)) {
        /* a group: its members find it by its head */
        ngx_http_im_sender_put(call, &call->conv_id, &args->from_id);
        ngx_http_im_send_answer(call);
        return NGX_OK;
    }

    peer = args->to_id;

    if (peer.len == 0) {
        peer.data = p + 1;
        peer.len = (p < last) ? last - peer.data : 0;
    }

    if (!ngx_http_im_id_valid(&peer)) {
        return ngx_http_im_call_store_error(call);
    }

    /* a conversation that begins anew is in no inbox, whatever was noted */

    call->generation = send->script->generation;

    if (seq > 1
        && ngx_http_im_inbox_is_current(call, &call->conv_id, &call->made_time))
    {
        ngx_http_im_send_answer(call);
        return NGX_OK;
    }

    ngx_http_im_send_inbox(call, &args->from_id, &peer);
    ngx_http_im_send_inbox(call, &peer, &args->from_id);

    send->inbox = call->pipeline->first;
    send->asked = ngx_current_msec;
    call->next = ngx_http_im_send_listed;

    return NGX_AGAIN;
}


static void
ngx_http_im_send_inbox(ngx_http_im_call_t *call, ngx_str_t *user,
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

    (void) ngx_http_im_call_cmd(call, NGX_HTTP_IM_UPSERT,
                                NGX_HTTP_IM_USER_INBOX, user, argv, 5);
}


static ngx_int_t
ngx_http_im_send_listed(ngx_http_im_call_t *call)
{
    ngx_http_im_send_t  *send;

    send = call->state;

    if (ngx_http_im_call_integers(call, send->inbox) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_im_inbox_put(call, &call->conv_id, &call->made_time,
                          send->asked);
    ngx_http_im_send_answer(call);

    return NGX_OK;
}


static void
ngx_http_im_send_answer(ngx_http_im_call_t *call)
{
    ngx_http_im_writer_t  *w;

    if (!call->options->reply_full) {
        return;
    }

    w = &call->writer;

    ngx_http_im_write_lit(w, "{\"conv_id\":\"");
    ngx_http_im_write_raw(w, &call->made_conv);
    ngx_http_im_write_lit(w, "\",\"msg_id\":\"");
    ngx_http_im_write_raw(w, &call->made_msg);
    ngx_http_im_write_lit(w, "\",\"msg_time\":");
    ngx_http_im_write_raw(w, &call->made_time);
    ngx_http_im_write_lit(w, ",\"seq\":");
    ngx_http_im_write_int(w, ngx_http_im_id_msg_seq(&call->made_msg));
    ngx_http_im_write_lit(w, "}");
}
