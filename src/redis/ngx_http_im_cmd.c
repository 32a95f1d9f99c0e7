
#include "ngx_http_im_cmd.h"


static u_char *ngx_http_im_cmd_alloc(ngx_http_im_pipeline_t *p,
    ngx_http_im_kind_e kind, size_t size, ngx_http_im_cmd_t **cmd);
static size_t ngx_http_im_cmd_args_len(const ngx_str_t *argv,
    ngx_uint_t argc);
static u_char *ngx_http_im_cmd_args_copy(u_char *b, ngx_http_im_cmd_t *cmd,
    ngx_uint_t key, const ngx_str_t *argv, ngx_uint_t argc);
static ngx_inline u_char *ngx_http_im_cmd_len_copy(u_char *p, u_char type,
    size_t n);
static ngx_inline size_t ngx_http_im_cmd_digits(size_t n);


/* what an EVALSHA has between the number of its arguments and the SHA1 */

static const u_char  ngx_http_im_cmd_evalsha[] =
    "$7" CRLF "EVALSHA" CRLF "$40" CRLF;

#define NGX_HTTP_IM_EVALSHA_LEN                                              \
    (sizeof(ngx_http_im_cmd_evalsha) - 1 + 40 + sizeof(CRLF) - 1)


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
ngx_http_im_cmd_add(ngx_http_im_pipeline_t *p, ngx_http_im_kind_e kind,
    ngx_uint_t key, const ngx_str_t *argv, ngx_uint_t argc)
{
    size_t              size;
    u_char             *b;
    ngx_http_im_cmd_t  *cmd;

    size = ngx_http_im_cmd_digits(argc) + sizeof("*\r\n") - 1
           + ngx_http_im_cmd_args_len(argv, argc);

    b = ngx_http_im_cmd_alloc(p, kind, size, &cmd);
    if (b == NULL) {
        return NULL;
    }

    cmd->argc = argc;

    b = ngx_http_im_cmd_len_copy(b, '*', argc);

    (void) ngx_http_im_cmd_args_copy(b, cmd, key, argv, argc);

    return cmd;
}


ngx_http_im_cmd_t *
ngx_http_im_cmd_add_script(ngx_http_im_pipeline_t *p, ngx_http_im_kind_e kind,
    const ngx_http_im_script_t *script, const ngx_str_t *argv,
    ngx_uint_t argc)
{
    size_t              size;
    u_char             *b;
    ngx_http_im_cmd_t  *cmd;

    size = ngx_http_im_cmd_digits(2 + argc) + sizeof("*\r\n") - 1
           + NGX_HTTP_IM_EVALSHA_LEN + ngx_http_im_cmd_args_len(argv, argc);

    b = ngx_http_im_cmd_alloc(p, kind, size, &cmd);
    if (b == NULL) {
        return NULL;
    }

    cmd->argc = 2 + argc;
    cmd->script = script;

    b = ngx_http_im_cmd_len_copy(b, '*', 2 + argc);
    b = ngx_cpymem(b, ngx_http_im_cmd_evalsha,
                   sizeof(ngx_http_im_cmd_evalsha) - 1);
    b = ngx_cpymem(b, script->sha1.data, 40);

    *b++ = CR;
    *b++ = LF;

    (void) ngx_http_im_cmd_args_copy(b, cmd, 1, argv, argc);

    return cmd;
}


ngx_int_t
ngx_http_im_cmd_eval(ngx_http_im_cmd_t *cmd, ngx_pool_t *pool)
{
    u_char     *p, *rest;
    size_t      len;
    ngx_str_t   resp;

    if (cmd->script == NULL) {
        return NGX_DECLINED;
    }

    rest = cmd->resp.data + ngx_http_im_cmd_digits(cmd->argc)
           + sizeof("*\r\n") - 1 + NGX_HTTP_IM_EVALSHA_LEN;
    len = cmd->resp.data + cmd->resp.len - rest;

    resp.data = ngx_pnalloc(pool, sizeof("*\r\n$4\r\nEVAL\r\n$\r\n\r\n")
                                  + 2 * NGX_SIZE_T_LEN
                                  + cmd->script->text.len + len);
    if (resp.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(resp.data, "*%ui" CRLF "$4" CRLF "EVAL" CRLF "$%uz" CRLF
                    "%V" CRLF, cmd->argc, cmd->script->text.len,
                    &cmd->script->text);

    if (cmd->key.len) {
        cmd->key.data = p + (cmd->key.data - rest);
    }

    p = ngx_cpymem(p, rest, len);

    resp.len = p - resp.data;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                   "im cmd:%p job:%p sends all of script \"%V\" len:%uz",
                   cmd, cmd->job, &cmd->script->name, resp.len);

    cmd->resp = resp;
    cmd->script = NULL;

    return NGX_OK;
}


ngx_http_im_cmd_t *
ngx_http_im_cmd_add_slots(ngx_http_im_pipeline_t *p)
{
    ngx_str_t  argv[2];

    ngx_str_set(&argv[0], "CLUSTER");
    ngx_str_set(&argv[1], "SLOTS");

    return ngx_http_im_cmd_add(p, NGX_HTTP_IM_SETUP, 0, argv, 2);
}


static u_char *
ngx_http_im_cmd_alloc(ngx_http_im_pipeline_t *p, ngx_http_im_kind_e kind,
    size_t size, ngx_http_im_cmd_t **cmd)
{
    u_char             *b;
    ngx_http_im_cmd_t  *c;

    c = ngx_pcalloc(p->pool, sizeof(ngx_http_im_cmd_t));
    b = ngx_pnalloc(p->pool, size);

    if (c == NULL || b == NULL) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, p->pool->log, 0,
                       "im pipeline:%p no memory for a command of %uz bytes",
                       p, size);

        p->failed = 1;
        return NULL;
    }

    c->resp.data = b;
    c->resp.len = size;
    c->kind = kind;

    *p->last = c;
    p->last = &c->next;
    p->n++;

    *cmd = c;

    return b;
}


static size_t
ngx_http_im_cmd_args_len(const ngx_str_t *argv, ngx_uint_t argc)
{
    size_t      len;
    ngx_uint_t  i;

    for (len = 0, i = 0; i < argc; i++) {
        len += ngx_http_im_cmd_digits(argv[i].len)
               + sizeof("$\r\n\r\n") - 1 + argv[i].len;
    }

    return len;
}


static u_char *
ngx_http_im_cmd_args_copy(u_char *b, ngx_http_im_cmd_t *cmd, ngx_uint_t key,
    const ngx_str_t *argv, ngx_uint_t argc)
{
    ngx_uint_t  i;

    for (i = 0; i < argc; i++) {
        b = ngx_http_im_cmd_len_copy(b, '$', argv[i].len);

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

    return b;
}


static ngx_inline u_char *
ngx_http_im_cmd_len_copy(u_char *p, u_char type, size_t n)
{
    u_char  *q;

    *p++ = type;

    p += ngx_http_im_cmd_digits(n);
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
ngx_http_im_cmd_digits(size_t n)
{
    size_t  digits;

    for (digits = 1; n >= 10; n /= 10) {
        digits++;
    }

    return digits;
}
