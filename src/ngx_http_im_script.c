
#include "ngx_http_im_script.h"
#include <ngx_sha1.h>

#include "ngx_http_im_script_text.h"


/* in the order of ngx_http_im_script_e */

static const struct {
    ngx_str_t    name;
    ngx_str_t    text;
} ngx_http_im_script_texts[] = {
    { ngx_string("send"), ngx_string(ngx_http_im_script_send) },
    { ngx_string("read"), ngx_string(ngx_http_im_script_read) },
    { ngx_string("group_create"),
      ngx_string(ngx_http_im_script_group_create) },
    { ngx_string("group_add"), ngx_string(ngx_http_im_script_group_add) },
    { ngx_string("group_alias"), ngx_string(ngx_http_im_script_group_alias) },
    { ngx_string("group_set"), ngx_string(ngx_http_im_script_group_set) },
    { ngx_string("group_leave"), ngx_string(ngx_http_im_script_group_leave) },
    { ngx_string("group_remove"),
      ngx_string(ngx_http_im_script_group_remove) },
    { ngx_string("group_transfer"),
      ngx_string(ngx_http_im_script_group_transfer) },
    { ngx_string("group_dismiss"),
      ngx_string(ngx_http_im_script_group_dismiss) },
    { ngx_string("groups"), ngx_string(ngx_http_im_script_groups) },
    { ngx_string("fronts"), ngx_string(ngx_http_im_script_fronts) },
    { ngx_string("unread"), ngx_string(ngx_http_im_script_unread) },
    { ngx_string("join"), ngx_string(ngx_http_im_script_join) },
    { ngx_string("unjoin"), ngx_string(ngx_http_im_script_unjoin) },
    { ngx_string("recall"), ngx_string(ngx_http_im_script_recall) },
    { ngx_string("hide"), ngx_string(ngx_http_im_script_hide) },
    { ngx_string("readers"), ngx_string(ngx_http_im_script_readers) },
    { ngx_string("typing"), ngx_string(ngx_http_im_script_typing) },
    { ngx_string("missed"), ngx_string(ngx_http_im_script_missed) },
    { ngx_string("import"), ngx_string(ngx_http_im_script_import) },
    { ngx_string("claim"), ngx_string(ngx_http_im_script_claim) },
    { ngx_string("inbox"), ngx_string(ngx_http_im_script_inbox) },
    { ngx_string("page"), ngx_string(ngx_http_im_script_page) },
    { ngx_string("trial"), ngx_string(ngx_http_im_script_trial) }
};


ngx_http_im_script_t *
ngx_http_im_scripts_create(ngx_pool_t *pool)
{
    u_char                 digest[20];
    ngx_uint_t             i;
    ngx_sha1_t             sha1;
    ngx_http_im_script_t  *scripts;

    scripts = ngx_palloc(pool,
                         NGX_HTTP_IM_SCRIPTS * sizeof(ngx_http_im_script_t));
    if (scripts == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_IM_SCRIPTS; i++) {
        scripts[i].name = ngx_http_im_script_texts[i].name;
        scripts[i].text = ngx_http_im_script_texts[i].text;

        scripts[i].sha1.len = 2 * sizeof(digest);
        scripts[i].sha1.data = ngx_pnalloc(pool, 2 * sizeof(digest));

        if (scripts[i].sha1.data == NULL) {
            return NULL;
        }

        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, scripts[i].text.data, scripts[i].text.len);
        ngx_sha1_final(digest, &sha1);

        ngx_hex_dump(scripts[i].sha1.data, digest, sizeof(digest));

        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                       "im script \"%V\" len:%uz sha1:%V",
                       &scripts[i].name, scripts[i].text.len,
                       &scripts[i].sha1);
    }

    return scripts;
}
