
#include "ngx_http_im_unsent.h"


static ngx_http_im_holder_t *ngx_http_im_unsent_find(
    ngx_http_im_unsent_t *unsent, ngx_str_t *key, uint32_t *hash);


void
ngx_http_im_unsent_init(ngx_http_im_unsent_t *unsent)
{
    ngx_rbtree_init(&unsent->tree, &unsent->sentinel,
                    ngx_str_rbtree_insert_value);
    unsent->size = 0;
    unsent->logged = 0;
}


ngx_uint_t
ngx_http_im_unsent_allows(ngx_http_im_unsent_t *unsent, ngx_str_t *key,
    size_t size, ngx_log_t *log)
{
    size_t                 held, limit;
    uint32_t               hash;
    ngx_http_im_holder_t  *holder;

    if (unsent->size == 0) {
        return 1;
    }

    holder = ngx_http_im_unsent_find(unsent, key, &hash);
    held = holder ? holder->size : 0;

    limit = (unsent->size < NGX_HTTP_IM_UNSENT_MAX)
            ? (NGX_HTTP_IM_UNSENT_MAX - unsent->size) / 2 : 0;

    if (held) {
        limit = ngx_min(limit, NGX_HTTP_IM_UNSENT_MAX / 4);
    }

    if (held + size <= limit) {
        return 1;
    }

    if (unsent->logged != ngx_time()) {
        unsent->logged = ngx_time();

        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "im: an answer is refused: the client has not taken %uz "
                      "bytes of others, all clients %uz", held, unsent->size);
    }

    return 0;
}


ngx_http_im_holder_t *
ngx_http_im_unsent_add(ngx_http_im_unsent_t *unsent, ngx_str_t *key,
    size_t size, ngx_log_t *log)
{
    uint32_t               hash;
    ngx_http_im_holder_t  *holder;

    holder = ngx_http_im_unsent_find(unsent, key, &hash);

    if (holder == NULL) {
        holder = ngx_alloc(sizeof(ngx_http_im_holder_t) + key->len, log);
        if (holder == NULL) {
            return NULL;
        }

        holder->node.node.key = hash;
        holder->node.str.len = key->len;
        holder->node.str.data = (u_char *) (holder + 1);
        ngx_memcpy(holder->node.str.data, key->data, key->len);

        holder->unsent = unsent;
        holder->size = 0;
        holder->requests = 0;

        ngx_rbtree_insert(&unsent->tree, &holder->node.node);
    }

    holder->size += size;
    holder->requests++;
    unsent->size += size;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, log, 0,
                   "im unsent \"%V\" add:%uz holder:%uz all:%uz",
                   key, size, holder->size, unsent->size);

    return holder;
}


void
ngx_http_im_unsent_subtract(ngx_http_im_holder_t *holder, size_t size)
{
    ngx_http_im_unsent_t  *unsent;

    unsent = holder->unsent;

    holder->size -= size;
    holder->requests--;
    unsent->size -= size;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im unsent \"%V\" subtract:%uz holder:%uz all:%uz",
                   &holder->node.str, size, holder->size, unsent->size);

    if (holder->requests == 0) {
        ngx_rbtree_delete(&unsent->tree, &holder->node.node);
        ngx_free(holder);
    }
}


static ngx_http_im_holder_t *
ngx_http_im_unsent_find(ngx_http_im_unsent_t *unsent, ngx_str_t *key,
    uint32_t *hash)
{
    *hash = ngx_crc32_long(key->data, key->len);

    return (ngx_http_im_holder_t *)
               ngx_str_rbtree_lookup(&unsent->tree, key, *hash);
}
