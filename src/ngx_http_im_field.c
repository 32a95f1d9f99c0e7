
#include "ngx_http_im_field.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_writer.h"
#include "ngx_http_im_json_flat.h"
#include "ngx_http_im_json_tree.h"


typedef struct {
    ngx_pool_t             *pool;
    size_t                  ids_max;
    ngx_http_im_error_t    *error;
    ngx_array_t            *split;     /* elements of a SPLIT field */
} ngx_http_im_field_ctx_t;

typedef ngx_int_t (*ngx_http_im_field_pt)(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);


static ngx_int_t ngx_http_im_field_object(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *fields, ngx_http_im_object_t *object,
    void *args);
static ngx_int_t ngx_http_im_field_string(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value,
    ngx_str_t *dst);
static ngx_int_t ngx_http_im_field_id(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);
static ngx_int_t ngx_http_im_field_id_check(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value,
    ngx_str_t *id);
static ngx_int_t ngx_http_im_field_copy(ngx_http_im_field_ctx_t *ctx,
    ngx_str_t *src, ngx_str_t *dst);
static ngx_int_t ngx_http_im_field_name(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);
static ngx_int_t ngx_http_im_field_text(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);
static ngx_int_t ngx_http_im_field_int(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);
static ngx_int_t ngx_http_im_field_bool(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);
static ngx_int_t ngx_http_im_field_time(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);
static ngx_int_t ngx_http_im_field_array(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value);
static ngx_int_t ngx_http_im_field_ids(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);
static ngx_int_t ngx_http_im_field_ids_add(ngx_http_im_field_ctx_t *ctx,
    ngx_array_t *ids, json_t *seen, ngx_str_t *id);
static ngx_int_t ngx_http_im_field_objects(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst);
static ngx_int_t ngx_http_im_field_row(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, json_t *json, void *args);
static ngx_int_t ngx_http_im_field_element(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_str_t *text, void *args);
static ngx_int_t ngx_http_im_field_range(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, int64_t n, const char *between,
    const char *least);
static ngx_int_t ngx_http_im_field_bad(ngx_http_im_field_ctx_t *ctx,
    const char *fmt, const ngx_http_im_field_t *field);


/* in the order of ngx_http_im_field_e */

static const ngx_http_im_field_pt  ngx_http_im_field_readers[] = {
    ngx_http_im_field_id,
    ngx_http_im_field_id,
    ngx_http_im_field_name,
    ngx_http_im_field_text,
    ngx_http_im_field_int,
    ngx_http_im_field_bool,
    ngx_http_im_field_time,
    ngx_http_im_field_ids,
    ngx_http_im_field_objects
};


void
ngx_http_im_field_init(void)
{
    json_object_seed(0);
}


ngx_int_t
ngx_http_im_field_read(ngx_pool_t *pool, u_char *body, size_t len,
    const ngx_http_im_field_t *fields, size_t ids_max, void *args,
    ngx_http_im_error_t *error)
{
    json_t                   *root;
    ngx_int_t                 rc;
    ngx_uint_t                n;
    ngx_http_im_object_t      object;
    ngx_http_im_json_flat_t   members[NGX_HTTP_IM_JSON_FLAT_MAX];
    ngx_http_im_field_ctx_t   ctx;
    ngx_http_im_json_split_t  split;

    ctx.pool = pool;
    ctx.ids_max = ids_max;
    ctx.error = error;
    ctx.split = NULL;

    if (len == 0) {
        body = (u_char *) "{}";
        len = 2;
    }

    object.json = NULL;
    object.members = members;
    object.n = ngx_http_im_json_flat_read(body, len, members);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, pool->log, 0,
                   "im field read len:%uz flat members:%i", len, object.n);

    if (object.n != NGX_DECLINED) {
        return ngx_http_im_field_object(&ctx, fields, &object, args);
    }

    for (n = 0; fields[n].name.len; n++) {
        if (fields[n].flags & NGX_HTTP_IM_FIELD_SPLIT) {
            break;
        }
    }

    split.name = fields[n].name;

    rc = ngx_http_im_json_tree(pool, body, len, split.name.len ? &split : NULL,
                               &root, error);
    if (rc != NGX_OK) {
        return rc;
    }

    if (split.name.len && split.first) {
        ctx.split = &split.elts;
    }

    object.json = root;

    rc = ngx_http_im_field_object(&ctx, fields, &object, args);

    json_decref(root);

    return rc;
}


