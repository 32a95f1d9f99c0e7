
#include "ngx_http_im_redis_error.h"


/* how Redis before 7.0 begins an error that a command of a script got */
#define NGX_HTTP_IM_REDIS_ERROR_SCRIPT  "ERR Error running script"


typedef struct {
    ngx_str_t                   word;
    ngx_http_im_redis_error_e   class;
    ngx_uint_t                  in_script;   /* so, too, of a script */
} ngx_http_im_redis_error_t;


static ngx_http_im_redis_error_e ngx_http_im_redis_error_denial(
    ngx_str_t *error);
static ngx_uint_t ngx_http_im_redis_error_has(ngx_str_t *error,
    const ngx_str_t *text);
static ngx_uint_t ngx_http_im_redis_error_in_script(ngx_str_t *error,
    ngx_str_t *inner);


/*
 * By the first word only: the rest of an error is not the same everywhere.
 *
 * Redis raises the errors that also count in a script before the script has
 * written anything.
 */

static const ngx_http_im_redis_error_t  ngx_http_im_redis_errors[] = {
    { ngx_string("LOADING"), NGX_HTTP_IM_REDIS_ERROR_AGAIN, 0 },
    { ngx_string("BUSY"), NGX_HTTP_IM_REDIS_ERROR_CMD, 0 },
    { ngx_string("OOM"), NGX_HTTP_IM_REDIS_ERROR_CMD, 1 },
    { ngx_string("MISCONF"), NGX_HTTP_IM_REDIS_ERROR_CMD, 1 },
    { ngx_string("NOREPLICAS"), NGX_HTTP_IM_REDIS_ERROR_CMD, 1 },
    { ngx_string("NOSCRIPT"), NGX_HTTP_IM_REDIS_ERROR_NOSCRIPT, 0 },
    { ngx_string("TRYAGAIN"), NGX_HTTP_IM_REDIS_ERROR_AGAIN, 0 },
    { ngx_string("CLUSTERDOWN"), NGX_HTTP_IM_REDIS_ERROR_AGAIN, 1 },
    { ngx_string("MOVED"), NGX_HTTP_IM_REDIS_ERROR_MOVED, 0 },
    { ngx_string("ASK"), NGX_HTTP_IM_REDIS_ERROR_ASK, 0 },
    { ngx_string("READONLY"), NGX_HTTP_IM_REDIS_ERROR_REPLICA, 1 },
    { ngx_string("MASTERDOWN"), NGX_HTTP_IM_REDIS_ERROR_REPLICA, 1 },
    { ngx_string("NOAUTH"), NGX_HTTP_IM_REDIS_ERROR_CONN, 0 },
    { ngx_string("WRONGPASS"), NGX_HTTP_IM_REDIS_ERROR_CONN, 0 },
    { ngx_string("DENIED"), NGX_HTTP_IM_REDIS_ERROR_CONN, 0 }
};


/*
 * How an ACL refuses a command, of its own or within a script: the second is
 * that of Redis 6 and 7.0, the third of later ones.
 */

static const ngx_str_t  ngx_http_im_redis_denials[] = {
    ngx_string("NOPERM"),
    ngx_string("The user executing the script"),
    ngx_string("ACL failure in script")
};


ngx_http_im_redis_error_e
ngx_http_im_redis_error_class(ngx_str_t *error)
{
    ngx_str_t                         inner;
    ngx_uint_t                        i, in_script;
    const ngx_http_im_redis_error_t  *e;

    for (i = 0; i < sizeof(ngx_http_im_redis_denials)
                    / sizeof(ngx_http_im_redis_denials[0]); i++)
    {
        if (ngx_http_im_redis_error_has(error, &ngx_http_im_redis_denials[i]))
        {
            return ngx_http_im_redis_error_denial(error);
        }
    }

    in_script = ngx_http_im_redis_error_in_script(error, &inner);

    for (i = 0; i < sizeof(ngx_http_im_redis_errors)
                    / sizeof(ngx_http_im_redis_errors[0]); i++)
    {
        e = &ngx_http_im_redis_errors[i];

        if (inner.len >= e->word.len
            && ngx_strncmp(inner.data, e->word.data, e->word.len) == 0
            && (inner.len == e->word.len || inner.data[e->word.len] == ' '))
        {
            ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                           "im error word:\"%V\" in script:%ui class:%d",
                           &e->word, in_script, e->class);

            return (in_script && !e->in_script) ? NGX_HTTP_IM_REDIS_ERROR_NONE
                                                : e->class;
        }
    }

    return NGX_HTTP_IM_REDIS_ERROR_NONE;
}


/*
 * Rights are tried when a connection is set up, so it is opened again; but for
 * a key, as those of other callers may have another prefix.  A script that was
 * ended by it may have written; one that returned it has taken that back.
 */

static ngx_http_im_redis_error_e
ngx_http_im_redis_error_denial(ngx_str_t *error)
{
    static const ngx_str_t  ended = ngx_string("Error running script");
    static const ngx_str_t  behind = ngx_string(", on @user_script");
    static const ngx_str_t  key = ngx_string(" key");

    if (ngx_http_im_redis_error_has(error, &ended)
        || ngx_http_im_redis_error_has(error, &behind))
    {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im error is a denial that ended a script");

        return NGX_HTTP_IM_REDIS_ERROR_NONE;
    }

    return ngx_http_im_redis_error_has(error, &key)
           ? NGX_HTTP_IM_REDIS_ERROR_CMD : NGX_HTTP_IM_REDIS_ERROR_CONN;
}


static ngx_uint_t
ngx_http_im_redis_error_has(ngx_str_t *error, const ngx_str_t *text)
{
    return ngx_strlcasestrn(error->data, error->data + error->len, text->data,
                            text->len - 1)
           != NULL;
}


/*
 * Was it a command of a script that got the error?  inner: the error of that
 * command, or the whole of it.
 *
 *     6.2: ERR Error running script (call to f_...): @user_script:1:
 *          @user_script: 1: -READONLY You can't write ...
 *     7.0: READONLY You can't write ... script: 3a..., on @user_script:1.
 *          NOPERM ACL failure in script: ...
 */

static ngx_uint_t
ngx_http_im_redis_error_in_script(ngx_str_t *error, ngx_str_t *inner)
{
    u_char  *p, *last;
    size_t   len;

    *inner = *error;

    last = error->data + error->len;
    len = sizeof(NGX_HTTP_IM_REDIS_ERROR_SCRIPT) - 1;

    if (error->len < len
        || ngx_strncmp(error->data, NGX_HTTP_IM_REDIS_ERROR_SCRIPT, len) != 0)
    {
        return ngx_strlcasestrn(error->data, last, (u_char *) "@user_script",
                                sizeof("@user_script") - 2)
               || ngx_strlcasestrn(error->data, last, (u_char *) "in script:",
                                   sizeof("in script:") - 2);
    }

    for (p = error->data + len; last - p > 3; p++) {

        if (p[0] == ':' && p[1] == ' ' && p[2] == '-') {
            inner->data = p + 3;
            inner->len = last - inner->data;
            break;
        }
    }

    return 1;
}
