
#include "ngx_http_im_cmd.h"


static ngx_inline u_char *ngx_http_im_pipeline_length(u_char *p, u_char type,
    size_t n);
static ngx_inline size_t ngx_http_im_pipeline_digits(size_t n);


void
ngx_http_im_pipeline_init(ngx_http_im_pipeline_t *p, ngx_pool_t *pool)
{
    p->pool = pool;
    p->first = NULL;
    p->last = &p->first;
    p->n = 0;
    p->failed = 0;
}


ngx_http_im_cmd_t *
ngx_http_im_pipeline_add(ngx_http_im_pipeline_t *p, ngx_uint_t kind,
    ngx_uint_t key, const ngx_str_t *argv, ngx_uint_t argc)
{
    size_t              size;
    u_char             *b;
    ngx_uint_t          i;
    ngx_http_im_cmd_t  *cmd;

    size = ngx_http_im_pipeline_digits(argc) + sizeof("*\r\n") - 1;

    for (i = 0; i < argc; i++) {
        size += ngx_http_im_pipeline_digits(argv[i].len)
                + sizeof("$\r\n\r\n") - 1 + argv[i].len;
    }

    cmd = ngx_pcalloc(p->pool, sizeof(ngx_http_im_cmd_t));
    b = ngx_pnalloc(p->pool, size);

    if (cmd == NULL || b == NULL) {
        p->failed = 1;
        return NULL;
    }

    cmd->resp.data = b;
    cmd->resp.len = size;

    b = ngx_http_im_pipeline_length(b, '*', argc);

    for (i = 0; i < argc; i++) {
        b = ngx_http_im_pipeline_length(b, '$', argv[i].len);

        if (i == key) {
            cmd->key.data = b;
            cmd->key.len = argv[i].len;
        }

        if (argv[i].len) {
            b = ngx_cpymem(b, argv[i].data, argv[i].len);
        }

        *b++ = CR;
        *b++ = LF;
    }

    cmd->write = (kind != NGX_HTTP_IM_READ);
    cmd->again = (kind != NGX_HTTP_IM_WRITE);

    *p->last = cmd;
    p->last = &cmd->next;
    p->n++;

    return cmd;
}


static ngx_inline u_char *
ngx_http_im_pipeline_length(u_char *p, u_char type, size_t n)
{
    u_char  *q;

    *p++ = type;

    p += ngx_http_im_pipeline_digits(n);
    q = p;

    do {
        *--q = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    *p++ = CR;
    *p++ = LF;

    return p;
}


static ngx_inline size_t
ngx_http_im_pipeline_digits(size_t n)
{
    size_t  digits;

    for (digits = 1; n >= 10; n /= 10) {
        digits++;
    }

    return digits;
}
