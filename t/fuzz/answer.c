
/*
 * A whole call, with a store that says anything.  Input: flags, path, LF,
 * body, LF, the replies to its commands.
 *
 * Commands are read back by hiredis.  The answer is read back by jansson, and
 * has the form of its call, where the store's strings are what they are stored
 * as: the inside of a JSON string, or the members and the description of a
 * group, which go into the answer as they are.
 */

#include "fuzz.h"
#include <hiredis/hiredis.h>


#define FUZZ_ROUNDS  10


#define fuzz_is(op, text)                                                     \
    ((op)->name.len == sizeof(text) - 1                                       \
     && ngx_strncmp((op)->name.data, text, sizeof(text) - 1) == 0)


static ngx_uint_t fuzz_clean(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd,
    ngx_uint_t n, ngx_http_im_reply_t *reply);
static ngx_str_t fuzz_field(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd,
    ngx_uint_t n, ngx_http_im_reply_t *reply);
static ngx_str_t fuzz_arg(ngx_http_im_cmd_t *cmd, ngx_uint_t n);
static json_t *fuzz_parse(const char *before, ngx_str_t *text,
    const char *after);
static ngx_uint_t fuzz_strings(json_t *json);
static ngx_uint_t fuzz_info(json_t *json);
static void fuzz_command(ngx_http_im_cmd_t *cmd);
static void fuzz_json(ngx_http_im_call_t *call);
static void fuzz_count(const ngx_http_im_op_t *op);
static void fuzz_report(void);
static void fuzz_form(ngx_http_im_call_t *call, json_t *json);
static void fuzz_list_row(ngx_http_im_call_t *call, json_t *row);
static void fuzz_page_row(ngx_http_im_call_t *call, json_t *row);


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

            clean &= fuzz_clean(call, cmd, 0, &d.root);
            cmd->reply = d.root;
            cmd->state = NGX_HTTP_IM_CMD_DONE;
        }
    }

    switch (rc) {

    case NGX_OK:

        if (clean && !fuzz_no_memory) {
            fuzz_own = 1;
            fuzz_json(call);
            fuzz_count(call->op);
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


/* n: the element's number in the reply of a command for several fields */

static ngx_uint_t
fuzz_clean(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd, ngx_uint_t n,
    ngx_http_im_reply_t *reply)
{
    json_t      *json;
    ngx_str_t    field;
    ngx_uint_t   i, ok;

    if (reply->type == NGX_HTTP_IM_REPLY_ARRAY) {

        for (i = 0; i < reply->nelts; i++) {
            if (!fuzz_clean(call, cmd, i, &reply->elts[i])) {
                return 0;
            }
        }

        return 1;
    }

    if (reply->type != NGX_HTTP_IM_REPLY_STRING) {
        return 1;
    }

    fuzz_own = 1;

    field = fuzz_field(call, cmd, n, reply);

    if (field.len == 5 && ngx_strncmp(field.data, "users", 5) == 0) {
        json = fuzz_parse("[", &reply->str, "]");
        ok = json && fuzz_strings(json);

    } else if (field.len == 4 && ngx_strncmp(field.data, "info", 4) == 0) {
        json = fuzz_parse("{", &reply->str, "}");
        ok = json && fuzz_info(json);

    } else {
        json = fuzz_parse("\"", &reply->str, "\"");
        ok = json_is_string(json);
    }

    json_decref(json);

    fuzz_own = 0;

    return ok;
}


/* the field of a group's settings that an element of a reply is, or "" */

static ngx_str_t
fuzz_field(ngx_http_im_call_t *call, ngx_http_im_cmd_t *cmd, ngx_uint_t n,
    ngx_http_im_reply_t *reply)
{
    ngx_str_t   field, whole;

    ngx_str_null(&field);

    if (cmd->script == &call->scripts[NGX_HTTP_IM_SCRIPT_GROUPS]) {
        whole = fuzz_arg(cmd, cmd->argc - 1);

        if (whole.len && n % 3 == 1) {
            ngx_str_set(&field, "users");

        } else if (whole.len && n % 3 == 2) {
            ngx_str_set(&field, "info");
        }

    } else if (cmd->key.len > 2
               && ngx_strncmp(cmd->key.data + cmd->key.len - 2, ":x", 2) == 0)
    {
        field = fuzz_arg(cmd, 0);

        if (field.len == 7 && ngx_strncmp(field.data, "HGETALL", 7) == 0) {

            /* after each field its value */

            ngx_str_null(&field);

            if (n % 2 && reply[-1].type == NGX_HTTP_IM_REPLY_STRING) {
                field = reply[-1].str;
            }

        } else {
            field = fuzz_arg(cmd, 2 + n);
        }
    }

    return field;
}


/* an argument of a command, "" if it has not so many */

static ngx_str_t
fuzz_arg(ngx_http_im_cmd_t *cmd, ngx_uint_t n)
{
    char       *p, *last;
    size_t      len;
    ngx_str_t   arg;

    ngx_str_null(&arg);

    p = (char *) cmd->resp.data;
    last = p + cmd->resp.len;

    p = memchr(p, '\n', last - p);

    for ( /* void */ ; p && p + 1 < last && p[1] == '$'; n--) {
        len = strtoul(p + 2, &p, 10);
        p += 2;

        if (n == 0) {
            arg.data = (u_char *) p;
            arg.len = len;
            break;
        }

        p += len + 1;
    }

    return arg;
}


static json_t *
fuzz_parse(const char *before, ngx_str_t *text, const char *after)
{
    char    *copy;
    size_t   len;
    json_t  *json;

    copy = malloc(text->len + 2);

    len = text->len + 2;
    copy[0] = before[0];
    ngx_memcpy(copy + 1, text->data, text->len);
    copy[len - 1] = after[0];

    json = json_loadb(copy, len, JSON_REJECT_DUPLICATES|JSON_DECODE_ANY,
                      NULL);

    free(copy);

    return json;
}


static ngx_uint_t
fuzz_strings(json_t *json)
{
    size_t   i;
    json_t  *elt;

    json_array_foreach(json, i, elt) {
        if (!json_is_string(elt)) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
fuzz_info(json_t *json)
{
    json_t      *value;
    const char  *name;

    json_object_foreach(json, name, value) {
        if (!json_is_string(value)
            || (strcmp(name, "name") != 0 && strcmp(name, "img") != 0
                && strcmp(name, "description") != 0))
        {
            return 0;
        }
    }

    return 1;
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

        /* {} is the answer */

        fuzz_assert(call->op->write || fuzz_is(call->op, "conv_read"));
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

    fuzz_form(call, json);

    json_decref(json);
    free(text);
}


/*
 * With FUZZ_ANSWERS set, the calls of which no answer was looked at are named
 * at the end: a corpus that is out of step with the commands of a call would
 * show nothing.
 */

static ngx_uint_t  fuzz_answers[64];


static void
fuzz_count(const ngx_http_im_op_t *op)
{
    ngx_uint_t  n;

    static ngx_uint_t  once;

    if (!once) {
        once = 1;

        if (getenv("FUZZ_ANSWERS")) {
            atexit(fuzz_report);
        }
    }

    n = ngx_http_im_route_number(op);

    fuzz_assert(n < sizeof(fuzz_answers) / sizeof(fuzz_answers[0]));

    fuzz_answers[n]++;
}


static void
fuzz_report(void)
{
    ngx_uint_t               n;
    const ngx_http_im_op_t  *op;

    for (n = 0; n < ngx_http_im_route_calls(); n++) {
        op = ngx_http_im_route_op(n);

        if (op && fuzz_answers[n] == 0) {
            fprintf(stderr, "no answer of %.*s\n", (int) op->name.len,
                    op->name.data);
        }
    }
}


/* the members of each call's answer: all of them, of their types, no others */

static void
fuzz_form(ngx_http_im_call_t *call, json_t *json)
{
    int                      online;
    size_t                   i;
    json_t                  *row;
    json_int_t               n, more;
    const char              *s[3];
    const ngx_http_im_op_t  *op;

    op = call->op;

    if (fuzz_is(op, "unread")) {
        fuzz_assert(json_unpack_ex(json, NULL, JSON_STRICT, "{s:I}",
                                   "total", &n)
                    == 0);
        fuzz_assert(n >= 0);

    } else if (fuzz_is(op, "import")) {
        fuzz_assert(json_unpack_ex(json, NULL, JSON_STRICT, "{s:I, s:I}",
                                   "stored", &n, "skipped", &more)
                    == 0);
        fuzz_assert(n >= 0 && more >= 0);

    } else if (fuzz_is(op, "conv_list")) {
        fuzz_assert(json_is_array(json));
        fuzz_assert(json_array_size(json) <= call->options->list_max);

        json_array_foreach(json, i, row) {
            fuzz_list_row(call, row);
        }

    } else if (fuzz_is(op, "group_list")) {
        fuzz_assert(json_is_array(json));

        json_array_foreach(json, i, row) {
            fuzz_assert(json_unpack_ex(row, NULL, JSON_STRICT,
                                       "{s:s, s:s, s:s}", "id", &s[0],
                                       "name", &s[1], "alias", &s[2])
                        == 0);
        }

    } else if (fuzz_is(op, "user_get")) {
        fuzz_assert(json_is_array(json));

        json_array_foreach(json, i, row) {
            fuzz_assert(json_unpack_ex(row, NULL, JSON_STRICT,
                                       "{s:s, s:s, s:s}", "id", &s[0],
                                       "name", &s[1], "img", &s[2])
                        == 0);
        }

    } else if (fuzz_is(op, "user_online")) {
        fuzz_assert(json_is_array(json));

        json_array_foreach(json, i, row) {
            fuzz_assert(json_unpack_ex(row, NULL, JSON_STRICT, "{s:s, s:b}",
                                       "id", &s[0], "online", &online)
                        == 0);
        }

    } else if (fuzz_is(op, "conv_readers")) {
        fuzz_assert(json_is_array(json));

        json_array_foreach(json, i, row) {
            fuzz_assert(json_unpack_ex(row, NULL, JSON_STRICT, "{s:s, s:s}",
                                       "id", &s[0], "msg_id", &s[1])
                        == 0);
        }

    } else if (fuzz_is(op, "conv_page") || fuzz_is(op, "pair_page")) {
        fuzz_assert(json_is_array(json));
        fuzz_assert(json_array_size(json) <= call->options->page_size_max);

        json_array_foreach(json, i, row) {
            fuzz_page_row(call, row);
        }

    } else {
        fuzz_assert(json_is_object(json));
    }
}


static void
fuzz_list_row(ngx_http_im_call_t *call, json_t *row)
{
    int          type, msg_type, recalled;
    json_t      *users, *types;
    json_int_t   time, unread, seq;
    const char  *id, *msg, *user, *name, *img, *text;

    types = NULL;
    name = NULL;
    img = NULL;
    text = NULL;
    seq = -1;
    recalled = 0;

    fuzz_assert(json_unpack_ex(row, NULL, JSON_STRICT,
                               "{s:s, s:i, s:o, s?o, s:s, s:i, s:s, s:I, s:I,"
                               " s?I, s?b, s?s, s?s, s?s}",
                               "conv_id", &id, "conv_type", &type,
                               "conv_users", &users, "users_type", &types,
                               "last_msg", &msg, "last_msg_type", &msg_type,
                               "last_user_name", &user, "last_time", &time,
                               "unread_count", &unread, "seq", &seq,
                               "recalled", &recalled,
                               "name", &name, "img", &img,
                               "description", &text)
                == 0);

    fuzz_assert(type == 0 || type == 1);
    fuzz_assert(json_is_array(users) && fuzz_strings(users));
    fuzz_assert((types != NULL) == (type == 0));

    if (type == 0) {
        fuzz_assert(json_array_size(users) == 2);
        fuzz_assert(json_is_array(types) && fuzz_strings(types));
        fuzz_assert(json_array_size(types) == 2);
        fuzz_assert(name == NULL && img == NULL && text == NULL);
    }

    fuzz_assert(!recalled || (*msg == '\0' && call->options->reply_full));
    fuzz_assert(msg_type >= 0 && msg_type <= 9 && time > 0 && unread >= 0);
    fuzz_assert((seq >= 0) == (call->options->reply_full != 0));
}


static void
fuzz_page_row(ngx_http_im_call_t *call, json_t *row)
{
    int          type, recalled;
    json_int_t   time, seq;
    const char  *id, *msg, *conv, *from, *user[4];

    seq = -1;
    recalled = 0;

    fuzz_assert(json_unpack_ex(row, NULL, JSON_STRICT,
                               "{s:s, s:i, s:s, s:s, s:s, s:I, s?I, s?b,"
                               " s:{s:s, s:s, s:s, s:s}}",
                               "msg_id", &id, "msg_type", &type, "msg", &msg,
                               "conv_id", &conv, "from_id", &from,
                               "from_time", &time, "seq", &seq,
                               "recalled", &recalled, "user",
                               "id", &user[0], "type", &user[1],
                               "img", &user[2], "name", &user[3])
                == 0);

    fuzz_assert(type >= 0 && type <= 9 && time > 0);
    fuzz_assert(!recalled || call->options->reply_full);
    fuzz_assert((seq >= 0) == (call->options->reply_full != 0));
}
