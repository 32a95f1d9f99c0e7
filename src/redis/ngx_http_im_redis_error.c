
#include "ngx_http_im_redis_error.h"


/* by the first word only: the rest of an error is not the same everywhere */

static const struct {
    ngx_str_t                   word;
    ngx_http_im_redis_error_e   kind;
} ngx_http_im_redis_errors[] = {
    { ngx_string("LOADING"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("BUSY"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("OOM"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("MISCONF"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("NOREPLICAS"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("NOSCRIPT"), NGX_HTTP_IM_REDIS_ERROR_NOSCRIPT },
    { ngx_string("TRYAGAIN"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("CLUSTERDOWN"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("MOVED"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("ASK"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("READONLY"), NGX_HTTP_IM_REDIS_ERROR_CONN },
    { ngx_string("MASTERDOWN"), NGX_HTTP_IM_REDIS_ERROR_CONN },
    { ngx_string("NOAUTH"), NGX_HTTP_IM_REDIS_ERROR_CONN },
    { ngx_string("WRONGPASS"), NGX_HTTP_IM_REDIS_ERROR_CONN }
};


/*
 * How an ACL refuses a command, of its own or within a script: the first is
 * that of Redis 6 and 7.0, the second of later ones
 */

static const ngx_str_t  ngx_http_im_redis_denials[] = {
    ngx_string("NOPERM"),
    ngx_string("The user executing the script"),
    ngx_string("ACL failure in script")
};


static ngx_uint_t ngx_http_im_redis_error_has(ngx_str_t *error,
    const ngx_str_t *text);


ngx_http_im_redis_error_e
ngx_http_im_redis_error_class(ngx_str_t *error)
{
    ngx_str_t   *word;
    ngx_uint_t   i;

    static const ngx_str_t  key = ngx_string(" key");

    /*
     * Rights are tried when a connection is set up, so it is opened again; but
     * for a key, as those of other callers may have another prefix.
     */

    for (i = 0; i < sizeof(ngx_http_im_redis_denials)
                    / sizeof(ngx_http_im_redis_denials[0]); i++)
    {
        if (ngx_http_im_redis_error_has(error, &ngx_http_im_redis_denials[i]))
        {
            return ngx_http_im_redis_error_has(error, &key)
                   ? NGX_HTTP_IM_REDIS_ERROR_CMD
                   : NGX_HTTP_IM_REDIS_ERROR_CONN;
        }
    }

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


static ngx_uint_t
ngx_http_im_redis_error_has(ngx_str_t *error, const ngx_str_t *text)
{
    return ngx_strlcasestrn(error->data, error->data + error->len, text->data,
                            text->len - 1)
           != NULL;
}
