
#ifndef _NGX_HTTP_IM_SCRIPT_H_INCLUDED_
#define _NGX_HTTP_IM_SCRIPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_HTTP_IM_SCRIPT_SEND = 0,
    NGX_HTTP_IM_SCRIPT_READ,
    NGX_HTTP_IM_SCRIPT_GROUP_CREATE,
    NGX_HTTP_IM_SCRIPT_GROUP_ADD,
    NGX_HTTP_IM_SCRIPT_GROUP_ALIAS,
    NGX_HTTP_IM_SCRIPT_GROUP_SET,
    NGX_HTTP_IM_SCRIPT_GROUP_LEAVE,
    NGX_HTTP_IM_SCRIPT_GROUP_REMOVE,
    NGX_HTTP_IM_SCRIPT_GROUP_TRANSFER,
    NGX_HTTP_IM_SCRIPT_GROUP_DISMISS,
    NGX_HTTP_IM_SCRIPT_GROUPS,
    NGX_HTTP_IM_SCRIPT_FRONTS,
    NGX_HTTP_IM_SCRIPT_UNREAD,
    NGX_HTTP_IM_SCRIPT_JOIN,
    NGX_HTTP_IM_SCRIPT_UNJOIN,
    NGX_HTTP_IM_SCRIPT_RECALL,
    NGX_HTTP_IM_SCRIPT_HIDE,
    NGX_HTTP_IM_SCRIPT_READERS,
    NGX_HTTP_IM_SCRIPT_TYPING,
    NGX_HTTP_IM_SCRIPT_MISSED,
    NGX_HTTP_IM_SCRIPT_IMPORT,
    NGX_HTTP_IM_SCRIPT_CLAIM,
    NGX_HTTP_IM_SCRIPT_INBOX,
    NGX_HTTP_IM_SCRIPT_PAGE,
    NGX_HTTP_IM_SCRIPT_TRIAL,     /* the last: of a setup, not of a call */
    NGX_HTTP_IM_SCRIPTS
} ngx_http_im_script_e;


/* a Lua script in src/script; EVALSHA names it by the SHA1 of its text */

typedef struct {
    ngx_str_t    name;
    ngx_str_t    text;
    ngx_str_t    sha1;       /* in hex */
} ngx_http_im_script_t;


/*
 * All of them, NGX_HTTP_IM_SCRIPTS, by number.  Made when the configuration is
 * read, and constant from then on; NULL when out of memory.
 */
ngx_http_im_script_t *ngx_http_im_scripts_create(ngx_pool_t *pool);


#endif /* _NGX_HTTP_IM_SCRIPT_H_INCLUDED_ */
