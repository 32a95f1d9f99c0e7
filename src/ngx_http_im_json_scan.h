
#ifndef _NGX_HTTP_IM_JSON_SCAN_H_INCLUDED_
#define _NGX_HTTP_IM_JSON_SCAN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_error.h"
#include "ngx_http_im_json_value.h"


/*
 * Checks a body in one pass before jansson builds a tree of it: whether it is
 * a JSON object, and whether the tree stays small.  A tree takes up to 240
 * bytes for a value of three, so what is bounded is the number of values, not
 * the length of the body.
 *
 * jansson refuses numbers beyond int64_t and double, which members that a call
 * does not know may have.  In a copy of the body such an integer becomes the
 * largest or smallest int64_t, and every number with a fraction or an exponent
 * becomes 0.5: no field takes one.  All positions stay the same.
 *
 * Only repeated names of members are left to jansson.
 *
 * NGX_OK; NGX_DECLINED: error and the rest are set; NGX_ERROR: out of memory.
 * The caller sets pool, body and len.
 */
ngx_int_t ngx_http_im_json_scan(ngx_http_im_json_scan_t *scan);

/* sets the sentence after NGX_DECLINED; returns as ngx_http_im_error_set() */
ngx_int_t ngx_http_im_json_scan_error(ngx_http_im_json_scan_t *scan,
    ngx_http_im_error_t *error);

/*
 * The member whose name ends before byte n of the body, counted from 1, as
 * far as the name is plain: letters, digits, "_", "-" and "."; otherwise "".
 */
void ngx_http_im_json_scan_name(u_char *body, size_t n, ngx_str_t *name);

/* frees the copy, if there is one */
void ngx_http_im_json_scan_done(ngx_http_im_json_scan_t *scan);


#endif /* _NGX_HTTP_IM_JSON_SCAN_H_INCLUDED_ */
