
#include "ngx_http_im_stream_table.h"


static ngx_http_im_stream_group_t *ngx_http_im_stream_group_get(
    ngx_http_im_stream_table_t *table, ngx_str_t *conv_id, ngx_log_t *log);


void
ngx_http_im_stream_table_init(ngx_http_im_stream_table_t *table)
{
    ngx_rbtree_init(&table->users, &table->users_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&table->groups, &table->groups_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&table->online);
}


ngx_http_im_stream_user_t *
ngx_http_im_stream_user_find(ngx_http_im_stream_table_t *table,
    ngx_str_t *name)
{
    return (ngx_http_im_stream_user_t *)
               ngx_str_rbtree_lookup(&table->users, name,
                                     ngx_crc32_short(name->data, name->len));
}


ngx_http_im_stream_user_t *
ngx_http_im_stream_user_get(ngx_http_im_stream_table_t *table,
    ngx_str_t *name, ngx_log_t *log)
{
    ngx_http_im_stream_user_t  *user;

    user = ngx_http_im_stream_user_find(table, name);

    if (user) {
        return user;
    }

    user = ngx_alloc(sizeof(ngx_http_im_stream_user_t) + name->len, log);
    if (user == NULL) {
        return NULL;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                   "im stream user:%p \"%V\" create", user, name);

    user->sn.str.data = (u_char *) user + sizeof(ngx_http_im_stream_user_t);
    user->sn.str.len = name->len;
    ngx_memcpy(user->sn.str.data, name->data, name->len);

    user->sn.node.key = ngx_crc32_short(name->data, name->len);
    user->n = 0;
    user->joining = 0;
    user->refreshed = 0;

    ngx_queue_init(&user->streams);
    ngx_queue_init(&user->links);

    ngx_rbtree_insert(&table->users, &user->sn.node);

    /* whoever was not yet refreshed goes first */

    ngx_queue_insert_head(&table->online, &user->online);

    return user;
}


void
ngx_http_im_stream_user_release(ngx_http_im_stream_table_t *table,
    ngx_http_im_stream_user_t *user)
{
    ngx_queue_t  *q;

    if (user->n) {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im stream user:%p \"%V\" free", user, &user->sn.str);

    while (!ngx_queue_empty(&user->links)) {
        q = ngx_queue_head(&user->links);

        ngx_http_im_stream_link_remove(table,
                     ngx_queue_data(q, ngx_http_im_stream_link_t, of_user));
    }

    ngx_queue_remove(&user->online);
    ngx_rbtree_delete(&table->users, &user->sn.node);
    ngx_free(user);
}


ngx_http_im_stream_group_t *
ngx_http_im_stream_group_find(ngx_http_im_stream_table_t *table,
    ngx_str_t *conv_id)
{
    return (ngx_http_im_stream_group_t *)
               ngx_str_rbtree_lookup(&table->groups, conv_id,
                                     ngx_crc32_short(conv_id->data,
                                                     conv_id->len));
}


static ngx_http_im_stream_group_t *
ngx_http_im_stream_group_get(ngx_http_im_stream_table_t *table,
    ngx_str_t *conv_id, ngx_log_t *log)
{
    ngx_http_im_stream_group_t  *group;

    group = ngx_http_im_stream_group_find(table, conv_id);

    if (group) {
        return group;
    }

    group = ngx_alloc(sizeof(ngx_http_im_stream_group_t) + conv_id->len, log);
    if (group == NULL) {
        return NULL;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                   "im stream group:%p \"%V\" create", group, conv_id);

    group->sn.str.data = (u_char *) group + sizeof(ngx_http_im_stream_group_t);
    group->sn.str.len = conv_id->len;
    ngx_memcpy(group->sn.str.data, conv_id->data, conv_id->len);

    group->sn.node.key = ngx_crc32_short(conv_id->data, conv_id->len);

    ngx_queue_init(&group->links);

    ngx_rbtree_insert(&table->groups, &group->sn.node);

    return group;
}


ngx_http_im_stream_link_t *
ngx_http_im_stream_link_find(ngx_http_im_stream_table_t *table,
    ngx_http_im_stream_user_t *user, ngx_str_t *conv_id)
{
    ngx_queue_t                 *q;
    ngx_http_im_stream_link_t   *link;
    ngx_http_im_stream_group_t  *group;

    group = ngx_http_im_stream_group_find(table, conv_id);

    if (group == NULL) {
        return NULL;
    }

    for (q = ngx_queue_head(&user->links);
         q != ngx_queue_sentinel(&user->links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_http_im_stream_link_t, of_user);

        if (link->group == group) {
            return link;
        }
    }

    return NULL;
}


ngx_http_im_stream_link_t *
ngx_http_im_stream_link_get(ngx_http_im_stream_table_t *table,
    ngx_http_im_stream_user_t *user, ngx_str_t *conv_id, ngx_log_t *log)
{
    ngx_http_im_stream_link_t   *link;
    ngx_http_im_stream_group_t  *group;

    link = ngx_http_im_stream_link_find(table, user, conv_id);

    if (link) {
        return link;
    }

    link = ngx_alloc(sizeof(ngx_http_im_stream_link_t), log);
    if (link == NULL) {
        return NULL;
    }

    group = ngx_http_im_stream_group_get(table, conv_id, log);
    if (group == NULL) {
        ngx_free(link);
        return NULL;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, log, 0,
                   "im stream link:%p user:\"%V\" group:\"%V\"",
                   link, &user->sn.str, conv_id);

    link->user = user;
    link->group = group;
    link->confirmed = 0;

    ngx_queue_insert_tail(&user->links, &link->of_user);
    ngx_queue_insert_tail(&group->links, &link->of_group);

    return link;
}


void
ngx_http_im_stream_link_remove(ngx_http_im_stream_table_t *table,
    ngx_http_im_stream_link_t *link)
{
    ngx_http_im_stream_group_t  *group;

    group = link->group;

    ngx_queue_remove(&link->of_user);
    ngx_queue_remove(&link->of_group);
    ngx_free(link);

    if (ngx_queue_empty(&group->links)) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im stream group:%p \"%V\" free",
                       group, &group->sn.str);

        ngx_rbtree_delete(&table->groups, &group->sn.node);
        ngx_free(group);
    }
}


void
ngx_http_im_stream_links_sweep(ngx_http_im_stream_table_t *table,
    ngx_http_im_stream_user_t *user)
{
    ngx_queue_t                *q, *next;
    ngx_http_im_stream_link_t  *link;

    for (q = ngx_queue_head(&user->links);
         q != ngx_queue_sentinel(&user->links);
         q = next)
    {
        next = ngx_queue_next(q);
        link = ngx_queue_data(q, ngx_http_im_stream_link_t, of_user);

        if (!link->confirmed) {
            ngx_http_im_stream_link_remove(table, link);
        }
    }
}
