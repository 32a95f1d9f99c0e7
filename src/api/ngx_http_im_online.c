
#include "ngx_http_im_call.h"


#define NGX_HTTP_IM_ONLINE_MAX   200


typedef struct {
    ngx_array_t   ids;       /* of ngx_str_t */
} ngx_http_im_online_args_t;


static ngx_int_t ngx_http_im_online(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_online_answer(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_online_fields[] = {

    { ngx_string("ids"), NGX_HTTP_IM_FIELD_IDS, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_online_args_t, ids), 0, NGX_HTTP_IM_ONLINE_MAX,
      NULL, 0 },

    ngx_http_im_field_end
};


/* EXISTS online of each -> 1 or 0 */

const ngx_http_im_op_t  ngx_http_im_op_user_online = {
    ngx_string("user_online"),
    ngx_http_im_online_fields,
    sizeof(ngx_http_im_online_args_t),
    NGX_HTTP_IM_OP_READ,
    NULL,
    ngx_http_im_online
};


static ngx_int_t
ngx_http_im_online(ngx_http_im_call_t *call)
{
    ngx_str_t                   argv[2], *id;
    ngx_uint_t                  i;
    ngx_http_im_online_args_t  *args;

    args = call->args;
    id = args->ids.elts;

    ngx_str_set(&argv[0], "EXISTS");

    for (i = 0; i < args->ids.nelts; i++) {
        if (ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                 NGX_HTTP_IM_USER_ONLINE, &id[i], argv, 2)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    call->state = call->pipeline->first;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im online ids:%ui job:%p", args->ids.nelts, call->job);

    return ngx_http_im_call_continue(call, ngx_http_im_online_answer);
}


static ngx_int_t
ngx_http_im_online_answer(ngx_http_im_call_t *call)
{
    int64_t                     n;
    ngx_str_t                  *id;
    ngx_uint_t                  i;
    ngx_http_im_cmd_t          *cmd;
    ngx_http_im_writer_t       *w;
    ngx_http_im_online_args_t  *args;

    args = call->args;
    id = args->ids.elts;
    cmd = call->state;
    w = &call->writer;

    ngx_http_im_write_lit(w, "[");

    for (i = 0; i < args->ids.nelts; i++, cmd = cmd->next) {

        if (ngx_http_im_reply_int(&cmd->reply, &n) != NGX_OK) {
            return ngx_http_im_call_store_error(call);
        }

        if (i) {
            ngx_http_im_write_lit(w, ",");
        }

        ngx_http_im_write_lit(w, "{\"id\":\"");
        ngx_http_im_write_raw(w, &id[i]);
        ngx_http_im_write_lit(w, "\",\"online\":");

        if (n) {
            ngx_http_im_write_lit(w, "true}");

        } else {
            ngx_http_im_write_lit(w, "false}");
        }
    }

    ngx_http_im_write_lit(w, "]");

    return NGX_OK;
}
