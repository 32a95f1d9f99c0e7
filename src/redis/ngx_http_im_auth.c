
#include "ngx_http_im_auth.h"


#define NGX_HTTP_IM_PASSWORD_MAX   4096


static ngx_int_t ngx_http_im_auth_read(ngx_conf_t *cf,
    ngx_http_im_auth_t *auth);


ngx_int_t
ngx_http_im_auth_complete(ngx_conf_t *cf, ngx_http_im_auth_t *auth,
    const char *prefix, ngx_str_t *store)
{
    if (auth->file.len) {

        if (auth->password.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "both \"%spassword\" and \"%spassword_file\" "
                               "in im_redis \"%V\"; remove one",
                               prefix, prefix, store);
            return NGX_ERROR;
        }

        if (ngx_http_im_auth_read(cf, auth) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (auth->username.len && auth->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%susername\" without a password in im_redis "
                           "\"%V\"; add \"%spassword\" or "
                           "\"%spassword_file\"",
                           prefix, store, prefix, prefix);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the first line of the file */

static ngx_int_t
ngx_http_im_auth_read(ngx_conf_t *cf, ngx_http_im_auth_t *auth)
{
    u_char    *buf, *p;
    ssize_t    n;
    ngx_fd_t   fd;

    if (ngx_conf_full_name(cf->cycle, &auth->file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_IM_PASSWORD_MAX);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(auth->file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &auth->file);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, NGX_HTTP_IM_PASSWORD_MAX);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &auth->file);
    }

    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", &auth->file);
        return NGX_ERROR;
    }

    for (p = buf; p < buf + n && *p != LF && *p != CR; p++) { /* void */ }

    auth->password.data = buf;
    auth->password.len = p - buf;

    if (auth->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no password in the first line of \"%V\"",
                           &auth->file);
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im auth of \"%V\" is read", &auth->file);

    return NGX_OK;
}


void
ngx_http_im_auth_add(const ngx_http_im_auth_t *auth, ngx_http_im_pipeline_t *p)
{
    ngx_str_t  argv[3];

    if (auth->password.len == 0) {
        return;
    }

    ngx_str_set(&argv[0], "AUTH");
    argv[1] = auth->username.len ? auth->username : auth->password;
    argv[2] = auth->password;

    ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv,
                        auth->username.len ? 3 : 2);
}
