
#include "ngx_http_im_redis_error.h"


/* by the first word only: the rest of an error is not the same everywhere */

static const struct {
    ngx_str_t                   word;
    ngx_http_im_redis_error_e   kind;
} ngx_http_im_redis_errors[] = {
    { ngx_string("LOADING"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("BUSY"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("OOM"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("MISCONF"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("NOREPLICAS"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("NOSCRIPT"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("NOPERM"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("TRYAGAIN"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("CLUSTERDOWN"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("MOVED"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("ASK"), NGX_HTTP_IM_REDIS_ERROR_NOW },
    { ngx_string("READONLY"), NGX_HTTP_IM_REDIS_ERROR_FOR_GOOD },
    { ngx_string("MASTERDOWN"), NGX_HTTP_IM_REDIS_ERROR_FOR_GOOD },
    { ngx_string("NOAUTH"), NGX_HTTP_IM_REDIS_ERROR_FOR_GOOD },
    { ngx_string("WRONGPASS"), NGX_HTTP_IM_REDIS_ERROR_FOR_GOOD }
};


ngx_http_im_redis_error_e
ngx_http_im_redis_error_class(ngx_str_t *error)
{
    ngx_str_t   *word;
    ngx_uint_t   i;

    for (i = 0; i < sizeof(ngx_http_im_redis_errors)
                    / sizeof(ngx_http_im_redis_errors[0]); i++)
    {
        word = (ngx_str_t *) &ngx_http_im_redis_errors[i].word;

        if (error->len >= word->len
            && ngx_strncmp(error->data, word->data, word->len) == 0
            && (error->len == word->len || error->data[word->len] == ' '))
        {
            return ngx_http_im_redis_errors[i].kind;
        }
    }

    return NGX_HTTP_IM_REDIS_ERROR_NONE;
}


ngx_uint_t
ngx_http_im_redis_error_eval(ngx_http_im_cmd_t *cmd,
    const ngx_http_im_script_t *scripts, ngx_pool_t *pool)
{
    u_char      *p, *sha1, *rest;
    size_t       head;
    ngx_str_t    text;
    ngx_uint_t   i;

    static const u_char  evalsha[] = CRLF "$7" CRLF "EVALSHA" CRLF "$40" CRLF;

    if (cmd->reply.str.len < 8
        || ngx_strncmp(cmd->reply.str.data, "NOSCRIPT", 8) != 0)
    {
        return 0;
    }

    p = ngx_strlchr(cmd->resp.data, cmd->resp.data + cmd->resp.len, CR);

    if (p == NULL
        || (size_t) (cmd->resp.data + cmd->resp.len - p) < sizeof(evalsha) + 40
        || ngx_memcmp(p, evalsha, sizeof(evalsha) - 1) != 0)
    {
        return 0;
    }

    head = p - cmd->resp.data;
    sha1 = p + sizeof(evalsha) - 1;
    rest = sha1 + 40;

    for (i = 0; i < NGX_HTTP_IM_SCRIPTS; i++) {
        if (ngx_memcmp(sha1, scripts[i].sha1.data, 40) == 0) {
            break;
        }
    }

    if (i == NGX_HTTP_IM_SCRIPTS) {
        return 0;
    }

    text = scripts[i].text;

    p = ngx_pnalloc(pool, cmd->resp.len + text.len + NGX_SIZE_T_LEN);
    if (p == NULL) {
        return 0;
    }

    sha1 = p;

    p = ngx_cpymem(p, cmd->resp.data, head);
    p = ngx_sprintf(p, CRLF "$4" CRLF "EVAL" CRLF "$%uz" CRLF "%V",
                    text.len, &text);
    p = ngx_cpymem(p, rest, cmd->resp.data + cmd->resp.len - rest);

    cmd->resp.data = sha1;
    cmd->resp.len = p - sha1;

    return 1;
}
