
#include "ngx_http_im_api.h"


/* how many conversations of one user are looked at */
#define NGX_HTTP_IM_INBOX_MAX    65536

/* how many groups of a user are looked at */
#define NGX_HTTP_IM_GROUPS_MAX   "10000"

/* keys of one MGET: Redis serves others between two of them */
#define NGX_HTTP_IM_MGET_KEYS    128


typedef struct {
    ngx_str_t                 from_id;
} ngx_http_im_list_args_t;

typedef struct {
    ngx_str_t                 conv_id;
    ngx_str_t                 peer;       /* of a 1:1, "" for a group */
    ngx_http_im_cmd_t        *cmd;        /* brings the head ... */
    ngx_uint_t                n;          /* ... as its n-th element */
    ngx_http_im_cmd_t        *member;     /* of a group: the position */
    ngx_http_im_cmd_t        *settings;   /* of a group */
    ngx_str_t                 hint;       /* who may have written last in it */

    ngx_http_im_head_t        head;
    int64_t                   unread;
    ngx_http_im_profile_t    *sender;
} ngx_http_im_list_row_t;

typedef struct {
    ngx_http_im_cmd_t        *inbox;
    ngx_http_im_cmd_t        *groups;
    ngx_http_im_list_row_t   *rows;
    ngx_http_im_list_row_t  **sorted;
    ngx_uint_t                nrows;
    ngx_uint_t                nsorted;
    ngx_uint_t                limit;      /* of what the inbox is asked for */
    ngx_http_im_profiles_t    profiles;
} ngx_http_im_list_t;


