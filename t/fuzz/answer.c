
/*
 * A whole call, with a store that says anything.  Input: flags, path, LF,
 * body, LF, the replies to its commands.
 *
 * Commands are read back by hiredis.  The answer is read back by jansson where
 * the store's strings have nothing that would end a JSON string, but for those
 * of a group's settings, which are JSON.
 */

#include "fuzz.h"
#include <hiredis/hiredis.h>


#define FUZZ_ROUNDS  10


static ngx_uint_t fuzz_clean(ngx_http_im_reply_t *reply);
static ngx_uint_t fuzz_settings(ngx_http_im_cmd_t *cmd);
static ngx_uint_t fuzz_users(ngx_http_im_reply_t *reply);
static ngx_uint_t fuzz_info(ngx_http_im_reply_t *reply);
static void fuzz_command(ngx_http_im_cmd_t *cmd);
static void fuzz_json(ngx_http_im_call_t *call);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t               rc;
    ngx_str_t               path, body;
    ngx_uint_t              i, clean;
    ngx_pool_t             *pool;
    fuzz_call_t             f;
    const uint8_t          *p, *last;
    ngx_http_im_cmd_t      *cmd;
    ngx_http_im_call_t     *call;
    ngx_http_im_decoder_t   d;

    if (size < 2 || size > 70000) {
        return 0;
    }

    p = data + 1;
    last = data + size;

    path = fuzz_until(&p, last, '\n');
    body = fuzz_until(&p, last, '\n');

    clean = 1;
    pool = fuzz_pool();
    if (pool == NULL) {
        return 0;
    }

    if (ngx_http_im_decoder_init(&d) != NGX_OK) {
        ngx_destroy_pool(pool);
        return 0;
    }

    if (last > p
        && ngx_http_im_decoder_feed(&d, (u_char *) p, last - p) != NGX_OK)
    {
        goto done;
    }

    rc = fuzz_check(&f, pool, data[0], &path, &body);
    call = f.call;

    if (rc != NGX_OK) {
        goto done;
    }

    for (i = 0; /* void */ ; i++) {

        fuzz_assert(i < FUZZ_ROUNDS);

        rc = ngx_http_im_call_run(call);

        if (rc != NGX_AGAIN) {
            break;
        }

        /* nothing to wait for would be for ever */

        fuzz_assert(f.job.pipeline.n);

        for (cmd = f.job.pipeline.first; cmd; cmd = cmd->next) {
            fuzz_own = 1;
            fuzz_command(cmd);
            fuzz_own = 0;

            rc = ngx_http_im_decoder_next(&d, pool);
            if (rc != NGX_OK) {
                goto done;
            }

            cmd->reply = d.root;
            cmd->state = NGX_HTTP_IM_CMD_DONE;

            fuzz_own = 1;
            clean &= fuzz_settings(cmd) || fuzz_clean(&cmd->reply);
            fuzz_own = 0;
        }
    }

    switch (rc) {

    case NGX_OK:

        if (clean && !fuzz_no_memory) {
            fuzz_own = 1;
            fuzz_json(call);
            fuzz_own = 0;
        }

        break;

    case NGX_DECLINED:

        if (!fuzz_no_memory) {
            fuzz_refusal(&call->error);
        }

        break;

    default:
        fuzz_assert(rc == NGX_ERROR);
    }

done:

    ngx_http_im_decoder_free(&d);
    ngx_destroy_pool(pool);

    return 0;
}


static ngx_uint_t
fuzz_clean(ngx_http_im_reply_t *reply)
{
    size_t      i;
    u_char      ch;
    ngx_uint_t  n;

    if (reply->type == NGX_HTTP_IM_REPLY_ARRAY) {

        for (n = 0; n < reply->nelts; n++) {
            if (!fuzz_clean(&reply->elts[n])) {
                return 0;
            }
        }

        return 1;
    }

    if (reply->type != NGX_HTTP_IM_REPLY_STRING) {
        return 1;
    }

    for (i = 0; i < reply->str.len; i++) {
        ch = reply->str.data[i];

        if (ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '\\') {
            return 0;
        }
    }

    return 1;
}


