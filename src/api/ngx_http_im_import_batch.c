
#include "ngx_http_im_import_check.h"
#include "ngx_http_im_import_batch.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_group.h"
#include <ngx_sha1.h>


/* before the ids of members, and of each message */
#define NGX_HTTP_IM_BATCH_ARGS       8
#define NGX_HTTP_IM_BATCH_ROW_ARGS   4


static ngx_int_t ngx_http_im_batch_pair_set(ngx_http_im_call_t *call,
    ngx_http_im_batch_t *batch);
static ngx_int_t ngx_http_im_batch_group_set(ngx_http_im_call_t *call,
    ngx_http_im_batch_t *batch);
static ngx_int_t ngx_http_im_batch_digest(ngx_pool_t *pool, ngx_str_t *users,
    ngx_uint_t n, ngx_str_t *digest);
static int ngx_libc_cdecl ngx_http_im_batch_compare(const void *one,
    const void *two);
static ngx_int_t ngx_http_im_batch_row_set(ngx_pool_t *pool,
    ngx_http_im_import_row_t *row, ngx_str_t *argv);
static ngx_int_t ngx_http_im_batch_number(ngx_pool_t *pool, int64_t n,
    ngx_str_t *dst);


ngx_int_t
ngx_http_im_batch_create(ngx_http_im_call_t *call, ngx_http_im_batch_t *batch)
{
    ngx_str_t                  *argv;
    ngx_uint_t                  i, n;
    ngx_http_im_import_row_t   *row;
    ngx_http_im_import_args_t  *args;

    args = call->args;

    batch->users = args->conv_users.elts;
    batch->nusers = args->conv_users.nelts;

    n = call->pair ? 0 : batch->nusers;

    argv = ngx_pcalloc(call->pool,
                       (NGX_HTTP_IM_BATCH_ARGS + n
                        + NGX_HTTP_IM_BATCH_ROW_ARGS * args->messages.nelts)
                       * sizeof(ngx_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    batch->argv = argv;

    if (args->created.set
        && ngx_http_im_batch_number(call->pool, args->created.ms, &argv[1])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (args->unread) {
        ngx_str_set(&argv[2], "1");
    }

    if ((call->pair ? ngx_http_im_batch_pair_set(call, batch)
                    : ngx_http_im_batch_group_set(call, batch))
        != NGX_OK
        || ngx_http_im_batch_number(call->pool, n, &argv[7]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    argv += NGX_HTTP_IM_BATCH_ARGS;

    for (i = 0; i < n; i++) {
        *argv++ = batch->users[i];
    }

    batch->head_argc = argv - batch->argv;

    row = args->messages.elts;

    for (i = 0; i < args->messages.nelts; i++) {
        batch->size += row[i].msg.escaped.len;

        if (ngx_http_im_batch_row_set(call->pool, &row[i], argv) != NGX_OK) {
            return NGX_ERROR;
        }

        argv += NGX_HTTP_IM_BATCH_ROW_ARGS;
    }

    batch->argc = argv - batch->argv;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im batch users:%ui messages:%ui job:%p",
                   batch->nusers, args->messages.nelts, call->job);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_batch_pair_set(ngx_http_im_call_t *call,
    ngx_http_im_batch_t *batch)
{
    batch->argv[3].data = ngx_pnalloc(call->pool, NGX_HTTP_IM_PAIR_USERS_LEN);
    if (batch->argv[3].data == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&batch->argv[5], "0");

    if (ngx_http_im_conv_pair_users(&batch->users[0], &batch->users[1],
                                    &batch->argv[3]))
    {
        ngx_str_set(&batch->argv[5], "1");
    }

    batch->argv[4] = call->name_id;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_batch_group_set(ngx_http_im_call_t *call,
    ngx_http_im_batch_t *batch)
{
    ngx_http_im_import_args_t  *args;

    args = call->args;

    batch->argv[4] = args->owner_id;

    if (ngx_http_im_group_users_join(call->pool, batch->users, batch->nusers,
                                     &batch->argv[3])
        != NGX_OK
        || ngx_http_im_group_info_join(call->pool, &args->name, &args->img,
                                       &args->description, &batch->argv[5])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_batch_digest(call->pool, batch->users, batch->nusers,
                                    &batch->argv[6]);
}


/* the same for the same users in any order */

static ngx_int_t
ngx_http_im_batch_digest(ngx_pool_t *pool, ngx_str_t *users, ngx_uint_t n,
    ngx_str_t *digest)
{
    u_char       hash[20];
    ngx_str_t   *sorted;
    ngx_sha1_t   sha1;
    ngx_uint_t   i;

    sorted = ngx_palloc(pool, n * sizeof(ngx_str_t));
    digest->data = ngx_pnalloc(pool, 2 * sizeof(hash));

    if (sorted == NULL || digest->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(sorted, users, n * sizeof(ngx_str_t));
    ngx_qsort(sorted, n, sizeof(ngx_str_t), ngx_http_im_batch_compare);

    ngx_sha1_init(&sha1);

    for (i = 0; i < n; i++) {
        ngx_sha1_update(&sha1, sorted[i].data, sorted[i].len);
        ngx_sha1_update(&sha1, " ", 1);
    }

    ngx_sha1_final(hash, &sha1);

    digest->len = ngx_hex_dump(digest->data, hash, sizeof(hash))
                  - digest->data;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_im_batch_compare(const void *one, const void *two)
{
    return (int) ngx_http_im_id_order((ngx_str_t *) one, (ngx_str_t *) two);
}


static ngx_int_t
ngx_http_im_batch_row_set(ngx_pool_t *pool, ngx_http_im_import_row_t *row,
    ngx_str_t *argv)
{
    u_char  *p;

    p = ngx_pnalloc(pool, NGX_INT64_LEN + sizeof(" 0r  ") + row->from_id.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    argv[0] = row->msg_id;
    argv[1] = row->from_id;
    argv[2].data = p;
    argv[2].len = ngx_sprintf(p, "%L %L%s %V ", row->from_time, row->msg_type,
                              row->msg.len ? "" : "r", &row->from_id)
                  - p;
    argv[3] = row->msg.escaped;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_batch_number(ngx_pool_t *pool, int64_t n, ngx_str_t *dst)
{
    dst->data = ngx_pnalloc(pool, NGX_INT64_LEN);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    dst->len = ngx_sprintf(dst->data, "%L", n) - dst->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_im_batch_result(ngx_http_im_batch_t *batch, ngx_str_t *result)
{
    u_char      *p, *last, *space;
    int64_t     *n[2];
    ngx_uint_t   i;

    n[0] = &batch->stored;
    n[1] = &batch->skipped;

    p = result->data;
    last = p + result->len;

    if (result->len < 3 || ngx_strncmp(p, "ok ", 3) != 0) {
        return NGX_ERROR;
    }

    p += 3;

    for (i = 0; i < 2; i++) {
        space = ngx_strlchr(p, last, ' ');

        if (space == NULL) {
            return NGX_ERROR;
        }

        *n[i] = ngx_http_im_atoi(p, space - p);

        if (*n[i] < 0) {
            return NGX_ERROR;
        }

        p = space + 1;
    }

    batch->score.data = p;
    batch->score.len = last - p;

    return batch->score.len ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_im_batch_write(ngx_http_im_call_t *call, ngx_http_im_batch_t *batch)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im batch stored:%L skipped:%L job:%p",
                   batch->stored, batch->skipped, call->job);

    ngx_http_im_write_lit(&call->writer, "{\"stored\":");
    ngx_http_im_write_int(&call->writer, batch->stored);
    ngx_http_im_write_lit(&call->writer, ",\"skipped\":");
    ngx_http_im_write_int(&call->writer, batch->skipped);
    ngx_http_im_write_lit(&call->writer, "}");

    return NGX_OK;
}
