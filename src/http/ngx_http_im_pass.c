
#include "ngx_http_im_pass.h"
#include "ngx_http_im_handler.h"


char *
ngx_http_im_pass_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_im_loc_conf_t  *lcf = conf;

    ngx_str_t                 *value;
    ngx_http_im_pass_t        *pass;
    ngx_http_core_loc_conf_t  *clcf;

    if (lcf->pass) {
        return "is duplicate";
    }

    if (lcf->status || lcf->health) {
        return "cannot stand beside im_status or im_health; give that a "
               "location of its own";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

#if (NGX_PCRE)
    if (clcf->regex) {
        return "cannot tell the call in a location given by a regular "
               "expression; use a prefix, as in \"location /im/\"";
    }
#endif

    if (clcf->named || clcf->exact_match) {
        return "cannot tell the call in a named or exact location; "
               "use a prefix, as in \"location /im/\"";
    }

    value = cf->args->elts;

    pass = ngx_http_im_pass_add(cf, &value[1], "im_pass");
    if (pass == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->pass = pass;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                   "im pass \"%V\" location:\"%V\" store:%p",
                   &pass->value, &clcf->name, pass->store);

    clcf->handler = ngx_http_im_handler;

    return NGX_CONF_OK;
}


ngx_http_im_pass_t *
ngx_http_im_pass_add(ngx_conf_t *cf, ngx_str_t *value, const char *directive)
{
    ngx_http_im_pass_t        *pass, **new;
    ngx_http_im_main_conf_t   *imcf;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_im_module);

    pass = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_pass_t));
    if (pass == NULL) {
        return NULL;
    }

    pass->value = *value;
    pass->directive = directive;
    pass->prefix = clcf->name.len;
    pass->file = cf->conf_file->file.name.data;
    pass->line = cf->conf_file->line;

    /* a name may be defined further down, an address is judged here */

    if (ngx_strlchr(value->data, value->data + value->len, ':')) {
        pass->store = ngx_http_im_redis_conf_pass(cf, &imcf->stores, value);

        if (pass->store == NULL) {
            return NULL;
        }
    }

    new = ngx_array_push(&imcf->passes);
    if (new == NULL) {
        return NULL;
    }

    *new = pass;

    return pass;
}


ngx_int_t
ngx_http_im_passes_init(ngx_conf_t *cf, ngx_http_im_main_conf_t *imcf)
{
    ngx_uint_t            i;
    ngx_http_im_pass_t  **pass;

    pass = imcf->passes.elts;

    for (i = 0; i < imcf->passes.nelts; i++) {

        if (pass[i]->store) {
            continue;
        }

        pass[i]->store = ngx_http_im_redis_conf_find(&imcf->stores,
                                                     &pass[i]->value);
        if (pass[i]->store == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no im_redis \"%V\" for %s in %s:%ui; add "
                          "\"im_redis %V { server ...; }\" at http level, or "
                          "write host:port or unix:/path",
                          &pass[i]->value, pass[i]->directive,
                          pass[i]->file, pass[i]->line,
                          &pass[i]->value);
            return NGX_ERROR;
        }

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, cf->log, 0,
                       "im pass \"%V\" is store:%p",
                       &pass[i]->value, pass[i]->store);
    }

    return NGX_OK;
}
