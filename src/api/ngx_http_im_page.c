
#include "ngx_http_im_api.h"


#define NGX_HTTP_IM_PAGE_NO_MAX   1000000000000


typedef struct {
    ngx_str_t                 from_id;    /* the viewer */
    ngx_str_t                 to_id;
    int64_t                   page_no;
    int64_t                   page_size;
} ngx_http_im_page_args_t;

typedef struct {
    ngx_http_im_row_t         row;
    ngx_http_im_profile_t    *sender;
} ngx_http_im_page_row_t;

typedef struct {
    ngx_http_im_cmd_t        *head;
    ngx_http_im_head_t        shown;      /* what it says */
    ngx_http_im_cmd_t        *timeline;
    ngx_msec_t                asked;      /* for the timeline */
    ngx_str_t                 recent;     /* rows in its place, if any */
    ngx_http_im_cmd_t        *member;     /* a group's viewer */
    ngx_http_im_cmd_t        *mark;
    ngx_str_t                 viewer;
    ngx_http_im_page_row_t   *rows;
    ngx_uint_t                nrows;
    size_t                    size;       /* of what the rows hold */
    ngx_http_im_profiles_t    profiles;
} ngx_http_im_page_t;

typedef struct {
    ngx_str_t                 from_id;
    ngx_str_t                 msg_id;
} ngx_http_im_read_args_t;


