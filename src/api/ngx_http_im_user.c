
#include "ngx_http_im_call.h"
#include "ngx_http_im_profile.h"


#define NGX_HTTP_IM_USERS_MAX   500


typedef struct {
    ngx_str_t            id;
    ngx_http_im_text_t   name;
    ngx_http_im_text_t   img;
} ngx_http_im_user_t;

typedef struct {
    ngx_array_t          users;     /* of ngx_http_im_user_t */
} ngx_http_im_user_set_args_t;

typedef struct {
    ngx_array_t          ids;       /* of ngx_str_t */
} ngx_http_im_user_get_args_t;


static ngx_int_t ngx_http_im_user_set_check(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_user_set(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_user_set_done(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_user_get(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_user_get_answer(ngx_http_im_call_t *call);


static const ngx_http_im_field_t  ngx_http_im_user_fields[] = {

    { ngx_string("id"), NGX_HTTP_IM_FIELD_USER_ID, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_user_t, id), 0, 0, NULL, 0 },

    { ngx_string("name"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_user_t, name), 0, 256, NULL, 0 },

    { ngx_string("img"), NGX_HTTP_IM_FIELD_TEXT, 0,
      offsetof(ngx_http_im_user_t, img), 0, 4096, NULL, 0 },

    ngx_http_im_field_end
};


static const ngx_http_im_field_t  ngx_http_im_user_set_fields[] = {

    { ngx_string("users"), NGX_HTTP_IM_FIELD_OBJECTS,
      NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_user_set_args_t, users), 0, NGX_HTTP_IM_USERS_MAX,
      ngx_http_im_user_fields, sizeof(ngx_http_im_user_t) },

    ngx_http_im_field_end
};


static const ngx_http_im_field_t  ngx_http_im_user_get_fields[] = {

    { ngx_string("ids"), NGX_HTTP_IM_FIELD_IDS, NGX_HTTP_IM_FIELD_REQUIRED,
      offsetof(ngx_http_im_user_get_args_t, ids), 0, NGX_HTTP_IM_USERS_MAX,
      NULL, 0 },

    ngx_http_im_field_end
};


/* HSET profile of each -> how many fields are new */

const ngx_http_im_op_t  ngx_http_im_op_user_set = {
    ngx_string("user_set"),
    ngx_http_im_user_set_fields,
    sizeof(ngx_http_im_user_set_args_t),
    NGX_HTTP_IM_OP_WRITE,
    ngx_http_im_user_set_check,
    ngx_http_im_user_set
};


/* HMGET profile n i of each -> name, picture */

const ngx_http_im_op_t  ngx_http_im_op_user_get = {
    ngx_string("user_get"),
    ngx_http_im_user_get_fields,
    sizeof(ngx_http_im_user_get_args_t),
    NGX_HTTP_IM_OP_READ,
    NULL,
    ngx_http_im_user_get
};


static ngx_int_t
ngx_http_im_user_set_check(ngx_http_im_call_t *call)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_im_user_t           *user;
    ngx_http_im_user_set_args_t  *args;

    args = call->args;
    user = args->users.elts;

    for (i = 0; i < args->users.nelts; i++) {
        rc = ngx_http_im_call_check_user(call, "id", &user[i].id);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_user_set(ngx_http_im_call_t *call)
{
    ngx_str_t                     argv[6];
    ngx_uint_t                    i, n;
    ngx_http_im_user_t           *user;
    ngx_http_im_user_set_args_t  *args;

    args = call->args;
    user = args->users.elts;

    ngx_str_set(&argv[0], "HSET");

    for (i = 0; i < args->users.nelts; i++) {
        n = 2;

        if (user[i].name.set) {
            ngx_str_set(&argv[n], "n");
            argv[n + 1] = user[i].name.escaped;
            n += 2;
        }

        if (user[i].img.set) {
            ngx_str_set(&argv[n], "i");
            argv[n + 1] = user[i].img.escaped;
            n += 2;
        }

        if (n > 2) {
            (void) ngx_http_im_call_cmd(call, NGX_HTTP_IM_UPSERT,
                                        NGX_HTTP_IM_USER_PROFILE, &user[i].id,
                                        argv, n);
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im user set users:%ui commands:%ui job:%p",
                   args->users.nelts, call->pipeline->n, call->job);

    if (call->pipeline->n == 0) {
        return NGX_OK;
    }

    call->state = call->pipeline->first;
    call->next = ngx_http_im_user_set_done;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_user_set_done(ngx_http_im_call_t *call)
{
    ngx_uint_t                    i;
    ngx_http_im_user_t           *user;
    ngx_http_im_user_set_args_t  *args;

    args = call->args;
    user = args->users.elts;

    for (i = 0; i < args->users.nelts; i++) {
        ngx_http_im_profile_forget(call, &user[i].id);
    }

    return ngx_http_im_call_integers(call, call->state);
}


static ngx_int_t
ngx_http_im_user_get(ngx_http_im_call_t *call)
{
    ngx_str_t                     *id;
    ngx_uint_t                     i;
    ngx_http_im_profile_t        **profile;
    ngx_http_im_profiles_t         profiles;
    ngx_http_im_user_get_args_t   *args;

    args = call->args;
    id = args->ids.elts;

    profile = ngx_palloc(call->pool, (args->ids.nelts + 1) * sizeof(void *));
    if (profile == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&profiles, sizeof(ngx_http_im_profiles_t));

    for (i = 0; i < args->ids.nelts; i++) {
        profile[i] = ngx_http_im_profile_add(call, &profiles, &id[i]);

        if (profile[i] == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_im_profiles_fetch(call, &profiles) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im user get ids:%ui job:%p",
                   args->ids.nelts, call->job);

    call->state = profile;

    return ngx_http_im_call_continue(call, ngx_http_im_user_get_answer);
}


static ngx_int_t
ngx_http_im_user_get_answer(ngx_http_im_call_t *call)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_im_writer_t          *w;
    ngx_http_im_profile_t        **profile;
    ngx_http_im_user_get_args_t   *args;

    args = call->args;
    profile = call->state;
    w = &call->writer;

    ngx_http_im_write_lit(w, "[");

    for (i = 0; i < args->ids.nelts; i++) {

        rc = ngx_http_im_profile_parse(call, profile[i]);
        if (rc != NGX_OK) {
            return rc;
        }

        if (i) {
            ngx_http_im_write_lit(w, ",");
        }

        ngx_http_im_write_lit(w, "{\"id\":\"");
        ngx_http_im_write_raw(w, &profile[i]->id);
        ngx_http_im_write_lit(w, "\",\"name\":\"");
        ngx_http_im_write_raw(w, &profile[i]->text[0]);
        ngx_http_im_write_lit(w, "\",\"img\":\"");
        ngx_http_im_write_raw(w, &profile[i]->text[1]);
        ngx_http_im_write_lit(w, "\"}");
    }

    ngx_http_im_write_lit(w, "]");

    return NGX_OK;
}