static ngx_int_t
ngx_http_im_field_object(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *fields, ngx_http_im_object_t *object,
    void *args)
{
    ngx_int_t                   rc;
    ngx_uint_t                  found;
    ngx_http_im_value_t         value;
    const ngx_http_im_field_t  *field;

    for (field = fields; field->name.len; field++) {

        found = ngx_http_im_object_get(object, &field->name, &value);

        if (found && (field->flags & NGX_HTTP_IM_FIELD_EMPTY)
            && value.type == NGX_HTTP_IM_VALUE_STRING && value.text.len == 0)
        {
            found = 0;
        }

        if (!found) {

            if (field->flags & NGX_HTTP_IM_FIELD_REQUIRED) {
                return ngx_http_im_field_bad(ctx, "%V is missing", field);
            }

            continue;
        }

        rc = ngx_http_im_field_readers[field->type](ctx, field, &value,
                                            (u_char *) args + field->offset);
        if (rc != NGX_OK) {
            ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ctx->pool->log, 0,
                           "im field \"%V\" type:%d rc:%i",
                           &field->name, field->type, rc);
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_field_string(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value,
    ngx_str_t *dst)
{
    ngx_str_null(dst);

    if (value->type != NGX_HTTP_IM_VALUE_STRING) {
        return ngx_http_im_field_bad(ctx, "%V must be a string", field);
    }

    *dst = value->text;

    if (field->type == NGX_HTTP_IM_FIELD_CONV_ID
        || field->type == NGX_HTTP_IM_FIELD_USER_ID
        || field->type == NGX_HTTP_IM_FIELD_IDS)
    {
        return NGX_OK;
    }

    return ngx_http_im_field_range(ctx, field, dst->len,
                                   "%V must be %L to %L bytes long",
                                   "%V must be at least %L bytes long");
}


static ngx_int_t
ngx_http_im_field_range(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, int64_t n, const char *between,
    const char *least)
{
    if (n >= field->min && n <= field->max) {
        return NGX_OK;
    }

    return ngx_http_im_error_set(ctx->pool, ctx->error,
                                 NGX_HTTP_IM_BAD_REQUEST,
                                 field->max == NGX_HTTP_IM_NO_LIMIT ? least
                                                                : between,
                                 &field->name, field->min, field->max);
}


static ngx_int_t
ngx_http_im_field_id(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst)
{
    ngx_int_t  rc;
    ngx_str_t  id;

    rc = ngx_http_im_field_id_check(ctx, field, value, &id);

    return (rc == NGX_OK) ? ngx_http_im_field_copy(ctx, &id, dst) : rc;
}


static ngx_int_t
ngx_http_im_field_id_check(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value,
    ngx_str_t *id)
{
    ngx_int_t  rc;

    rc = ngx_http_im_field_string(ctx, field, value, id);

    if (rc != NGX_OK || (field->flags & NGX_HTTP_IM_FIELD_LATER)) {
        return rc;
    }

    if (field->type == NGX_HTTP_IM_FIELD_CONV_ID) {

        if (!ngx_http_im_id_conv_valid(id)) {
            return ngx_http_im_field_bad(ctx, "%V must be "
                                         NGX_HTTP_IM_ID_CONV_FORM, field);
        }

        return NGX_OK;
    }

    if (!ngx_http_im_id_user_valid(id)) {
        return ngx_http_im_field_bad(ctx, "%V must be "
                                     NGX_HTTP_IM_ID_USER_FORM, field);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_field_name(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst)
{
    ngx_int_t  rc;
    ngx_str_t  name;

    rc = ngx_http_im_field_string(ctx, field, value, &name);

    return (rc == NGX_OK) ? ngx_http_im_field_copy(ctx, &name, dst) : rc;
}


static ngx_int_t
ngx_http_im_field_copy(ngx_http_im_field_ctx_t *ctx, ngx_str_t *src,
    ngx_str_t *dst)
{
    dst->len = src->len;
    dst->data = ngx_pstrdup(ctx->pool, src);

    return dst->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_im_field_text(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst)
{
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_http_im_text_t  *copy;

    rc = ngx_http_im_field_string(ctx, field, value, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    copy = dst;
    copy->len = text.len;
    copy->set = 1;

    if (value->plain) {
        copy->escaped.len = text.len;
        copy->escaped.data = ngx_pstrdup(ctx->pool, &text);

        return copy->escaped.data ? NGX_OK : NGX_ERROR;
    }

    return ngx_http_im_json_escape(ctx->pool, &copy->escaped, text.data,
                                   text.len);
}


static ngx_int_t
ngx_http_im_field_int(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst)
{
    if (value->type != NGX_HTTP_IM_VALUE_INT) {
        return ngx_http_im_field_bad(ctx, "%V must be an integer", field);
    }

    *(int64_t *) dst = value->number;

    return ngx_http_im_field_range(ctx, field, value->number,
                                   "%V must be between %L and %L",
                                   "%V must be at least %L");
}


static ngx_int_t
ngx_http_im_field_bool(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst)
{
    if (value->json == NULL || !json_is_boolean(value->json)) {
        return ngx_http_im_field_bad(ctx, "%V must be true or false", field);
    }

    *(ngx_uint_t *) dst = json_is_true(value->json);

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_field_time(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst)
{
    ngx_http_im_time_t  *time;

    time = dst;
    time->set = 1;

    return ngx_http_im_field_int(ctx, field, value, &time->ms);
}


static ngx_int_t
ngx_http_im_field_array(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value)
{
    size_t  n;

    if (value->json == NULL || !json_is_array(value->json)) {
        return ngx_http_im_field_bad(ctx, "%V must be an array", field);
    }

    n = json_array_size(value->json);

    if (ctx->split && (field->flags & NGX_HTTP_IM_FIELD_SPLIT)) {
        n = ctx->split->nelts;
    }

    return ngx_http_im_field_range(ctx, field, n,
                                   "%V must have %L to %L elements",
                                   "%V must have at least %L elements");
}


/*
 * Of repeated ids only the first is kept.  Once there are more than ids_max,
 * the others are checked, but not kept: the call refuses them all.
 */

static ngx_int_t
ngx_http_im_field_ids(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst)
{
    size_t                i, n, max;
    json_t               *seen;
    ngx_int_t             rc;
    ngx_str_t             id;
    ngx_array_t          *ids;
    ngx_http_im_value_t   element;

    rc = ngx_http_im_field_array(ctx, field, value);
    if (rc != NGX_OK) {
        return rc;
    }

    ids = dst;
    n = json_array_size(value->json);

    max = (field->max == NGX_HTTP_IM_NO_LIMIT) ? ctx->ids_max : n;

    if (ngx_array_init(ids, ctx->pool, ngx_min(n, max) + 1, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    seen = json_object();
    if (seen == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n && rc == NGX_OK; i++) {

        ngx_http_im_value_set(json_array_get(value->json, i), &element);

        rc = ngx_http_im_field_id_check(ctx, field, &element, &id);

        if (rc == NGX_OK && ids->nelts <= max) {
            rc = ngx_http_im_field_ids_add(ctx, ids, seen, &id);
        }
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ctx->pool->log, 0,
                   "im field \"%V\" elements:%uz kept:%ui rc:%i",
                   &field->name, n, ids->nelts, rc);

    json_decref(seen);

    return rc;
}


/* jansson's hash is seeded, so nobody can make ids that collide */

static ngx_int_t
ngx_http_im_field_ids_add(ngx_http_im_field_ctx_t *ctx, ngx_array_t *ids,
    json_t *seen, ngx_str_t *id)
{
    ngx_str_t   *copy;
    const char  *s;

    /* it has a NUL behind it, as all strings of jansson */

    s = (char *) id->data;

    if (json_object_get(seen, s)) {
        return NGX_OK;
    }

    copy = ngx_array_push(ids);

    if (copy == NULL
        || json_object_set_new_nocheck(seen, s, json_true()) != 0)
    {
        return NGX_ERROR;
    }

    return ngx_http_im_field_copy(ctx, id, copy);
}


static ngx_int_t
ngx_http_im_field_objects(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_http_im_value_t *value, void *dst)
{
    void         *args;
    size_t        i, n;
    ngx_int_t     rc;
    ngx_str_t     text, *elt;
    ngx_uint_t    split;

    rc = ngx_http_im_field_array(ctx, field, value);
    if (rc != NGX_OK) {
        return rc;
    }

    elt = NULL;
    n = json_array_size(value->json);
    split = (ctx->split && (field->flags & NGX_HTTP_IM_FIELD_SPLIT));

    if (split) {
        elt = ctx->split->elts;
        n = ctx->split->nelts;
    }

    if (ngx_array_init(dst, ctx->pool, n + 1, field->size) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        args = ngx_array_push(dst);
        if (args == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(args, field->size);

        rc = split ? ngx_http_im_field_element(ctx, field, &elt[i], args)
                   : ngx_http_im_field_row(ctx, field,
                                           json_array_get(value->json, i),
                                           args);

        if (rc == NGX_DECLINED && (field->flags & NGX_HTTP_IM_FIELD_SPLIT)) {
            text = ctx->error->text;

            return ngx_http_im_error_set(ctx->pool, ctx->error,
                                         ctx->error->id, "%V[%uz]: %V",
                                         &field->name, i, &text);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_im_field_row(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, json_t *json, void *args)
{
    ngx_http_im_object_t  object;

    if (!json_is_object(json)) {
        return ngx_http_im_field_bad(ctx, "%V must hold objects only", field);
    }

    object.json = json;

    return ngx_http_im_field_object(ctx, field->sub, &object, args);
}


/* the same from the text of the element */

static ngx_int_t
ngx_http_im_field_element(ngx_http_im_field_ctx_t *ctx,
    const ngx_http_im_field_t *field, ngx_str_t *text, void *args)
{
    json_t                   *root;
    ngx_int_t                 rc;
    ngx_http_im_object_t      object;
    ngx_http_im_json_flat_t   members[NGX_HTTP_IM_JSON_FLAT_MAX];

    if (text->len == 0 || text->data[0] != '{') {
        return ngx_http_im_field_bad(ctx, "%V must hold objects only", field);
    }

    object.json = NULL;
    object.members = members;
    object.n = ngx_http_im_json_flat_read(text->data, text->len, members);

    if (object.n != NGX_DECLINED) {
        return ngx_http_im_field_object(ctx, field->sub, &object, args);
    }

    rc = ngx_http_im_json_tree(ctx->pool, text->data, text->len, NULL, &root,
                               ctx->error);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_im_field_row(ctx, field, root, args);

    json_decref(root);

    return rc;
}


static ngx_int_t
ngx_http_im_field_bad(ngx_http_im_field_ctx_t *ctx, const char *fmt,
    const ngx_http_im_field_t *field)
{
    return ngx_http_im_error_set(ctx->pool, ctx->error,
                                 NGX_HTTP_IM_BAD_REQUEST, fmt, &field->name);
}
