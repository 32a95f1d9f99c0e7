
#include "ngx_http_im_redirect.h"


/* keys of a script for one conversation */
#define NGX_HTTP_IM_REDIRECT_KEYS   9


static ngx_int_t ngx_http_im_redirect_arg(ngx_str_t *rest, ngx_str_t *arg);


static const u_char  ngx_http_im_redirect_asking[] =
    "*1" CRLF "$6" CRLF "ASKING" CRLF;

#define NGX_HTTP_IM_REDIRECT_ASKING                                          \
    (sizeof(ngx_http_im_redirect_asking) - 1)


/* stands in front of the bytes that have one key: those with all of them */

typedef struct {
    ngx_str_t    resp;
    ngx_uint_t   argc;
} ngx_http_im_redirect_keys_t;


ngx_int_t
ngx_http_im_redirect_ask(ngx_http_im_cmd_t *cmd, ngx_pool_t *pool)
{
    u_char  *p;

    if (cmd->asking) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, NGX_HTTP_IM_REDIRECT_ASKING + cmd->resp.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, ngx_http_im_redirect_asking, NGX_HTTP_IM_REDIRECT_ASKING);
    ngx_memcpy(p + NGX_HTTP_IM_REDIRECT_ASKING, cmd->resp.data,
               cmd->resp.len);

    /* the bytes without ASKING are kept, and so is the key in them */

    cmd->unasked = cmd->resp.data;
    cmd->resp.data = p;
    cmd->resp.len += NGX_HTTP_IM_REDIRECT_ASKING;
    cmd->asking = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_im_redirect_one_key(ngx_http_im_cmd_t *cmd, ngx_pool_t *pool)
{
    u_char                       *p;
    size_t                        head;
    ngx_int_t                     n;
    ngx_str_t                     rest, arg, sha1, key;
    ngx_uint_t                    i;
    ngx_http_im_redirect_keys_t  *keys;

    if (cmd->script == NULL || cmd->one_key) {
        return NGX_DECLINED;
    }

    ngx_http_im_redirect_undo(cmd);

    p = ngx_strlchr(cmd->resp.data, cmd->resp.data + cmd->resp.len, LF);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    rest.data = p + 1;
    rest.len = cmd->resp.data + cmd->resp.len - rest.data;

    /* EVALSHA, the SHA1, the number of keys, the keys */

    if (ngx_http_im_redirect_arg(&rest, &arg) != NGX_OK
        || ngx_http_im_redirect_arg(&rest, &sha1) != NGX_OK
        || ngx_http_im_redirect_arg(&rest, &arg) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    n = ngx_atoi(arg.data, arg.len);

    if (n < 2 || n > NGX_HTTP_IM_REDIRECT_KEYS
        || ngx_http_im_redirect_arg(&rest, &key) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    for (i = 1; i < (ngx_uint_t) n; i++) {
        if (ngx_http_im_redirect_arg(&rest, &arg) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    head = sizeof("*$7EVALSHA$40$11$\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n") - 1
           + 2 * NGX_SIZE_T_LEN;

    keys = ngx_palloc(pool, sizeof(ngx_http_im_redirect_keys_t) + head
                            + sha1.len + key.len + rest.len);
    if (keys == NULL) {
        return NGX_ERROR;
    }

    keys->resp = cmd->resp;
    keys->argc = cmd->argc;

    cmd->argc -= n - 1;
    cmd->one_key = 1;
    cmd->resp.data = (u_char *) &keys[1];

    p = ngx_sprintf(cmd->resp.data,
                    "*%ui" CRLF "$7" CRLF "EVALSHA" CRLF "$%uz" CRLF "%V" CRLF
                    "$1" CRLF "1" CRLF "$%uz" CRLF "%V" CRLF,
                    cmd->argc, sha1.len, &sha1, key.len, &key);
    p = ngx_cpymem(p, rest.data, rest.len);

    cmd->resp.len = p - cmd->resp.data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                   "im cmd:%p job:%p one key of %i", cmd, cmd->job, n);

    return NGX_OK;
}


/* the next argument, "$LEN CRLF ... CRLF" */

static ngx_int_t
ngx_http_im_redirect_arg(ngx_str_t *rest, ngx_str_t *arg)
{
    u_char     *p, *last;
    ngx_int_t   len;

    last = rest->data + rest->len;

    p = ngx_strlchr(rest->data, last, LF);

    if (p == NULL || p - rest->data < 3 || rest->data[0] != '$') {
        return NGX_ERROR;
    }

    len = ngx_atoi(rest->data + 1, p - 1 - (rest->data + 1));

    if (len == NGX_ERROR || len + 2 > last - (p + 1)) {
        return NGX_ERROR;
    }

    arg->data = p + 1;
    arg->len = (size_t) len;

    rest->data = p + 1 + len + 2;
    rest->len = last - rest->data;

    return NGX_OK;
}


void
ngx_http_im_redirect_undo(ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_redirect_keys_t  *keys;

    if (cmd->asking) {
        cmd->asking = 0;
        cmd->resp.data = cmd->unasked;
        cmd->resp.len -= NGX_HTTP_IM_REDIRECT_ASKING;
    }

    if (cmd->one_key) {
        keys = (ngx_http_im_redirect_keys_t *) cmd->resp.data - 1;

        cmd->one_key = 0;
        cmd->resp = keys->resp;
        cmd->argc = keys->argc;
    }
}
