
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
    { ngx_string("NOPERM"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("TRYAGAIN"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("CLUSTERDOWN"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("MOVED"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("ASK"), NGX_HTTP_IM_REDIS_ERROR_CMD },
    { ngx_string("READONLY"), NGX_HTTP_IM_REDIS_ERROR_CONN },
    { ngx_string("MASTERDOWN"), NGX_HTTP_IM_REDIS_ERROR_CONN },
    { ngx_string("NOAUTH"), NGX_HTTP_IM_REDIS_ERROR_CONN },
    { ngx_string("WRONGPASS"), NGX_HTTP_IM_REDIS_ERROR_CONN }
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
