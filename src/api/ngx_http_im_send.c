
#include "ngx_http_im_send_check.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_schema.h"


typedef struct {
    ngx_http_im_cmd_t    *script;
    ngx_http_im_sent_t    sent;       /* its reply */
    ngx_http_im_cmd_t    *inbox;      /* the first of two */
    ngx_msec_t            inbox_sent;
} ngx_http_im_send_t;


static ngx_int_t ngx_http_im_send(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_send_stored(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_send_result(ngx_http_im_call_t *call,
    ngx_http_im_send_t *send);
static ngx_int_t ngx_http_im_send_inbox_done(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_send_answer(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_send_fields[] = {

    { ngx_string("conv_id"), NGX_HTTP_IM_FIELD_CONV_ID,
      NGX_HTTP_IM_FIELD_EMPTY,
      offsetof(ngx_http_im_send_args_t, conv_id), 0, 0, NULL, 0 },

    { ngx_string("msg"), NGX_HTTP_IM_FIELD_TEXT, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_send_args_t, msg), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("msg_type"), NGX_HTTP_IM_FIELD_INT,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_send_args_t, msg_type), 0, 4, NULL, 0 },

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_send_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("to_id"), NGX_HTTP_IM_FIELD_USER_ID,
      NGX_HTTP_IM_FIELD_EMPTY|NGX_HTTP_IM_FIELD_LATER,
      offsetof(ngx_http_im_send_args_t, to_id), 0, 0, NULL, 0 },

    { ngx_string("client_msg_id"), NGX_HTTP_IM_FIELD_NAME, 0,
      offsetof(ngx_http_im_send_args_t, client_msg_id), 1, 64, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * script send -> "msg_id time", for a 1:1 named by its id followed by " "
 * and the other user, for an imported one by these and " " and the id that it
 * is shown under, or the code of a refusal; then for a 1:1 ZADD GT inbox
 * of both -> how many are new, unless there is a hint that they have it.  A
 * retry with the same client_msg_id does both again, and so repairs what was
 * left half done.
 */

const ngx_http_im_op_t  ngx_http_im_op_send = {
    ngx_string("send"),
    ngx_http_im_send_fields,
    sizeof(ngx_http_im_send_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_send_check,
    ngx_http_im_send
};


static ngx_int_t
ngx_http_im_send(ngx_http_im_call_t *call)
{
    u_char                    unique[NGX_HTTP_IM_UNIQUE_MSG_LEN], type;
    u_char                    window[NGX_INT64_LEN];
    u_char                    users[NGX_HTTP_IM_PAIR_USERS_LEN];
    ngx_int_t                 rc;
    ngx_str_t                 argv[8];
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

    if (args->peer.len || call->imported) {
        rc = ngx_http_im_send_peer_check(call);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    send = ngx_pcalloc(call->pool, sizeof(ngx_http_im_send_t));
    if (send == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_unique_msg(call->unique, unique);
    type = (u_char) ('0' + args->msg_type);

    argv[0] = args->from_id;
    argv[1].data = &type;
    argv[1].len = 1;
    argv[2] = args->msg.escaped;
    argv[3].data = unique;
    argv[3].len = NGX_HTTP_IM_UNIQUE_MSG_LEN;
    argv[4] = args->client_msg_id;
    argv[5].data = window;
    argv[5].len = ngx_sprintf(window, "%M", call->options->idempotency_window)
                  - window;
    argv[6].data = users;
    argv[6].len = 0;
    ngx_str_set(&argv[7], "0");

    if (args->to_id.len
        && ngx_http_im_conv_pair_users(&args->from_id, &args->to_id, &argv[6]))
    {
        ngx_str_set(&argv[7], "1");
    }

    /*
     * A message is stored once if it is sent twice only with client_msg_id,
     * and while that is remembered
     */

    kind = (args->client_msg_id.len
            && call->options->idempotency_window
               > 2 * call->timeout)
           ? NGX_HTTP_IM_UPSERT : NGX_HTTP_IM_WRITE;

    send->script = ngx_http_im_call_script(call, kind,
                               NGX_HTTP_IM_SCRIPT_SEND, &call->conv_id, keys,
                               call->pair ? 3 : 4, argv, 8);

    call->state = send;
    call->next = ngx_http_im_send_stored;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im send conv:\"%V\" pair:%ui kind:%ui job:%p",
                   &call->conv_id, (ngx_uint_t) call->pair, kind, call->job);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_send_stored(ngx_http_im_call_t *call)
{
    ngx_int_t                 rc;
    ngx_http_im_send_t       *send;
    ngx_http_im_send_args_t  *args;

    args = call->args;
    send = call->state;

    rc = ngx_http_im_send_result(call, send);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im send stored conv:\"%V\" seq:%L job:%p",
                   &call->conv_id, send->sent.seq, call->job);

    if (!call->pair) {
        /* a group: its members find it by its head */
        ngx_http_im_sender_put(call, &call->conv_id, &args->from_id);
        return ngx_http_im_send_answer(call);
    }

    if (ngx_http_im_inbox_is_current(call, send->sent.seq,
                                     send->script->generation))
    {
        return ngx_http_im_send_answer(call);
    }

    send->inbox = ngx_http_im_conv_inbox_add(call, &args->from_id,
                                             &send->sent.peer);
    (void) ngx_http_im_conv_inbox_add(call, &send->sent.peer, &args->from_id);

    send->inbox_sent = ngx_current_msec;
    call->next = ngx_http_im_send_inbox_done;

    return NGX_AGAIN;
}


/* its peer is there if to_id is not given, or if it was imported */

static ngx_int_t
ngx_http_im_send_result(ngx_http_im_call_t *call, ngx_http_im_send_t *send)
{
    ngx_int_t                 rc;
    ngx_str_t                 result;
    ngx_http_im_sent_t       *sent;
    ngx_http_im_send_args_t  *args;

    args = call->args;
    sent = &send->sent;

    rc = ngx_http_im_call_result(call, send->script, &result);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_sent_parse(sent, &result) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    call->made_conv = sent->shown.len ? sent->shown : call->conv_id;
    call->made_msg = sent->id;
    call->made_time = sent->time;

    if (args->to_id.len) {
        sent->peer = args->to_id;
    }

    return (!call->pair || ngx_http_im_id_user_valid(&sent->peer))
           ? NGX_OK : ngx_http_im_call_store_error(call);
}


static ngx_int_t
ngx_http_im_send_inbox_done(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_http_im_send_t  *send;

    send = call->state;

    rc = ngx_http_im_call_integers(call, send->inbox);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_im_inbox_put(call, send->inbox_sent);

    return ngx_http_im_send_answer(call);
}


static ngx_int_t
ngx_http_im_send_answer(ngx_http_im_call_t *call)
{
    ngx_http_im_send_t    *send;
    ngx_http_im_writer_t  *w;

    if (!call->options->reply_full) {
        return NGX_OK;
    }

    w = &call->writer;
    send = call->state;

    ngx_http_im_write_lit(w, "{\"conv_id\":\"");
    ngx_http_im_write_raw(w, &call->made_conv);
    ngx_http_im_write_lit(w, "\",\"msg_id\":\"");
    ngx_http_im_write_raw(w, &call->made_msg);
    ngx_http_im_write_lit(w, "\",\"msg_time\":");
    ngx_http_im_write_raw(w, &call->made_time);
    ngx_http_im_write_lit(w, ",\"seq\":");
    ngx_http_im_write_int(w, send->sent.seq);
    ngx_http_im_write_lit(w, "}");

    return NGX_OK;
}