static ngx_int_t ngx_http_im_list_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_unread(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_ask(ngx_http_im_call_t *call,
    ngx_uint_t limit);
static ngx_int_t ngx_http_im_list_convs(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_pairs(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list);
static ngx_int_t ngx_http_im_list_groups(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list);
static ngx_int_t ngx_http_im_list_heads(ngx_http_im_call_t *call);
static ngx_uint_t ngx_http_im_list_order_is_final(ngx_http_im_call_t *call,
    ngx_http_im_list_t *list);
static ngx_int_t ngx_http_im_list_head(ngx_http_im_call_t *call,
    ngx_http_im_list_row_t *row);
static ngx_int_t ngx_http_im_list_position(ngx_http_im_call_t *call,
    ngx_http_im_list_row_t *row, int64_t *position);
static int ngx_libc_cdecl ngx_http_im_list_newest(const void *one,
    const void *two);
static ngx_int_t ngx_http_im_list_answer(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_list_write(ngx_http_im_call_t *call,
    ngx_http_im_list_row_t *row);
static ngx_int_t ngx_http_im_list_write_users(ngx_http_im_call_t *call,
    ngx_http_im_list_row_t *row, ngx_str_t *info);


static const ngx_http_im_field_t  ngx_http_im_list_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_ID, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_list_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * ZREVRANGE inbox, SRANDMEMBER groups -> the user's conversations;
 * MGET head of every 1:1; GET head, HGET members user, HMGET settings of
 * every group; HMGET profile of all who may have written last;
 * a third round only for a group whose last sender is not among them.
 * All of it again for more of the inbox where the last place is in doubt.
 */

const ngx_http_im_op_t  ngx_http_im_op_conv_list = {
    ngx_string("conv_list"),
    ngx_http_im_list_fields,
    sizeof(ngx_http_im_list_args_t),
    0,
    ngx_http_im_list_check,
    ngx_http_im_list
};


/* as above without settings and profiles */

const ngx_http_im_op_t  ngx_http_im_op_unread = {
    ngx_string("unread"),
    ngx_http_im_list_fields,
    sizeof(ngx_http_im_list_args_t),
    0,
    ngx_http_im_list_check,
    ngx_http_im_unread
};


static ngx_int_t
ngx_http_im_list_check(ngx_http_im_call_t *call)
{
    ngx_http_im_list_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


/* one more than is shown, to know whether there are more */

static ngx_int_t
ngx_http_im_list(ngx_http_im_call_t *call)
{
    return ngx_http_im_list_ask(call, call->options->list_max + 1);
}


static ngx_int_t
ngx_http_im_unread(ngx_http_im_call_t *call)
{
    return ngx_http_im_list_ask(call, NGX_HTTP_IM_INBOX_MAX);
}


static ngx_int_t
ngx_http_im_list_ask(ngx_http_im_call_t *call, ngx_uint_t limit)
{
    u_char                    stop[NGX_INT_T_LEN];
    ngx_str_t                 argv[4];
    ngx_http_im_list_t       *list;
    ngx_http_im_list_args_t  *args;

    args = call->args;

    list = ngx_pcalloc(call->pool, sizeof(ngx_http_im_list_t));
    if (list == NULL) {
        return NGX_ERROR;
    }

    list->limit = ngx_min(limit, NGX_HTTP_IM_INBOX_MAX);

    ngx_http_im_profiles_init(&list->profiles);

    ngx_str_set(&argv[0], "ZREVRANGE");
    ngx_str_set(&argv[2], "0");
    argv[3].data = stop;
    argv[3].len = ngx_sprintf(stop, "%ui", list->limit - 1) - stop;

    list->inbox = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                       NGX_HTTP_IM_USER_INBOX, &args->from_id,
                                       argv, 4);

    /* all of them, as long as there are not too many for one answer */

    ngx_str_set(&argv[0], "SRANDMEMBER");
    ngx_str_set(&argv[2], NGX_HTTP_IM_GROUPS_MAX);

    list->groups = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                        NGX_HTTP_IM_USER_GROUPS,
                                        &args->from_id, argv, 3);

    call->state = list;
    call->next = ngx_http_im_list_convs;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_list_convs(ngx_http_im_call_t *call)
{
    ngx_int_t            rc;
    ngx_http_im_list_t  *list;

    list = call->state;

    if (ngx_http_im_reply_array(&list->inbox->reply, 0) != NGX_OK
        || ngx_http_im_reply_array(&list->groups->reply, 0) != NGX_OK)
    {
        return ngx_http_im_call_store_error(call);
    }

    list->rows = ngx_pcalloc(call->pool, (list->inbox->reply.nelts
                                          + list->groups->reply.nelts + 1)
                                         * sizeof(ngx_http_im_list_row_t));
    if (list->rows == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_im_list_pairs(call, list);

    if (rc == NGX_OK) {
        rc = ngx_http_im_list_groups(call, list);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_im_profiles_fetch(call, &list->profiles);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_call_idle(call)) {
        return ngx_http_im_list_heads(call);
    }

    call->next = ngx_http_im_list_heads;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_list_pairs(ngx_http_im_call_t *call, ngx_http_im_list_t *list)
{
    ngx_str_t                *argv;
    ngx_uint_t                i, k, n;
    ngx_http_im_cmd_t        *cmd;
    ngx_http_im_reply_t      *reply;
    ngx_http_im_list_row_t   *row;
    ngx_http_im_list_args_t  *args;

    args = call->args;
    reply = &list->inbox->reply;

    if (reply->nelts && call->op == &ngx_http_im_op_conv_list
        && ngx_http_im_profile_add(call, &list->profiles, &args->from_id)
           == NULL)
    {
        return NGX_ERROR;
    }

    argv = ngx_palloc(call->pool, (NGX_HTTP_IM_MGET_KEYS + 1)
                                  * sizeof(ngx_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&argv[0], "MGET");

    for (i = 0; i < reply->nelts; i += n) {
        n = ngx_min(reply->nelts - i, NGX_HTTP_IM_MGET_KEYS);

        for (k = 0; k < n; k++) {
            row = &list->rows[i + k];
            row->n = k;

            if (reply->elts[i + k].type != NGX_HTTP_IM_REPLY_STRING
                || ngx_http_im_inbox_parse(&reply->elts[i + k].str,
                                           &row->conv_id, &row->peer)
                   != NGX_OK)
            {
                return ngx_http_im_call_store_error(call);
            }

            if (ngx_http_im_key(call->pool, &argv[1 + k],
                                &call->options->key_prefix,
                                NGX_HTTP_IM_CONV_HEAD, &row->conv_id)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (call->op == &ngx_http_im_op_conv_list
                && ngx_http_im_profile_add(call, &list->profiles, &row->peer)
                   == NULL)
            {
                return NGX_ERROR;
            }
        }

        cmd = ngx_http_im_cmd_add(call->pipeline, NGX_HTTP_IM_READ, 1,
                                       argv, 1 + n);

        for (k = 0; k < n; k++) {
            list->rows[i + k].cmd = cmd;
        }
    }

    list->nrows = reply->nelts;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_list_groups(ngx_http_im_call_t *call, ngx_http_im_list_t *list)
{
    ngx_str_t                 argv[4];
    ngx_uint_t                i;
    ngx_http_im_reply_t      *reply;
    ngx_http_im_list_row_t   *row;
    ngx_http_im_list_args_t  *args;

    args = call->args;
    reply = &list->groups->reply;

    for (i = 0; i < reply->nelts; i++) {
        row = &list->rows[list->nrows++];

        if (reply->elts[i].type != NGX_HTTP_IM_REPLY_STRING
            || !ngx_http_im_id_valid(&reply->elts[i].str))
        {
            return ngx_http_im_call_store_error(call);
        }

        row->conv_id = reply->elts[i].str;

        ngx_str_set(&argv[0], "HGET");
        argv[2] = args->from_id;

        row->member = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                           NGX_HTTP_IM_CONV_MEMBERS,
                                           &row->conv_id, argv, 3);

        if (call->op == &ngx_http_im_op_unread) {
            ngx_str_set(&argv[0], "GETRANGE");
            ngx_str_set(&argv[2], "0");
            ngx_str_set(&argv[3], NGX_HTTP_IM_HEAD_PREFIX);

            row->cmd = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                            NGX_HTTP_IM_CONV_HEAD,
                                            &row->conv_id, argv, 4);
            continue;
        }

        if (ngx_http_im_sender_get(call, &row->conv_id, &row->hint) != NGX_OK
            || (row->hint.len
                && ngx_http_im_profile_add(call, &list->profiles, &row->hint)
                   == NULL))
        {
            return NGX_ERROR;
        }

        ngx_str_set(&argv[0], "GET");

        row->cmd = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                        NGX_HTTP_IM_CONV_HEAD, &row->conv_id,
                                        argv, 2);

        ngx_str_set(&argv[0], "HMGET");
        ngx_str_set(&argv[2], "users");
        ngx_str_set(&argv[3], "info");

        row->settings = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                             NGX_HTTP_IM_CONV_SETTINGS,
                                             &row->conv_id, argv, 4);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_list_heads(ngx_http_im_call_t *call)
{
    int64_t                  total;
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_http_im_list_t      *list;
    ngx_http_im_list_row_t  *row;

    list = call->state;
    total = 0;

    list->sorted = ngx_palloc(call->pool,
                              (list->nrows + 1) * sizeof(void *));
    if (list->sorted == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < list->nrows; i++) {
        row = &list->rows[i];

        rc = ngx_http_im_list_head(call, row);

        if (rc == NGX_DONE) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        total += row->unread;
        list->sorted[list->nsorted++] = row;
    }

    if (call->op == &ngx_http_im_op_unread) {
        ngx_http_im_write_lit(&call->writer, "{\"total\":");
        ngx_http_im_write_int(&call->writer, total);
        ngx_http_im_write_lit(&call->writer, "}");
        return NGX_OK;
    }

    ngx_qsort(list->sorted, list->nsorted, sizeof(void *),
              ngx_http_im_list_newest);

    if (!ngx_http_im_list_order_is_final(call, list)) {
        return ngx_http_im_list_ask(call, 4 * list->limit);
    }

    list->nsorted = ngx_min(list->nsorted, call->options->list_max);

    for (i = 0; i < list->nsorted; i++) {
        row = list->sorted[i];

        if (row->head.from.len == 0) {
            continue;
        }

        row->sender = ngx_http_im_profile_add(call, &list->profiles,
                                              &row->head.from);
        if (row->sender == NULL) {
            return NGX_ERROR;
        }

        if (row->head.group && !ngx_http_im_str_eq(&row->hint, &row->head.from))
        {
            ngx_http_im_sender_put(call, &row->conv_id, &row->head.from);
        }
    }

    if (ngx_http_im_profiles_fetch(call, &list->profiles) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_im_call_idle(call)) {
        return ngx_http_im_list_answer(call);
    }

    call->next = ngx_http_im_list_answer;

    return NGX_AGAIN;
}


/*
 * The order of an inbox is that of the last messages but for those of one
 * step of the clock, see ngx_http_im_inbox_is_current().  So nothing that was not asked
 * for is newer than the step of the last that was, and the list is right if
 * its last place is.
 */

static ngx_uint_t
ngx_http_im_list_order_is_final(ngx_http_im_call_t *call, ngx_http_im_list_t *list)
{
    ngx_str_t               *last;
    ngx_uint_t               i, max;
    ngx_http_im_list_row_t  *row;

    max = call->options->list_max;

    if (list->inbox->reply.nelts < list->limit
        || list->limit == NGX_HTTP_IM_INBOX_MAX)
    {
        return 1;
    }

    for (i = list->inbox->reply.nelts; i; i--) {
        row = &list->rows[i - 1];

        if (row->head.time.len == 0) {
            continue;
        }

        if (list->nsorted < max) {
            return 0;
        }

        last = &list->sorted[max - 1]->head.time;

        return ngx_http_im_inbox_step(last)
               > ngx_http_im_inbox_step(&row->head.time);
    }

    return 0;
}


/* NGX_DONE: there is nothing of it to be shown to this user */

static ngx_int_t
ngx_http_im_list_head(ngx_http_im_call_t *call, ngx_http_im_list_row_t *row)
{
    int64_t               position;
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_http_im_reply_t  *reply;

    reply = &row->cmd->reply;

    if (row->peer.len) {

        if (reply->type != NGX_HTTP_IM_REPLY_ARRAY || row->n >= reply->nelts) {
            return ngx_http_im_call_store_error(call);
        }

        reply = &reply->elts[row->n];
    }

    rc = ngx_http_im_reply_string(reply, &text);

    if (rc == NGX_ERROR) {
        return ngx_http_im_call_store_error(call);
    }

    if (text.len == 0) {
        return NGX_DONE;
    }

    if (ngx_http_im_head_parse(&row->head, &text) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    position = 0;
    rc = ngx_http_im_list_position(call, row, &position);

    if (rc == NGX_OK) {
        row->unread = ngx_max(row->head.seq - position, 0);
    }

    return rc;
}


static ngx_int_t
ngx_http_im_list_position(ngx_http_im_call_t *call,
    ngx_http_im_list_row_t *row, int64_t *position)
{
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_uint_t                me;
    ngx_http_im_list_args_t  *args;

    args = call->args;

    if (row->member == NULL) {

        if (row->head.group) {
            return ngx_http_im_call_store_error(call);
        }

        me = !ngx_http_im_str_eq(&row->head.users[0], &args->from_id);

        *position = row->head.read[me];

        return NGX_OK;
    }

    rc = ngx_http_im_reply_string(&row->member->reply, &text);

    if (rc == NGX_DECLINED) {
        return NGX_DONE;
    }

    if (rc != NGX_OK || !row->head.group) {
        return ngx_http_im_call_store_error(call);
    }

    *position = ngx_http_im_reply_atoi(text.data, text.len);

    return (*position < 0) ? ngx_http_im_call_store_error(call) : NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_im_list_newest(const void *one, const void *two)
{
    int                      rc;
    ngx_http_im_list_row_t  *a, *b;

    a = *(ngx_http_im_list_row_t **) one;
    b = *(ngx_http_im_list_row_t **) two;

    /* digits of one length compare as numbers do */

    rc = ngx_memcmp(b->head.time.data, a->head.time.data, a->head.time.len);

    return rc ? rc : (int) ngx_memn2cmp(a->conv_id.data, b->conv_id.data,
                                        a->conv_id.len, b->conv_id.len);
}


static ngx_int_t
ngx_http_im_list_answer(ngx_http_im_call_t *call)
{
    size_t                   size;
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_http_im_list_t      *list;
    ngx_http_im_list_row_t  *row;

    list = call->state;

    for (size = 2, i = 0; i < list->nsorted; i++) {
        row = list->sorted[i];

        size += 320 + row->conv_id.len + row->head.text.len;

        if (row->sender) {

            if (ngx_http_im_profile_parse(call, row->sender) != NGX_OK) {
                return ngx_http_im_call_store_error(call);
            }

            size += row->sender->text[0].len;
        }
    }

    call->writer.size = ngx_min(size, 1024 * 1024);

    ngx_http_im_write_lit(&call->writer, "[");

    for (i = 0; i < list->nsorted; i++) {

        if (i) {
            ngx_http_im_write_lit(&call->writer, ",");
        }

        rc = ngx_http_im_list_write(call, list->sorted[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_http_im_write_lit(&call->writer, "]");

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_list_write(ngx_http_im_call_t *call, ngx_http_im_list_row_t *row)
{
    ngx_str_t              info;
    ngx_http_im_writer_t  *w;

    w = &call->writer;

    ngx_http_im_write_lit(w, "{\"conv_id\":\"");
    ngx_http_im_write_raw(w, &row->conv_id);
    ngx_http_im_write_lit(w, "\",\"conv_type\":");
    ngx_http_im_write_bytes(w, row->head.group ? "1" : "0", 1);

    ngx_str_null(&info);

    if (ngx_http_im_list_write_users(call, row, &info) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_im_write_lit(w, ",\"last_msg\":\"");
    ngx_http_im_write_raw(w, &row->head.text);
    ngx_http_im_write_lit(w, "\",\"last_msg_type\":");
    ngx_http_im_write_raw(w, &row->head.type);
    ngx_http_im_write_lit(w, ",\"last_user_name\":\"");

    if (row->sender) {
        ngx_http_im_write_raw(w, &row->sender->text[0]);
    }

    ngx_http_im_write_lit(w, "\",\"last_time\":");
    ngx_http_im_write_raw(w, &row->head.time);
    ngx_http_im_write_lit(w, ",\"unread_count\":");
    ngx_http_im_write_int(w, row->unread);

    if (call->options->reply_full) {
        ngx_http_im_write_lit(w, ",\"seq\":");
        ngx_http_im_write_int(w, row->head.seq);

        if (info.len) {
            ngx_http_im_write_lit(w, ",");
            ngx_http_im_write_raw(w, &info);
        }
    }

    ngx_http_im_write_lit(w, "}");

    return NGX_OK;
}


/* info: a group's name, picture and description, ready to be shown */

static ngx_int_t
ngx_http_im_list_write_users(ngx_http_im_call_t *call,
    ngx_http_im_list_row_t *row, ngx_str_t *info)
{
    ngx_str_t              users, shown, type[2], *one, *two;
    ngx_http_im_reply_t   *reply;
    ngx_http_im_writer_t  *w;

    w = &call->writer;

    ngx_http_im_write_lit(w, ",\"conv_users\":[");

    if (row->settings) {
        reply = &row->settings->reply;

        if (ngx_http_im_reply_array(reply, 2) != NGX_OK
            || ngx_http_im_reply_string(&reply->elts[0], &users) != NGX_OK
            || ngx_http_im_reply_string(&reply->elts[1], info) != NGX_OK)
        {
            return ngx_http_im_call_store_error(call);
        }

        ngx_http_im_write_raw(w, &users);
        ngx_http_im_write_lit(w, "]");

        return NGX_OK;
    }

    one = &row->head.users[row->head.first];
    two = &row->head.users[!row->head.first];

    ngx_http_im_id_split(one, &shown, &type[0]);
    ngx_http_im_id_split(two, &shown, &type[1]);

    ngx_http_im_write_lit(w, "\"");
    ngx_http_im_write_raw(w, one);
    ngx_http_im_write_lit(w, "\",\"");
    ngx_http_im_write_raw(w, two);
    ngx_http_im_write_lit(w, "\"],\"users_type\":[\"");
    ngx_http_im_write_raw(w, &type[0]);
    ngx_http_im_write_lit(w, "\",\"");
    ngx_http_im_write_raw(w, &type[1]);
    ngx_http_im_write_lit(w, "\"]");

    return NGX_OK;
}
