
#include "ngx_http_im_list_write.h"
#include "ngx_http_im_id.h"


/* bytes; the first buffer of an answer is not larger */
#define NGX_HTTP_IM_LIST_BUFFER_MAX   (1024 * 1024)


static void ngx_http_im_list_row_write(ngx_http_im_call_t *call,
    ngx_http_im_convs_row_t *row);
static void ngx_http_im_list_pair_write(ngx_http_im_writer_t *w,
    ngx_http_im_head_t *head);


ngx_int_t
ngx_http_im_list_write(ngx_http_im_call_t *call,
    ngx_http_im_convs_row_t **rows, ngx_uint_t n)
{
    size_t                    size;
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_http_im_convs_row_t  *row;

    for (size = 2, i = 0; i < n; i++) {
        row = rows[i];

        size += 320 + row->conv_id.len;

        if (row->head.text.len < NGX_HTTP_IM_WRITER_SHARED) {
            size += row->head.text.len;
        }

        if (row->sender) {
            rc = ngx_http_im_profile_parse(call, row->sender);
            if (rc != NGX_OK) {
                return rc;
            }

            size += row->sender->text[0].len;
        }
    }

    call->writer.size = ngx_min(size, NGX_HTTP_IM_LIST_BUFFER_MAX);

    ngx_http_im_write_lit(&call->writer, "[");

    for (i = 0; i < n; i++) {

        if (i) {
            ngx_http_im_write_lit(&call->writer, ",");
        }

        ngx_http_im_list_row_write(call, rows[i]);
    }

    ngx_http_im_write_lit(&call->writer, "]");

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im list write n:%ui size:%uz job:%p", n, size, call->job);

    return NGX_OK;
}


static void
ngx_http_im_list_row_write(ngx_http_im_call_t *call,
    ngx_http_im_convs_row_t *row)
{
    ngx_http_im_writer_t  *w;

    w = &call->writer;

    ngx_http_im_write_lit(w, "{\"conv_id\":\"");
    ngx_http_im_write_raw(w, row->head.id.len ? &row->head.id : &row->conv_id);
    ngx_http_im_write_lit(w, "\",\"conv_type\":");
    ngx_http_im_write_bytes(w, row->head.group ? "1" : "0", 1);

    if (row->head.group) {
        ngx_http_im_write_lit(w, ",\"conv_users\":[");
        ngx_http_im_write_shared(w, &row->users);
        ngx_http_im_write_lit(w, "]");

    } else {
        ngx_http_im_list_pair_write(w, &row->head);
    }

    ngx_http_im_write_lit(w, ",\"last_msg\":\"");
    ngx_http_im_write_shared(w, &row->head.text);
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

        /* no message is sent without a text */

        if (row->head.from.len && row->head.text.len == 0) {
            ngx_http_im_write_lit(w, ",\"recalled\":true");
        }

        if (row->info.len) {
            ngx_http_im_write_lit(w, ",");
            ngx_http_im_write_raw(w, &row->info);
        }
    }

    ngx_http_im_write_lit(w, "}");
}


/* who wrote first comes first */

static void
ngx_http_im_list_pair_write(ngx_http_im_writer_t *w, ngx_http_im_head_t *head)
{
    ngx_str_t  shown, type[2], *one, *two;

    one = &head->users[head->first];
    two = &head->users[!head->first];

    ngx_http_im_id_split(one, &shown, &type[0]);
    ngx_http_im_id_split(two, &shown, &type[1]);

    ngx_http_im_write_lit(w, ",\"conv_users\":[\"");
    ngx_http_im_write_raw(w, one);
    ngx_http_im_write_lit(w, "\",\"");
    ngx_http_im_write_raw(w, two);
    ngx_http_im_write_lit(w, "\"],\"users_type\":[\"");
    ngx_http_im_write_raw(w, &type[0]);
    ngx_http_im_write_lit(w, "\",\"");
    ngx_http_im_write_raw(w, &type[1]);
    ngx_http_im_write_lit(w, "\"]");
}
