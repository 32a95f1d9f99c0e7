
#ifndef _NGX_HTTP_IM_INPUT_H_INCLUDED_
#define _NGX_HTTP_IM_INPUT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_im_cmd.h"
#include "ngx_http_im_output.h"


/*
 * What a connection reads: bytes become replies, each goes to its command,
 * and the commands are held until the fence behind them has come.  It knows
 * no socket.
 */

typedef struct {
    ngx_http_im_decoder_t     decoder;
    ngx_queue_t               held;      /* commands with replies, no fence */
    size_t                    charge;    /* of the held ones */
    uint64_t                  trip;      /* of the last fence, in us */
    uint64_t                  longer;    /* by so much than the one before */
    const char               *error;     /* set with NGX_ERROR */
    ngx_str_t                 words;     /* of the server or the decoder */
} ngx_http_im_input_t;


typedef struct {

    /* a command has its reply, in step with the others */
    void (*reply)(void *data, ngx_http_im_cmd_t *cmd);

    /* the server refuses the fences: replies may be out of step */
    void (*denied)(void *data, ngx_str_t *error);

} ngx_http_im_input_handlers_t;


/* for a new connection; NGX_ERROR when out of memory */
ngx_int_t ngx_http_im_input_init(ngx_http_im_input_t *in);

/* it is gone: held commands go back to the head of out->sent */
void ngx_http_im_input_reset(ngx_http_im_input_t *in,
    ngx_http_im_output_t *out);

/*
 * NGX_OK; NGX_ERROR: the bytes are no valid replies to what was sent,
 * in->error and in->words tell why, and the connection must be closed.
 */
ngx_int_t ngx_http_im_input_read(ngx_http_im_input_t *in,
    ngx_http_im_output_t *out, u_char *p, size_t len,
    const ngx_http_im_input_handlers_t *handlers, void *data);


/*
 * An error in the last of the replies if no fence came behind it: why the
 * server is about to close the connection.  NGX_DECLINED: there is none.
 */
ngx_int_t ngx_http_im_input_last_error(ngx_http_im_input_t *in,
    ngx_str_t *error);


#endif /* _NGX_HTTP_IM_INPUT_H_INCLUDED_ */
