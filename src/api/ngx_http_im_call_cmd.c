
#include "ngx_http_im_call.h"


static ngx_uint_t ngx_http_im_call_script_publishes(
    ngx_http_im_script_e script);


ngx_http_im_cmd_t *
ngx_http_im_call_cmd(ngx_http_im_call_t *call, ngx_uint_t kind,
    ngx_http_im_key_e what, ngx_str_t *id, ngx_str_t *argv, ngx_uint_t argc)
{
    if (ngx_http_im_key(call->pool, &argv[1], &call->options->key_prefix,
                        what, id)
        != NGX_OK)
    {
        call->pipeline->failed = 1;
        return NULL;
    }

    return ngx_http_im_cmd_add(call->pipeline, kind, 1, argv, argc);
}


/* those that take the event channel as the last of their arguments */

static ngx_uint_t
ngx_http_im_call_script_publishes(ngx_http_im_script_e script)
{
    switch (script) {

    case NGX_HTTP_IM_SCRIPT_SEND:
    case NGX_HTTP_IM_SCRIPT_READ:
    case NGX_HTTP_IM_SCRIPT_RECALL:
    case NGX_HTTP_IM_SCRIPT_HIDE:
    case NGX_HTTP_IM_SCRIPT_TYPING:
    case NGX_HTTP_IM_SCRIPT_GROUP_CREATE:
    case NGX_HTTP_IM_SCRIPT_GROUP_ADD:
    case NGX_HTTP_IM_SCRIPT_GROUP_SET:
    case NGX_HTTP_IM_SCRIPT_GROUP_LEAVE:
    case NGX_HTTP_IM_SCRIPT_GROUP_REMOVE:
    case NGX_HTTP_IM_SCRIPT_GROUP_TRANSFER:
    case NGX_HTTP_IM_SCRIPT_GROUP_DISMISS:
        return 1;

    default:
        return 0;
    }
}


void
ngx_http_im_call_most(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd,
    ngx_uint_t n)
{
    if (cmd) {
        cmd->most = n * ngx_http_im_call_row_max(call->options);
    }
}


ngx_http_im_cmd_t *
ngx_http_im_call_script(ngx_http_im_call_t *call, ngx_uint_t kind,
    ngx_http_im_script_e script, ngx_str_t *id, const ngx_http_im_key_e *keys,
    ngx_uint_t nkeys, ngx_str_t *argv, ngx_uint_t argc)
{
    u_char       count;
    ngx_str_t   *all;
    ngx_uint_t   i;

    all = ngx_palloc(call->pool, (2 + nkeys + argc) * sizeof(ngx_str_t));
    if (all == NULL) {
        call->pipeline->failed = 1;
        return NULL;
    }

    /* no script has more than nine keys */

    count = (u_char) ('0' + nkeys);

    all[0].data = &count;
    all[0].len = 1;

    for (i = 0; i < nkeys; i++) {
        if (ngx_http_im_key(call->pool, &all[1 + i],
                            &call->options->key_prefix, keys[i], id)
            != NGX_OK)
        {
            call->pipeline->failed = 1;
            return NULL;
        }
    }

    ngx_memcpy(&all[1 + nkeys], argv, argc * sizeof(ngx_str_t));

    if (call->options->channel.len
        && ngx_http_im_call_script_publishes(script))
    {
        all[1 + nkeys + argc++] = call->options->channel;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im call script \"%V\" conv:\"%V\" args:%ui job:%p",
                   &call->scripts[script].name, id, argc, call->job);

    return ngx_http_im_cmd_add_script(call->pipeline, kind,
                                      &call->scripts[script], all,
                                      1 + nkeys + argc);
}


ngx_int_t
ngx_http_im_call_result(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd,
    ngx_str_t *result)
{
    ngx_http_im_error_e  id;

    if (ngx_http_im_reply_string(&cmd->reply, result) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (result->len && result->data[0] == '=') {
        result->data++;
        result->len--;

        return ngx_http_im_call_restart(call, result);
    }

    id = ngx_http_im_error_find(result);

    if (id == NGX_HTTP_IM_STORE_ERROR) {
        return ngx_http_im_call_contradiction(call, NGX_HTTP_IM_HEAD_BEHIND);
    }

    return (id == NGX_HTTP_IM_OK) ? NGX_OK : ngx_http_im_call_error(call, id);
}


ngx_int_t
ngx_http_im_call_integers(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd)
{
    int64_t  n;

    for ( /* void */ ; cmd; cmd = cmd->next) {
        if (ngx_http_im_reply_int(&cmd->reply, &n) != NGX_OK) {
            return ngx_http_im_call_store_error(call);
        }
    }

    return NGX_OK;
}
