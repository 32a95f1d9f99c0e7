
#ifndef _NGX_HTTP_IM_SETTINGS_H_INCLUDED_
#define _NGX_HTTP_IM_SETTINGS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"


/*
 * What a server must be before it is used: the settings that are required, a
 * primary, and no part of a cluster.  All of it is fetched when a connection
 * is set up, and again while it is in use.  Any of the commands may be
 * refused; a setting that is not shown counts as unknown, and an unknown
 * setting is not met.
 */

/* what is unmet, as bits beside those of the settings */

#define NGX_HTTP_IM_UNMET_REPLICA   0x10000   /* it is no primary */
#define NGX_HTTP_IM_UNMET_CLUSTER   0x20000   /* it is in cluster mode */
#define NGX_HTTP_IM_UNMET_RIGHTS    0x40000   /* the user lacks some */

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

/* of INFO, among cmd and the commands after it: REPLICA, CLUSTER or 0 */
ngx_uint_t ngx_http_im_settings_role(ngx_http_im_cmd_t *cmd);

/*
 * All that is not met, as bits.  The replies are those of cmd and of the
 * commands after it.
 */
ngx_uint_t ngx_http_im_settings_check(const ngx_http_im_settings_t *settings,
    ngx_http_im_cmd_t *cmd);

/* settings among the bits in words; returns the end of what was written */
u_char *ngx_http_im_settings_text(ngx_uint_t unmet, u_char *p, u_char *last);

/* why the server is not used, for the line of a call */
const char *ngx_http_im_settings_reason(ngx_uint_t unmet);

/* may the server evict keys?  0 also when it does not show that */
ngx_uint_t ngx_http_im_settings_evicts(ngx_http_im_cmd_t *cmd);

/*
 * Bytes of replies at which the server closes a connection, if these are less
 * than size; 0 also when it does not show that
 */
size_t ngx_http_im_settings_limit(ngx_http_im_cmd_t *cmd, size_t size);
void ngx_http_im_settings_log_limit(const ngx_str_t *store, ngx_str_t *server,
    size_t limit, size_t size, ngx_log_t *log);

/*
 * Logs what has changed: the server evicts since now; what is not met is
 * another than before.  Refused: the commands that the user lacks the right
 * for, and Redis's words, where that is a part of it.
 */
void ngx_http_im_settings_log(const ngx_str_t *store, ngx_str_t *server,
    ngx_uint_t evicts, ngx_uint_t unmet, ngx_uint_t before,
    ngx_str_t *refused, ngx_log_t *log);


#endif /* _NGX_HTTP_IM_SETTINGS_H_INCLUDED_ */
