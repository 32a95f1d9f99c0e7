
#include "ngx_http_im_sentinel_addr.h"


static ngx_uint_t ngx_http_im_sentinel_addr_is_host(ngx_str_t *host);


ngx_int_t
ngx_http_im_sentinel_addr_parse(ngx_http_im_reply_t *reply,
    ngx_http_im_sentinel_addr_t *addr)
{
    ngx_int_t  n;
    ngx_str_t  port;

    if (reply->type == NGX_HTTP_IM_REPLY_NIL) {
        return NGX_DECLINED;
    }

    if (ngx_http_im_reply_array(reply, 2) != NGX_OK
        || ngx_http_im_reply_string(&reply->elts[0], &addr->host) != NGX_OK
        || ngx_http_im_reply_string(&reply->elts[1], &port) != NGX_OK
        || !ngx_http_im_sentinel_addr_is_host(&addr->host))
    {
        return NGX_ERROR;
    }

    n = ngx_atoi(port.data, port.len);

    if (n < 1 || n > 65535) {
        return NGX_ERROR;
    }

    addr->port = (in_port_t) n;

    return NGX_OK;
}


/* an address or a name; it is logged, and sent to a resolver */

static ngx_uint_t
ngx_http_im_sentinel_addr_is_host(ngx_str_t *host)
{
    u_char  *p, c;
    size_t   i;

    if (host->len == 0 || host->len > NGX_HTTP_IM_SENTINEL_HOST) {
        return 0;
    }

    p = host->data;

    for (i = 0; i < host->len; i++) {
        c = p[i] | 0x20;

        if ((c < 'a' || c > 'z') && (p[i] < '0' || p[i] > '9')
            && p[i] != '.' && p[i] != ':' && p[i] != '-' && p[i] != '_')
        {
            return 0;
        }
    }

    return 1;
}
