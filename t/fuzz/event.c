
/*
 * Rows of an event channel and ids of events: what is parsed lies in the
 * input, and the data of an event are JSON.
 */

#include "fuzz.h"
#include "ngx_http_im_event.h"
#include "ngx_http_im_frame.h"


static void
fuzz_within(ngx_str_t *s, u_char *data, size_t size)
{
    fuzz_assert(s->len == 0
                || (s->data >= data && s->data + s->len <= data + size));
}


static void
fuzz_event(ngx_str_t *row)
{
    json_t                *root;
    ngx_str_t              text, rest, user;
    ngx_uint_t             i, n;
    ngx_pool_t            *pool;
    json_error_t           error;
    ngx_http_im_event_t    event;
    ngx_http_im_writer_t   w;

    if (ngx_http_im_event_parse(&event, row) != NGX_OK) {
        return;
    }

    fuzz_assert(ngx_http_im_id_conv_valid(&event.conv_id));
    fuzz_assert(event.clock >= 0);

    for (i = 0; i < 2; i++) {
        fuzz_within(&event.users[i], row->data, row->len);
        fuzz_assert(event.pair == (event.users[i].len != 0));
    }

    fuzz_within(&event.conv_id, row->data, row->len);
    fuzz_within(&event.user, row->data, row->len);
    fuzz_within(&event.msg_id, row->data, row->len);
    fuzz_within(&event.rest, row->data, row->len);

    rest = event.rest;

    for (n = 0; ngx_http_im_event_users_next(&rest, &user) == NGX_OK; n++) {
        fuzz_within(&user, row->data, row->len);
        fuzz_assert(n <= row->len);
    }

    pool = fuzz_pool();

    ngx_http_im_writer_init(&w, pool, 64);
    ngx_http_im_event_write(&w, &event, event.user.len ? NULL : "set");

    fuzz_assert(ngx_http_im_event_text(&w, &text) == NGX_OK);

    root = json_loadb((char *) text.data, text.len, 0, &error);

    /* ids of messages come from our scripts, and are not escaped */

    for (i = 0; i < event.msg_id.len; i++) {
        if (event.msg_id.data[i] < ' ' || event.msg_id.data[i] > '~'
            || event.msg_id.data[i] == '"' || event.msg_id.data[i] == '\\')
        {
            break;
        }
    }

    fuzz_assert(json_is_object(root) || i < event.msg_id.len);

    json_decref(root);
    ngx_destroy_pool(pool);
}


static void
fuzz_event_id(ngx_str_t *text)
{
    ngx_str_t                data = ngx_string("{}");
    ngx_http_im_frame_t     *frame;
    ngx_http_im_event_id_t   id;

    if (ngx_http_im_event_id_parse(&id, text) != NGX_OK) {
        return;
    }

    frame = ngx_http_im_frame_create(&id, "ready", &data, &fuzz_log);

    fuzz_assert(frame);
    fuzz_assert(frame->sse.len == sizeof("id: \nevent: ready\ndata: {}\n\n") - 1
                                  + NGX_HTTP_IM_EVENT_ID_LEN);
    fuzz_assert(strncasecmp((char *) frame->sse.data + 4, (char *) text->data,
                            text->len) == 0);

    ngx_http_im_frame_release(frame);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char     *copy;
    ngx_str_t   row;

    /* of its own, so that a byte behind it is noticed */

    copy = malloc(size ? size : 1);
    ngx_memcpy(copy, data, size);

    row.data = copy;
    row.len = size;

    fuzz_event(&row);
    fuzz_event_id(&row);

    free(copy);

    return 0;
}
