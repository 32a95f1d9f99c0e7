
#ifndef _NGX_HTTP_IM_SETTINGS_H_INCLUDED_
#define _NGX_HTTP_IM_SETTINGS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"


/*
 * Settings that a server must have before it is used.  They are fetched when
 * a connection is set up and every few seconds after that.  Any of the
 * commands may be refused; a setting that is not shown counts as unknown, and
 * an unknown setting is not met.
 */

typedef struct {
    ngx_uint_t              appendonly;     /* a flag */
    ngx_uint_t              always;         /* a flag: appendfsync=always */
    ngx_uint_t              min_replicas;   /* 0: not required */
} ngx_http_im_settings_t;


/* a word of the directive: NGX_CONF_OK, or what is wrong with it */
char *ngx_http_im_settings_require(ngx_http_im_settings_t *settings,
    ngx_str_t *word);

/* is any setting required? */
ngx_uint_t ngx_http_im_settings_required(
    const ngx_http_im_settings_t *settings);

/* adds the commands to a round; p->failed tells when out of memory */
void ngx_http_im_settings_fetch(const ngx_http_im_settings_t *settings,
    ngx_http_im_pipeline_t *p);

/*
 * The settings that are not met, as bits.  The replies are those of cmd and
 * of the commands after it.
 */
ngx_uint_t ngx_http_im_settings_check(const ngx_http_im_settings_t *settings,
    ngx_http_im_cmd_t *cmd);

/* these bits in words; returns the end of what was written */
u_char *ngx_http_im_settings_text(ngx_uint_t unmet, u_char *p, u_char *last);

/* may the server evict keys?  0 also when it does not show that */
ngx_uint_t ngx_http_im_settings_evicts(ngx_http_im_cmd_t *cmd);

/*
 * Logs what has changed: the server evicts since now; the settings that are
 * not met are others than before.
 */
void ngx_http_im_settings_log(const ngx_str_t *store, ngx_str_t *server,
    ngx_uint_t evicts, ngx_uint_t unmet, ngx_uint_t before, ngx_log_t *log);


#endif /* _NGX_HTTP_IM_SETTINGS_H_INCLUDED_ */
