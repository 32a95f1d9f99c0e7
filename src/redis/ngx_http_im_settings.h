
#ifndef _NGX_HTTP_IM_SETTINGS_H_INCLUDED_
#define _NGX_HTTP_IM_SETTINGS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"


/*
 * What a server must be set to before it is used.  It is asked, together with
 * the handshake and now and then after that, by commands whose replies are
 * read here.  Any of them may be refused: what is then not told elsewhere is
 * not shown to hold.
 */

typedef struct {
    ngx_uint_t              appendonly;     /* a flag */
    ngx_uint_t              always;         /* a flag: appendfsync=always */
    ngx_uint_t              min_replicas;   /* 0: not asked for */
} ngx_http_im_settings_t;


/* a word of the directive: NGX_CONF_OK, or what is wrong with it */
char *ngx_http_im_settings_require(ngx_http_im_settings_t *require,
    ngx_str_t *word);

/* adds the questions to a round; p->failed tells when out of memory */
void ngx_http_im_settings_fetch(const ngx_http_im_settings_t *require,
    ngx_http_im_pipeline_t *p);

/*
 * What is wanting, as bits, 0: nothing.  The answers are those of cmd and of
 * the commands after it.
 */
ngx_uint_t ngx_http_im_settings_check(const ngx_http_im_settings_t *require,
    ngx_http_im_cmd_t *cmd);

/* these bits in words; returns the end of what was written */
u_char *ngx_http_im_settings_text(ngx_uint_t wanting, u_char *p, u_char *last);

/* whether the server may throw keys away; 0 also when it does not tell */
ngx_uint_t ngx_http_im_settings_evicts(ngx_http_im_cmd_t *cmd);


#endif /* _NGX_HTTP_IM_SETTINGS_H_INCLUDED_ */
