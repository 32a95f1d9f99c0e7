
#include "ngx_http_im_group.h"


static ngx_int_t ngx_http_im_places_init(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_str_t *users, ngx_uint_t n);
static ngx_http_im_cmd_t *ngx_http_im_place_take(ngx_http_im_call_t *call,
    ngx_str_t *user, ngx_uint_t renew);
static ngx_int_t ngx_http_im_place_parse(ngx_http_im_reply_t *reply,
    ngx_str_t *score, int64_t *new);
static ngx_http_im_cmd_t *ngx_http_im_place_leave(ngx_http_im_call_t *call,
    ngx_str_t *user, ngx_str_t *conv_id, ngx_str_t *score);
static ngx_int_t ngx_http_im_places_refused(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_places_left(ngx_http_im_call_t *call);


static const ngx_http_im_key_e  ngx_http_im_place_keys[] = {
    NGX_HTTP_IM_USER_GROUPS
};


void
ngx_http_im_places_take(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_str_t *users, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (ngx_http_im_places_init(call, places, users, n) != NGX_OK) {
        return;
    }

    for (i = 0; i < n; i++) {
        places->cmds[i] = ngx_http_im_place_take(call, &users[i], 0);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im places take conv:\"%V\" users:%ui job:%p",
                   &call->conv_id, n, call->job);
}


static ngx_int_t
ngx_http_im_places_init(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_str_t *users, ngx_uint_t n)
{
    places->users = users;
    places->n = n;
    places->cmds = ngx_palloc(call->pool, (n + 1) * sizeof(void *));

    if (places->cmds == NULL) {
        call->pipeline->failed = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_http_im_cmd_t *
ngx_http_im_place_take(ngx_http_im_call_t *call, ngx_str_t *user,
    ngx_uint_t renew)
{
    u_char     limit[NGX_INT_T_LEN];
    ngx_str_t  argv[3];

    argv[0] = call->conv_id;
    argv[1].data = limit;
    argv[1].len = ngx_sprintf(limit, "%ui", call->options->groups_max)
                  - limit;

    ngx_str_set(&argv[2], "");

    if (renew) {
        ngx_str_set(&argv[2], "1");
    }

    return ngx_http_im_call_script(call, NGX_HTTP_IM_UPSERT,
                                   NGX_HTTP_IM_SCRIPT_JOIN, user,
                                   ngx_http_im_place_keys, 1, argv, 3);
}


ngx_int_t
ngx_http_im_places_renew(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, u_char *added)
{
    int64_t     new;
    ngx_str_t   score;
    ngx_uint_t  i, n;

    if (places->renewed) {
        return NGX_OK;
    }

    places->renewed = 1;

    for (n = 0, i = 0; i < places->n; i++) {

        if ((added == NULL || added[i] == '1')
            && ngx_http_im_place_parse(&places->cmds[i]->reply, &score, &new)
               == NGX_OK
            && !new)
        {
            places->cmds[i] = ngx_http_im_place_take(call, &places->users[i],
                                                     1);
            n++;
        }
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im places renew conv:\"%V\" users:%ui of %ui job:%p",
                   &call->conv_id, n, places->n, call->job);

    return n ? NGX_AGAIN : NGX_OK;
}


ngx_int_t
ngx_http_im_places_check(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places)
{
    int64_t     new;
    ngx_int_t   rc;
    ngx_str_t   score;
    ngx_uint_t  i;

    rc = NGX_OK;

    for (i = 0; i < places->n; i++) {

        if (ngx_http_im_place_parse(&places->cmds[i]->reply, &score, &new)
            != NGX_OK)
        {
            return ngx_http_im_call_store_error(call);
        }

        if (score.len == 1) {
            ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                           "im place none left user:\"%V\" conv:\"%V\" job:%p",
                           &places->users[i], &call->conv_id, call->job);

            rc = NGX_DONE;
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_im_place_parse(ngx_http_im_reply_t *reply, ngx_str_t *score,
    int64_t *new)
{
    if (ngx_http_im_reply_array(reply, 2) != NGX_OK
        || ngx_http_im_reply_string(&reply->elts[0], score) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_reply_int(&reply->elts[1], new);
}


/* the refused call's last round, if there is anything to give up */

ngx_int_t
ngx_http_im_places_refuse(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_http_im_error_e error)
{
    int64_t     new;
    ngx_str_t   score;
    ngx_uint_t  i;

    for (i = 0; i < places->n; i++) {

        if (ngx_http_im_place_parse(&places->cmds[i]->reply, &score, &new)
            == NGX_OK
            && new)
        {
            (void) ngx_http_im_place_leave(call, &places->users[i],
                                           &call->conv_id, &score);
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im places refuse conv:\"%V\" left:%ui job:%p",
                   &call->conv_id, call->pipeline->n, call->job);

    places->error = error;
    call->state = places;

    return ngx_http_im_call_continue(call, ngx_http_im_places_refused);
}


static ngx_int_t
ngx_http_im_places_refused(ngx_http_im_call_t *call)
{
    ngx_http_im_places_t  *places;

    places = call->state;

    return ngx_http_im_call_error(call, places->error);
}


void
ngx_http_im_places_find(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, ngx_str_t *users, ngx_uint_t n)
{
    ngx_str_t   argv[3];
    ngx_uint_t  i;

    if (ngx_http_im_places_init(call, places, users, n) != NGX_OK) {
        return;
    }

    ngx_str_set(&argv[0], "ZSCORE");
    argv[2] = call->conv_id;

    for (i = 0; i < n; i++) {
        places->cmds[i] = ngx_http_im_call_cmd(call, NGX_HTTP_IM_READ,
                                               NGX_HTTP_IM_USER_GROUPS,
                                               &users[i], argv, 3);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im places find conv:\"%V\" users:%ui job:%p",
                   &call->conv_id, n, call->job);
}


ngx_int_t
ngx_http_im_places_found(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places)
{
    ngx_str_t   score;
    ngx_uint_t  i;

    for (i = 0; i < places->n; i++) {
        if (ngx_http_im_reply_string(&places->cmds[i]->reply, &score)
            == NGX_ERROR)
        {
            return ngx_http_im_call_store_error(call);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_im_places_leave(ngx_http_im_call_t *call,
    ngx_http_im_places_t *places, u_char *gone)
{
    ngx_str_t   score;
    ngx_uint_t  i;

    for (i = 0; i < places->n; i++) {

        if (ngx_http_im_reply_string(&places->cmds[i]->reply, &score)
            != NGX_OK)
        {
            continue;
        }

        if (gone[i] == '1') {
            (void) ngx_http_im_place_leave(call, &places->users[i],
                                           &call->conv_id, &score);
        } else {
            ngx_http_im_place_clean(call, &places->users[i], &call->conv_id);
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im places leave conv:\"%V\" left:%ui job:%p",
                   &call->conv_id, call->pipeline->n, call->job);

    return ngx_http_im_call_continue(call, ngx_http_im_places_left);
}


static ngx_int_t
ngx_http_im_places_left(ngx_http_im_call_t *call)
{
    return NGX_OK;
}


void
ngx_http_im_place_clean(ngx_http_im_call_t *call, ngx_str_t *user,
    ngx_str_t *conv_id)
{
    ngx_str_t  none = ngx_null_string;

    (void) ngx_http_im_place_leave(call, user, conv_id, &none);
}


/* nothing depends on it: it is tried once */

static ngx_http_im_cmd_t *
ngx_http_im_place_leave(ngx_http_im_call_t *call, ngx_str_t *user,
    ngx_str_t *conv_id, ngx_str_t *score)
{
    ngx_str_t           argv[2];
    ngx_http_im_cmd_t  *cmd;

    argv[0] = *conv_id;
    argv[1] = *score;

    cmd = ngx_http_im_call_script(call, NGX_HTTP_IM_UPSERT,
                                  NGX_HTTP_IM_SCRIPT_UNJOIN, user,
                                  ngx_http_im_place_keys, 1, argv, 2);
    if (cmd) {
        cmd->optional = 1;
    }

    return cmd;
}
