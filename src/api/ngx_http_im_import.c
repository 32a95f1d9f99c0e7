
#include "ngx_http_im_import_check.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_conv.h"
#include "ngx_http_im_group.h"
#include "ngx_http_im_hint.h"
#include "ngx_http_im_import_batch.h"


/* bytes; a longer batch is not sent before the conversation is known */
#define NGX_HTTP_IM_IMPORT_PROBE   65536


typedef struct {
    ngx_http_im_batch_t     batch;
    ngx_http_im_cmd_t      *cmd;
    ngx_http_im_places_t    places;
    ngx_msec_t              sent;       /* when the inboxes were written to */
    unsigned                probe:1;    /* without messages */
} ngx_http_im_import_t;


static ngx_int_t ngx_http_im_import(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_import_store(ngx_http_im_call_t *call,
    ngx_uint_t create);
static ngx_int_t ngx_http_im_import_stored(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_import_claim(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_import_claimed(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_import_places(ngx_http_im_call_t *call);
static ngx_int_t ngx_http_im_import_inbox(ngx_http_im_call_t *call,
    ngx_str_t *score);
static void ngx_http_im_import_inbox_add(ngx_http_im_call_t *call,
    ngx_str_t *user, ngx_str_t *peer, ngx_str_t *score);
static ngx_int_t ngx_http_im_import_listed(ngx_http_im_call_t *call);


/*
 * script import -> "ok STORED SKIPPED SCORE", conv_not_found or the code of a
 * refusal; first without the messages, where they are large.  After
 * conv_not_found for a 1:1 script claim of its id -> "ok" or a code, for a
 * group script join of each member, see ngx_http_im_group.h; then script
 * import again, which may create it now.  For a 1:1 then script inbox of both.
 * A repetition does what a crash has left undone.
 */

const ngx_http_im_op_t  ngx_http_im_op_import = {
    ngx_string("import"),
    ngx_http_im_import_fields,
    sizeof(ngx_http_im_import_args_t),
    NGX_HTTP_IM_OP_IMPORT,
    ngx_http_im_import_check,
    ngx_http_im_import
};


static ngx_int_t
ngx_http_im_import(ngx_http_im_call_t *call)
{
    ngx_uint_t             create;
    ngx_http_im_import_t  *import;

    import = ngx_pcalloc(call->pool, sizeof(ngx_http_im_import_t));
    if (import == NULL) {
        return NGX_ERROR;
    }

    call->state = import;

    if (ngx_http_im_batch_create(call, &import->batch) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the computed id needs no other name */

    create = (call->pair
              && ngx_http_im_str_eq(&call->conv_id, &call->name_id));

    import->probe = (!create
                     && import->batch.size > NGX_HTTP_IM_IMPORT_PROBE);

    return ngx_http_im_import_store(call, create);
}


static ngx_int_t
ngx_http_im_import_store(ngx_http_im_call_t *call, ngx_uint_t create)
{
    ngx_http_im_import_t  *import;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_TIMELINE,
        NGX_HTTP_IM_CONV_IDEMPOTENCY,
        NGX_HTTP_IM_CONV_IMPORTED,
        NGX_HTTP_IM_CONV_MEMBERS,
        NGX_HTTP_IM_CONV_SETTINGS
    };

    import = call->state;

    ngx_str_set(&import->batch.argv[0], "");

    if (create) {
        ngx_str_set(&import->batch.argv[0], "1");
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im import store conv:\"%V\" create:%ui probe:%d job:%p",
                   &call->conv_id, create, (int) import->probe, call->job);

    import->cmd = ngx_http_im_call_script(call, NGX_HTTP_IM_UPSERT,
                                          NGX_HTTP_IM_SCRIPT_IMPORT,
                                          &call->conv_id, keys,
                                          call->pair ? 4 : 6,
                                          import->batch.argv,
                                          import->probe
                                          ? import->batch.head_argc
                                          : import->batch.argc);
    call->next = ngx_http_im_import_stored;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_import_stored(ngx_http_im_call_t *call)
{
    ngx_int_t              rc;
    ngx_str_t              result;
    ngx_http_im_batch_t   *batch;
    ngx_http_im_import_t  *import;

    import = call->state;
    batch = &import->batch;

    rc = ngx_http_im_call_result(call, import->cmd, &result);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im import stored conv:\"%V\" rc:%i code:%ui job:%p",
                   &call->conv_id, rc, (ngx_uint_t) call->error.id, call->job);

    if (import->probe) {
        import->probe = 0;

        if (rc == NGX_OK) {
            return ngx_http_im_import_store(call, 0);
        }
    }

    if (rc == NGX_DECLINED
        && call->error.id == NGX_HTTP_IM_CONV_NOT_FOUND
        && batch->argv[0].len == 0)
    {
        if (call->pair) {
            return ngx_http_im_import_claim(call);
        }

        ngx_http_im_places_take(call, &import->places, batch->users,
                                batch->nusers);
        call->next = ngx_http_im_import_places;

        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED && import->places.n) {
        return ngx_http_im_places_refuse(call, &import->places,
                                         call->error.id);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_batch_result(batch, &result) != NGX_OK) {
        return ngx_http_im_call_store_error(call);
    }

    return call->pair ? ngx_http_im_import_inbox(call, &batch->score)
                      : ngx_http_im_batch_write(call, batch);
}


/* what it names is decided before anything is stored under it */

static ngx_int_t
ngx_http_im_import_claim(ngx_http_im_call_t *call)
{
    ngx_http_im_import_t  *import;

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_CONV_HEAD,
        NGX_HTTP_IM_CONV_SETTINGS
    };

    import = call->state;

    import->cmd = ngx_http_im_call_script(call, NGX_HTTP_IM_UPSERT,
                                          NGX_HTTP_IM_SCRIPT_CLAIM,
                                          &call->name_id, keys, 2,
                                          &import->batch.argv[3], 1);
    call->next = ngx_http_im_import_claimed;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im import claim \"%V\" for conv:\"%V\" job:%p",
                   &call->name_id, &call->conv_id, call->job);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_im_import_claimed(ngx_http_im_call_t *call)
{
    ngx_int_t              rc;
    ngx_str_t              result;
    ngx_http_im_import_t  *import;

    import = call->state;

    rc = ngx_http_im_call_result(call, import->cmd, &result);

    return (rc == NGX_OK) ? ngx_http_im_import_store(call, 1) : rc;
}


static ngx_int_t
ngx_http_im_import_places(ngx_http_im_call_t *call)
{
    ngx_int_t              rc;
    ngx_http_im_import_t  *import;

    import = call->state;

    rc = ngx_http_im_places_check(call, &import->places);

    if (rc == NGX_DONE) {
        return ngx_http_im_places_refuse(call, &import->places,
                                         NGX_HTTP_IM_TOO_MANY_GROUPS);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_im_places_renew(call, &import->places, NULL) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return ngx_http_im_import_store(call, 1);
}


static ngx_int_t
ngx_http_im_import_inbox(ngx_http_im_call_t *call, ngx_str_t *score)
{
    ngx_str_t             *users;
    ngx_http_im_import_t  *import;

    import = call->state;
    users = import->batch.users;

    ngx_http_im_import_inbox_add(call, &users[0], &users[1], score);
    ngx_http_im_import_inbox_add(call, &users[1], &users[0], score);

    import->cmd = call->pipeline->first;
    import->sent = ngx_current_msec;
    call->next = ngx_http_im_import_listed;

    return NGX_AGAIN;
}


static void
ngx_http_im_import_inbox_add(ngx_http_im_call_t *call, ngx_str_t *user,
    ngx_str_t *peer, ngx_str_t *score)
{
    u_char     entry[NGX_HTTP_IM_PAIR_LEN + 1 + NGX_HTTP_IM_ID_MAX];
    ngx_str_t  argv[2];

    static const ngx_http_im_key_e  keys[] = {
        NGX_HTTP_IM_USER_INBOX
    };

    argv[0] = *score;
    argv[1].data = entry;
    argv[1].len = ngx_snprintf(entry, sizeof(entry), "%V %V", &call->conv_id,
                               peer)
                  - entry;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im import inbox user:\"%V\" score:%V job:%p",
                   user, score, call->job);

    (void) ngx_http_im_call_script(call, NGX_HTTP_IM_UPSERT,
                                   NGX_HTTP_IM_SCRIPT_INBOX, user, keys, 1,
                                   argv, 2);
}


static ngx_int_t
ngx_http_im_import_listed(ngx_http_im_call_t *call)
{
    ngx_int_t              rc;
    ngx_str_t              result;
    ngx_http_im_cmd_t     *cmd;
    ngx_http_im_import_t  *import;

    import = call->state;

    for (cmd = import->cmd; cmd; cmd = cmd->next) {
        rc = ngx_http_im_call_result(call, cmd, &result);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* what is known of the inboxes may be of an earlier conversation */

    if (ngx_http_im_time_valid(&import->batch.score)) {
        call->made_time = import->batch.score;
        ngx_http_im_inbox_put(call, import->sent);
        ngx_str_null(&call->made_time);
    }

    return ngx_http_im_batch_write(call, &import->batch);
}
