
#include "ngx_http_im_key.h"


/* in the order of ngx_http_im_key_e */

static const struct {
    u_char    owner;
    u_char    part;
} ngx_http_im_keys[] = {
    { 'c', 'h' },
    { 'c', 'm' },
    { 'c', 'i' },
    { 'c', 'g' },
    { 'c', 'x' },
    { 'c', 'k' },
    { 'u', 'i' },
    { 'u', 'g' },
    { 'u', 'p' },
    { 'u', 'o' },
    { 's', 'r' }
};


ngx_int_t
ngx_http_im_key(ngx_pool_t *pool, ngx_str_t *key, const ngx_str_t *prefix,
    ngx_http_im_key_e what, const ngx_str_t *id)
{
    u_char     *p;
    ngx_str_t   none = ngx_string("");

    if (ngx_http_im_keys[what].owner == 's') {
        id = &none;
    }

    key->len = prefix->len + sizeof("{c:}:h") - 1 + id->len;
    key->data = ngx_pnalloc(pool, key->len);

    if (key->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(key->data, prefix->data, prefix->len);

    *p++ = '{';
    *p++ = ngx_http_im_keys[what].owner;
    *p++ = ':';
    p = ngx_cpymem(p, id->data, id->len);
    *p++ = '}';
    *p++ = ':';
    *p = ngx_http_im_keys[what].part;

    return NGX_OK;
}
