
#ifndef _NGX_HTTP_IM_IDENTITY_H_INCLUDED_
#define _NGX_HTTP_IM_IDENTITY_H_INCLUDED_


#include "ngx_http_im.h"


/* Who calls: im_trusted, im_user and im_origin. */

typedef enum {
    NGX_HTTP_IM_TRUSTED_OFF = 0,
    NGX_HTTP_IM_TRUSTED_ON,
    NGX_HTTP_IM_TRUSTED_PRIVATE,     /* by the address of the peer */
    NGX_HTTP_IM_TRUSTED_VALUE        /* by a value with variables */
} ngx_http_im_trusted_e;


typedef struct {
    ngx_str_t     user;       /* who may act for himself, in the request's
                                 memory; "" for a trusted caller */
    const char   *refused;    /* a sentence, if NGX_DECLINED */
    unsigned      trusted:1;  /* may act for anybody */
} ngx_http_im_identity_t;


/* the im_trusted directive */
char *ngx_http_im_identity_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* im_trusted, im_user and im_origin of a location */
void ngx_http_im_identity_merge(ngx_conf_t *cf, ngx_http_im_loc_conf_t *up,
    ngx_http_im_loc_conf_t *lcf);

/*
 * NGX_OK: either user or trusted is set; NGX_DECLINED: nobody who may call;
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_im_identity_get(ngx_http_request_t *r,
    ngx_http_im_identity_t *identity);


#endif /* _NGX_HTTP_IM_IDENTITY_H_INCLUDED_ */