/* users and info of a group, both of the form that the scripts give them */

static ngx_uint_t
fuzz_settings(ngx_http_im_cmd_t *cmd)
{
    ngx_http_im_reply_t  *reply;

    reply = &cmd->reply;

    if (cmd->key.len < 2
        || ngx_strncmp(cmd->key.data + cmd->key.len - 2, ":x", 2) != 0)
    {
        return 0;
    }

    if (reply->type == NGX_HTTP_IM_REPLY_STRING) {
        return fuzz_users(reply);
    }

    return reply->type == NGX_HTTP_IM_REPLY_ARRAY && reply->nelts == 2
           && fuzz_users(&reply->elts[0]) && fuzz_info(&reply->elts[1]);
}


static ngx_uint_t
fuzz_users(ngx_http_im_reply_t *reply)
{
    ngx_int_t  rc;
    ngx_str_t  users, id;

    users = reply->str;

    if (reply->type != NGX_HTTP_IM_REPLY_STRING || users.len == 0) {
        return 0;
    }

    do {
        rc = ngx_http_im_users_next(&users, &id);
    } while (rc == NGX_OK);

    return rc == NGX_DONE;
}


/* members of an object, none of which the answer has itself */

static ngx_uint_t
fuzz_info(ngx_http_im_reply_t *reply)
{
    char        *text;
    json_t      *json;
    ngx_uint_t   ok;

    if (reply->type != NGX_HTTP_IM_REPLY_STRING || reply->str.len == 0) {
        return 0;
    }

    text = malloc(reply->str.len + 2);

    text[0] = '{';
    ngx_memcpy(text + 1, reply->str.data, reply->str.len);
    text[reply->str.len + 1] = '}';

    json = json_loadb(text, reply->str.len + 2, JSON_REJECT_DUPLICATES, NULL);

    ok = json && json_object_size(json) == 3
         && json_object_get(json, "name") && json_object_get(json, "img")
         && json_object_get(json, "description");

    json_decref(json);
    free(text);

    return ok;
}


static void
fuzz_command(ngx_http_im_cmd_t *cmd)
{
    size_t        i;
    ngx_uint_t    found;
    redisReply   *reply;
    redisReader  *reader;

    reader = redisReaderCreate();
    if (reader == NULL) {
        return;
    }

    if (redisReaderFeed(reader, (char *) cmd->resp.data, cmd->resp.len)
        == REDIS_OK)
    {
        fuzz_assert(redisReaderGetReply(reader, (void **) &reply)
                    == REDIS_OK);
        fuzz_assert(reply && reply->type == REDIS_REPLY_ARRAY);
        fuzz_assert(reader->pos == reader->len || reader->len == 0);

        for (found = 0, i = 0; i < reply->elements; i++) {
            fuzz_assert(reply->element[i]->type == REDIS_REPLY_STRING);

            if (reply->element[i]->len == (ssize_t) cmd->key.len
                && ngx_memcmp(reply->element[i]->str, cmd->key.data,
                              cmd->key.len) == 0)
            {
                found = 1;
            }
        }

        fuzz_assert(found);

        /* one hash tag, and none that the caller has chosen */

        fuzz_assert(cmd->key.len > 3
                    && ngx_strncmp(cmd->key.data, "im:", 3) == 0);

        freeReplyObject(reply);
    }

    redisReaderFree(reader);
}


static void
fuzz_json(ngx_http_im_call_t *call)
{
    off_t          length;
    u_char        *text, *p;
    json_t        *json;
    ngx_chain_t   *cl;
    json_error_t   error;

    length = ngx_http_im_writer_close(&call->writer);
    fuzz_assert(length >= 0);

    if (length == 0) {
        return;
    }

    p = text = malloc(length);

    for (cl = call->writer.first; cl; cl = cl->next) {
        fuzz_assert((cl->buf->last - cl->buf->pos) <= text + length - p);
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    fuzz_assert(p == text + length);

    json = json_loadb((char *) text, length, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {
        fprintf(stderr, "%.*s\n%s\n", (int) length, text, error.text);
    }

    fuzz_assert(json);

    json_decref(json);
    free(text);
}