static ngx_int_t ngx_http_im_page_size(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_conv_page_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_conv_page(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_pair_page_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_pair_page(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_page_ask(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static void ngx_http_im_page_ask_rows(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_rows(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_page_read(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, int64_t *position);
static ngx_int_t ngx_http_im_page_recent(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_timeline(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page);
static ngx_int_t ngx_http_im_page_row(ngx_http_im_call_t *call,
    ngx_http_im_page_t *page, ngx_str_t *text);
static ngx_int_t ngx_http_im_page_answer(ngx_http_im_call_t *call);
static void ngx_http_im_page_write(ngx_http_im_call_t *call,
    ngx_http_im_page_row_t *row);
static ngx_http_im_cmd_t *ngx_http_im_read_position_set(ngx_http_im_call_t *call,
    ngx_str_t *user, int64_t seq, ngx_str_t *msg_id);
static ngx_int_t ngx_http_im_conv_read_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_conv_read(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_conv_read_done(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_conv_page_fields[] = {

    { ngx_string("page_no"), NGX_HTTP_IM_FIELD_INT, 0,
      offsetof(ngx_http_im_page_args_t, page_no), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("page_size"), NGX_HTTP_IM_FIELD_INT, 0,
      offsetof(ngx_http_im_page_args_t, page_size), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_ID, 0,
      offsetof(ngx_http_im_page_args_t, from_id), 0, 0, NULL, 0 },

    ngx_http_im_field_end
};


static const ngx_http_im_field_t  ngx_http_im_pair_page_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_ID, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_page_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("to_id"), NGX_HTTP_IM_FIELD_ID, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_page_args_t, to_id), 0, 0, NULL, 0 },

    { ngx_string("page_no"), NGX_HTTP_IM_FIELD_INT, 0,
      offsetof(ngx_http_im_page_args_t, page_no), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    { ngx_string("page_size"), NGX_HTTP_IM_FIELD_INT, 0,
      offsetof(ngx_http_im_page_args_t, page_size), 1, NGX_HTTP_IM_NO_LIMIT,
      NULL, 0 },

    ngx_http_im_field_end
};


static const ngx_http_im_field_t  ngx_http_im_conv_read_fields[] = {

    { ngx_string("from_id"), NGX_HTTP_IM_FIELD_ID, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_read_args_t, from_id), 0, 0, NULL, 0 },

    { ngx_string("msg_id"), NGX_HTTP_IM_FIELD_NAME, 0,
      offsetof(ngx_http_im_read_args_t, msg_id), 1, 64, NULL, 0 },

    ngx_http_im_field_end
};


/*
 * GETRANGE head, ZREVRANGE timeline, and for a group HGET members viewer
 * -> prefix of the head, rows, position; then what of it is needed:
 * HMGET profile of each sender, script read -> name and picture, "ok"
 *
 * Where the newest rows are at hand the timeline is only asked for if the head
 * shows that they are not the newest any more.
 */

const ngx_http_im_op_t  ngx_http_im_op_conv_page = {
    ngx_string("conv_page"),
    ngx_http_im_conv_page_fields,
    sizeof(ngx_http_im_page_args_t),
    0,
    ngx_http_im_conv_page_check,
    ngx_http_im_conv_page
};


/* as above, but both senders are known before the rows */

const ngx_http_im_op_t  ngx_http_im_op_pair_page = {
    ngx_string("pair_page"),
    ngx_http_im_pair_page_fields,
    sizeof(ngx_http_im_page_args_t),
    0,
    ngx_http_im_pair_page_check,
    ngx_http_im_pair_page
};


/* script read -> "ok" or the code of a refusal */

const ngx_http_im_op_t  ngx_http_im_op_conv_read = {
    ngx_string("conv_read"),
    ngx_http_im_conv_read_fields,
    sizeof(ngx_http_im_read_args_t),
    1,
    ngx_http_im_conv_read_check,
    ngx_http_im_conv_read
};


static ngx_int_t
ngx_http_im_page_size(ngx_http_im_call_t *call)
{
    ngx_http_im_page_args_t  *args;

    args = call->args;

    if (args->page_no == 0) {
        args->page_no = 1;
    }

    if (args->page_size == 0) {
        args->page_size = ngx_min(10, call->options->page_size_max);
    }

    if (args->page_size > (int64_t) call->options->page_size_max) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "page_size must be between 1 and %ui",
                                     call->options->page_size_max);
    }

    /* so far past any end that nothing can be there, nor overflow */

    args->page_no = ngx_min(args->page_no, NGX_HTTP_IM_PAGE_NO_MAX);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_conv_page_check(ngx_http_im_call_t *call)
{
    ngx_http_im_page_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    if (ngx_http_im_call_check_conv(call) != NGX_OK
        || ngx_http_im_page_size(call) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (args->from_id.len == 0) {
        args->from_id = call->user;
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_conv_page(ngx_http_im_call_t *call)
{
    ngx_http_im_page_t  *page;

    page = ngx_pcalloc(call->pool, sizeof(ngx_http_im_page_t));
    if (page == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_profiles_init(&page->profiles);

    return ngx_http_im_page_ask(call, page);
}


static ngx_int_t
ngx_http_im_pair_page_check(ngx_http_im_call_t *call)
{
    ngx_http_im_page_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    if (ngx_http_im_page_size(call) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_http_im_str_eq(&args->from_id, &args->to_id)) {
        return ngx_http_im_error_set(call->pool, &call->error,
                                     NGX_HTTP_IM_BAD_REQUEST,
                                     "to_id must be another user than from_id");
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_pair_page(ngx_http_im_call_t *call)
{
    u_char                   *id;
    ngx_http_im_page_t       *page;
    ngx_http_im_page_args_t  *args;

    args = call->args;

    page = ngx_pcalloc(call->pool, sizeof(ngx_http_im_page_t));
    id = ngx_pnalloc(call->pool, NGX_HTTP_IM_PAIR_LEN);

    if (page == NULL || id == NULL) {
        return NGX_ERROR;
    }

    ngx_http_im_id_pair(&args->from_id, &args->to_id, id);

    call->conv_id.data = id;
    call->conv_id.len = NGX_HTTP_IM_PAIR_LEN;

    ngx_http_im_profiles_init(&page->profiles);

    if (ngx_http_im_profile_add(call, &page->profiles, &args->from_id) == NULL
        || ngx_http_im_profile_add(call, &page->profiles, &args->to_id)
           == NULL
        || ngx_http_im_profiles_fetch(call, &page->profiles) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_page_ask(call, page);
}


static ngx_int_t
ngx_http_im_page_ask(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    ngx_str_t                 argv[4];
    ngx_http_im_page_args_t  *args;

    args = call->args;

    call->state = page;
    page->viewer = args->from_id;

    ngx_str_set(&argv[0], "GETRANGE");
    ngx_str_set(&argv[2], "0");
    ngx_str_set(&argv[3], NGX_HTTP_IM_HEAD_PREFIX);

    page->head = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                      NGX_HTTP_IM_CONV_HEAD, &call->conv_id,
                                      argv, 4);

    if (args->page_no > 1
        || ngx_http_im_recent_get(call, args->page_size, &page->recent) != NGX_OK)
    {
        ngx_http_im_page_ask_rows(call, page);
    }

    if (page->viewer.len && !ngx_http_im_id_is_pair(&call->conv_id)) {
        ngx_str_set(&argv[0], "HGET");
        argv[2] = page->viewer;

        page->member = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                            NGX_HTTP_IM_CONV_MEMBERS,
                                            &call->conv_id, argv, 3);
    }

    call->next = ngx_http_im_page_rows;

    return NGX_AGAIN;
}


static void
ngx_http_im_page_ask_rows(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    u_char                    start[NGX_INT64_LEN], stop[NGX_INT64_LEN];
    int64_t                   n;
    ngx_str_t                 argv[4];
    ngx_http_im_page_args_t  *args;

    args = call->args;

    ngx_str_null(&page->recent);

    /* by rank, so that a deep page costs what the first one does */

    n = (args->page_no - 1) * args->page_size;

    ngx_str_set(&argv[0], "ZREVRANGE");
    argv[2].data = start;
    argv[2].len = ngx_sprintf(start, "%L", n) - start;
    argv[3].data = stop;
    argv[3].len = ngx_sprintf(stop, "%L", n + args->page_size - 1) - stop;

    page->asked = ngx_current_msec;
    page->timeline = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                          NGX_HTTP_IM_CONV_TIMELINE,
                                          &call->conv_id, argv, 4);
}


static ngx_int_t
ngx_http_im_page_rows(ngx_http_im_call_t *call)
{
    int64_t                   position;
    ngx_int_t                 rc;
    ngx_http_im_page_t       *page;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    page = call->state;

    rc = ngx_http_im_page_read(call, page, &position);

    if (rc == NGX_DONE) {
        ngx_http_im_write_lit(&call->writer, "[]");
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        rc = page->recent.len ? ngx_http_im_page_recent(call, page)
                              : ngx_http_im_page_timeline(call, page);
    }

    if (rc == NGX_AGAIN) {
        ngx_http_im_page_ask_rows(call, page);
        return NGX_AGAIN;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_im_profiles_fetch(call, &page->profiles);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (page->viewer.len && args->page_no == 1 && page->nrows
        && call->options->read_on_fetch
        && position < page->rows[0].row.seq)
    {
        page->mark = ngx_http_im_read_position_set(call, &page->viewer,
                                                   page->rows[0].row.seq, NULL);
    }

    if (ngx_http_im_call_idle(call)) {
        return ngx_http_im_page_answer(call);
    }

    call->next = ngx_http_im_page_answer;

    return NGX_AGAIN;
}


/*
 * The viewer's position; refused where there is no conversation or it is not
 * the viewer's, NGX_DONE where two users have none yet.
 */

static ngx_int_t
ngx_http_im_page_read(ngx_http_im_call_t *call, ngx_http_im_page_t *page,
    int64_t *position)
{
    ngx_str_t            text;
    ngx_uint_t           i;
    ngx_http_im_head_t  *head;

    *position = 0;
    head = &page->shown;

    if (ngx_http_im_reply_string(&page->head->reply, &text) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (text.len == 0) {
        return (call->op == &ngx_http_im_op_pair_page)
               ? NGX_DONE
               : ngx_http_im_call_error(call, NGX_HTTP_IM_CONV_NOT_FOUND);
    }

    if (ngx_http_im_head_parse(head, &text) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    if (page->viewer.len == 0) {
        return NGX_OK;
    }

    if (head->group) {

        if (page->member == NULL
            || ngx_http_im_reply_string(&page->member->reply, &text)
               == NGX_ERROR)
        {
            return ngx_http_im_call_store_error(call);
        }

        if (text.data == NULL) {
            return ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_MEMBER);
        }

        *position = ngx_http_im_reply_atoi(text.data, text.len);

        return NGX_OK;
    }

    for (i = 0; i < 2; i++) {
        if (ngx_http_im_str_eq(&head->users[i], &page->viewer)) {
            *position = head->read[i];
            return NGX_OK;
        }
    }

    return ngx_http_im_call_error(call, NGX_HTTP_IM_NOT_MEMBER);
}


/* NGX_AGAIN: there are newer ones */

static ngx_int_t
ngx_http_im_page_recent(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_uint_t                n;
    ngx_http_im_page_args_t  *args;

    args = call->args;

    /* a row has no less than 32 bytes */

    n = ngx_min((size_t) args->page_size, page->recent.len / 32);

    page->rows = ngx_palloc(call->pool, n * sizeof(ngx_http_im_page_row_t));
    if (page->rows == NULL) {
        return NGX_ERROR;
    }

    while (page->nrows < n && ngx_http_im_recent_next(&page->recent, &text)) {

        rc = ngx_http_im_page_row(call, page, &text);
        if (rc != NGX_OK) {
            return rc;
        }

        if (page->nrows == 1
            && !ngx_http_im_row_is_last(&page->rows[0].row, &page->shown))
        {
            page->nrows = 0;
            page->size = 0;
            return NGX_AGAIN;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_page_timeline(ngx_http_im_call_t *call, ngx_http_im_page_t *page)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_http_im_reply_t      *reply;
    ngx_http_im_page_args_t  *args;

    args = call->args;
    reply = &page->timeline->reply;

    if (ngx_http_im_reply_array(reply, 0) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    page->rows = ngx_palloc(call->pool, (reply->nelts + 1)
                                        * sizeof(ngx_http_im_page_row_t));
    if (page->rows == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->nelts; i++) {

        if (reply->elts[i].type != NGX_HTTP_IM_REPLY_STRING) {
            return ngx_http_im_call_store_error(call);
        }

        rc = ngx_http_im_page_row(call, page, &reply->elts[i].str);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }
    }

    /* a message may have come between the two commands */

    if (args->page_no == 1 && page->nrows
        && ngx_http_im_row_is_last(&page->rows[0].row, &page->shown))
    {
        ngx_http_im_recent_put(call, reply, page->asked);
    }

    return NGX_OK;
}


/* NGX_DONE: the row is no message's */

static ngx_int_t
ngx_http_im_page_row(ngx_http_im_call_t *call, ngx_http_im_page_t *page,
    ngx_str_t *text)
{
    ngx_int_t                rc;
    ngx_http_im_page_row_t  *row;

    row = &page->rows[page->nrows];

    rc = ngx_http_im_row_parse(&row->row, text);

    if (rc == NGX_DECLINED) {
        return NGX_DONE;
    }

    if (rc != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    row->sender = ngx_http_im_profile_add(call, &page->profiles,
                                          &row->row.from);
    if (row->sender == NULL) {
        return NGX_ERROR;
    }

    /* one that was wanted before is a user, or has been found to be one */

    if (row->sender->id.data == row->row.from.data
        && !ngx_http_im_id_valid(&row->row.from))
    {
        return ngx_http_im_call_store_error(call);
    }

    page->size += text->len;
    page->nrows++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_page_answer(ngx_http_im_call_t *call)
{
    ngx_str_t                result;
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_http_im_page_t      *page;
    ngx_http_im_page_row_t  *row;

    page = call->state;

    if (page->mark) {
        rc = ngx_http_im_call_result(call, page->mark, &result);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    for (i = 0; i < page->nrows; i++) {
        row = &page->rows[i];

        if (ngx_http_im_profile_parse(call, row->sender) != NGX_OK) {
            return ngx_http_im_call_store_error(call);
        }

        page->size += 256 + call->conv_id.len + row->sender->text[0].len
                      + row->sender->text[1].len;
    }

    call->writer.size = page->size + 2;

    ngx_http_im_write_lit(&call->writer, "[");

    for (i = 0; i < page->nrows; i++) {
        if (i) {
            ngx_http_im_write_lit(&call->writer, ",");
        }

        ngx_http_im_page_write(call, &page->rows[i]);
    }

    ngx_http_im_write_lit(&call->writer, "]");

    return NGX_OK;
}


static void
ngx_http_im_page_write(ngx_http_im_call_t *call, ngx_http_im_page_row_t *row)
{
    ngx_str_t              id, type;
    ngx_http_im_writer_t  *w;

    w = &call->writer;

    ngx_http_im_write_lit(w, "{\"msg_id\":\"");
    ngx_http_im_write_raw(w, &row->row.id);
    ngx_http_im_write_lit(w, "\",\"msg_type\":");
    ngx_http_im_write_raw(w, &row->row.type);
    ngx_http_im_write_lit(w, ",\"msg\":\"");
    ngx_http_im_write_raw(w, &row->row.text);
    ngx_http_im_write_lit(w, "\",\"conv_id\":\"");
    ngx_http_im_write_raw(w, &call->conv_id);
    ngx_http_im_write_lit(w, "\",\"from_id\":\"");
    ngx_http_im_write_raw(w, &row->row.from);
    ngx_http_im_write_lit(w, "\",\"from_time\":");
    ngx_http_im_write_raw(w, &row->row.time);

    ngx_http_im_id_split(&row->row.from, &id, &type);

    ngx_http_im_write_lit(w, ",\"user\":{\"id\":\"");
    ngx_http_im_write_raw(w, &id);
    ngx_http_im_write_lit(w, "\",\"type\":\"");
    ngx_http_im_write_raw(w, &type);
    ngx_http_im_write_lit(w, "\",\"img\":\"");
    ngx_http_im_write_raw(w, &row->sender->text[1]);
    ngx_http_im_write_lit(w, "\",\"name\":\"");
    ngx_http_im_write_raw(w, &row->sender->text[0]);
    ngx_http_im_write_lit(w, "\"}");

    if (call->options->reply_full) {
        ngx_http_im_write_lit(w, ",\"seq\":");
        ngx_http_im_write_int(w, row->row.seq);
    }

    ngx_http_im_write_lit(w, "}");
}


/* a position up to seq, or up to msg_id, or the end when seq is negative */

static ngx_http_im_cmd_t *
ngx_http_im_read_position_set(ngx_http_im_call_t *call, ngx_str_t *user, int64_t seq,
    ngx_str_t *msg_id)
{
    u_char      buf[NGX_INT64_LEN];
    ngx_str_t   argv[3];
    ngx_uint_t  pair;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_MEMBERS
    };

    argv[0] = *user;
    argv[1].data = buf;
    argv[1].len = (seq < 0) ? 0 : ngx_sprintf(buf, "%L", seq) - buf;

    ngx_str_null(&argv[2]);

    if (msg_id) {
        argv[2] = *msg_id;
    }

    pair = ngx_http_im_id_is_pair(&call->conv_id);

    return ngx_http_im_call_script(call, NGX_HTTP_IM_UPSERT,
                                   NGX_HTTP_IM_SCRIPT_READ, &call->conv_id,
                                   keys, pair ? 2 : 3, argv, 3);
}


static ngx_int_t
ngx_http_im_conv_read_check(ngx_http_im_call_t *call)
{
    ngx_http_im_read_args_t  *args;

    args = call->args;
    call->from_id = args->from_id;

    if (ngx_http_im_call_check_conv(call) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_im_call_check_user(call, "from_id", &args->from_id);
}


static ngx_int_t
ngx_http_im_conv_read(ngx_http_im_call_t *call)
{
    int64_t                   seq;
    ngx_http_im_read_args_t  *args;

    args = call->args;

    seq = args->msg_id.len ? (int64_t) ngx_http_im_id_msg_seq(&args->msg_id)
                           : -1;

    call->state = ngx_http_im_read_position_set(call, &args->from_id, seq,
                                                &args->msg_id);
    call->next = ngx_http_im_conv_read_done;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_conv_read_done(ngx_http_im_call_t *call)
{
    ngx_str_t  result;

    return ngx_http_im_call_result(call, call->state, &result);
}
