
#include "ngx_http_im_identity.h"
#include "ngx_http_im_origin.h"


static ngx_int_t ngx_http_im_identity_trusted(ngx_http_request_t *r,
    ngx_http_im_loc_conf_t *lcf);
static ngx_uint_t ngx_http_im_identity_is_private(struct sockaddr *sockaddr);
static ngx_uint_t ngx_http_im_identity_is_private4(u_char *addr);


char *
ngx_http_im_identity_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_loc_conf_t  *lcf = conf;

    ngx_str_t                          *value;
    ngx_http_compile_complex_value_t    ccv;

    if (lcf->trusted != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->trusted = NGX_HTTP_IM_TRUSTED_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") == 0) {
        lcf->trusted = NGX_HTTP_IM_TRUSTED_ON;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "private") == 0) {
        lcf->trusted = NGX_HTTP_IM_TRUSTED_PRIVATE;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        return "takes \"off\", \"on\", \"private\" or a value with variables";
    }

    lcf->trusted = NGX_HTTP_IM_TRUSTED_VALUE;

    lcf->trusted_value = ngx_palloc(cf->pool,
                                    sizeof(ngx_http_complex_value_t));
    if (lcf->trusted_value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = lcf->trusted_value;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                           : NGX_CONF_ERROR;
}


void
ngx_http_im_identity_merge(ngx_conf_t *cf, ngx_http_im_loc_conf_t *up,
    ngx_http_im_loc_conf_t *lcf)
{
    ngx_conf_merge_ptr_value(lcf->user, up->user, NULL);
    ngx_conf_merge_ptr_value(lcf->origins, up->origins, NULL);

    if (lcf->trusted == NGX_CONF_UNSET_UINT) {
        lcf->trusted = up->trusted;
        lcf->trusted_value = up->trusted_value;
    }

    if (lcf->pass && lcf->user && lcf->trusted == NGX_HTTP_IM_TRUSTED_ON) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"im_trusted on\" trusts every caller: im_user is "
                           "not used in this location");
    }
}


ngx_int_t
ngx_http_im_identity_get(ngx_http_request_t *r,
    ngx_http_im_identity_t *identity)
{
    ngx_int_t                rc;
    ngx_http_im_loc_conf_t  *lcf;

    ngx_memzero(identity, sizeof(ngx_http_im_identity_t));

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_im_module);

    rc = ngx_http_im_identity_trusted(r, lcf);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        identity->trusted = 1;

    } else if (lcf->user == NULL) {
        identity->refused = "the caller is not trusted: im_trusted says who "
                            "may act for any user";

    } else if (ngx_http_complex_value(r, lcf->user, &identity->user)
               != NGX_OK)
    {
        return NGX_ERROR;

    } else if (!ngx_http_im_origin_is_allowed(r, lcf->origins)) {
        identity->refused = "the Origin of the request is neither this host "
                            "nor listed in im_origin";

    } else if (identity->user.len == 0) {
        identity->refused = "the caller is not known: im_user is empty";
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "im identity trusted:%d user:\"%V\" refused:%s",
                   (int) identity->trusted, &identity->user,
                   identity->refused ? identity->refused : "-");

    return identity->refused ? NGX_DECLINED : NGX_OK;
}


/* NGX_OK, NGX_DECLINED or NGX_ERROR */

static ngx_int_t
ngx_http_im_identity_trusted(ngx_http_request_t *r,
    ngx_http_im_loc_conf_t *lcf)
{
    ngx_str_t   value;
    ngx_uint_t  trusted;

    trusted = lcf->trusted;

    if (trusted == NGX_CONF_UNSET_UINT) {
        trusted = lcf->user ? NGX_HTTP_IM_TRUSTED_OFF
                            : NGX_HTTP_IM_TRUSTED_PRIVATE;
    }

    switch (trusted) {

    case NGX_HTTP_IM_TRUSTED_ON:
        return NGX_OK;

    case NGX_HTTP_IM_TRUSTED_PRIVATE:
        return ngx_http_im_identity_is_private(r->connection->sockaddr)
               ? NGX_OK : NGX_DECLINED;

    case NGX_HTTP_IM_TRUSTED_VALUE:

        if (ngx_http_complex_value(r, lcf->trusted_value, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "im identity im_trusted has a value of len:%uz",
                       value.len);

        if (value.len == 1 && value.data[0] == '1') {
            return NGX_OK;
        }

        return (value.len == 2 && ngx_strncmp(value.data, "on", 2) == 0)
               ? NGX_OK : NGX_DECLINED;

    default: /* NGX_HTTP_IM_TRUSTED_OFF */
        return NGX_DECLINED;
    }
}


static ngx_uint_t
ngx_http_im_identity_is_private(struct sockaddr *sockaddr)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    u_char               *p;
    struct sockaddr_in6  *sin6;
#endif

    switch (sockaddr->sa_family) {

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;

        return ngx_http_im_identity_is_private4((u_char *) &sin->sin_addr);

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        p = sin6->sin6_addr.s6_addr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return ngx_http_im_identity_is_private4(p + 12);
        }

        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
               || (p[0] & 0xfe) == 0xfc                     /* ULA */
               || (p[0] == 0xfe && (p[1] & 0xc0) == 0x80);  /* link-local */
#endif

    default:
        return 0;
    }
}


/* in network order: loopback, RFC 1918, link-local */

static ngx_uint_t
ngx_http_im_identity_is_private4(u_char *addr)
{
    return addr[0] == 127
           || addr[0] == 10
           || (addr[0] == 172 && (addr[1] & 0xf0) == 16)
           || (addr[0] == 192 && addr[1] == 168)
           || (addr[0] == 169 && addr[1] == 254);
}
