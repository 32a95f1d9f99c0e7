
#include "ngx_http_im_rate.h"
#include "ngx_http_im_siphash.h"
#include "ngx_http_im_zone.h"


/* requests, in a limit and at once; the excess must fit in 32 bits */
#define NGX_HTTP_IM_RATE_MAX   1000000


/* all of one size: the oldest can always be used for a new one */

typedef struct {
    ngx_rbtree_node_t            node;     /* key: the hash; data: the length
                                              of id */
    ngx_queue_t                  queue;
    ngx_msec_t                   last;
    uint64_t                     rate;
    uint32_t                     scope;
    int32_t                      excess;   /* at last */
    u_char                       id[NGX_HTTP_IM_RATE_ID_MAX];
} ngx_http_im_rate_node_t;


/*
 * No pointer to a function is kept in shared memory: after an upgrade of the
 * module, workers of the old and of the new one have it at different places.
 */

typedef struct {
    ngx_rbtree_node_t           *root;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  queue;    /* the latest first */
    ngx_uint_t                   used;
    ngx_http_im_rate_node_t     *nodes;
} ngx_http_im_rate_table_t;


/* users do not evict conversations, nor conversations users */

struct ngx_http_im_rate_sh_s {
    ngx_http_im_rate_table_t     tables[NGX_HTTP_IM_RATE_KINDS];
    ngx_http_im_siphash_key_t    key;
    ngx_uint_t                   size;     /* nodes of a table */
};


static ngx_int_t ngx_http_im_rate_init(ngx_shm_zone_t *zone, void *data);
static uint64_t ngx_http_im_rate_hash(ngx_http_im_rate_t *rate,
    ngx_http_im_rate_key_t *key);
static ngx_http_im_rate_node_t *ngx_http_im_rate_find(
    ngx_http_im_rate_table_t *table, ngx_http_im_rate_key_t *key,
    ngx_rbtree_key_t hash);
static ngx_http_im_rate_node_t *ngx_http_im_rate_create(
    ngx_http_im_rate_t *rate, ngx_http_im_rate_table_t *table,
    ngx_http_im_rate_key_t *key, ngx_rbtree_key_t hash);
static ngx_int_t ngx_http_im_rate_cmp(ngx_http_im_rate_node_t *node,
    uint64_t rate, uint32_t scope, u_char *id, size_t len);
static void ngx_http_im_rate_insert_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_http_im_rate_excess(ngx_http_im_rate_node_t *node,
    ngx_msec_t now);


char *
ngx_http_im_rate_conf(ngx_str_t *value, ngx_str_t *burst,
    ngx_http_im_rate_limit_t limits[NGX_HTTP_IM_RATE_KINDS])
{
    size_t                     len;
    u_char                    *p;
    uint64_t                   scale;
    ngx_int_t                  n;
    ngx_http_im_rate_limit_t  *limit;

    if (ngx_strncmp(value->data, "user=", 5) == 0) {
        limit = &limits[NGX_HTTP_IM_RATE_USER];

    } else if (ngx_strncmp(value->data, "conv=", 5) == 0) {
        limit = &limits[NGX_HTTP_IM_RATE_CONV];

    } else {
        return "takes \"user=RATE\", \"conv=RATE\" or, at http level, "
               "\"zone=NAME:SIZE\"";
    }

    if (limit->rate != NGX_HTTP_IM_RATE_UNSET) {
        return "is duplicate";
    }

    p = value->data + 5;
    len = value->len - 5;

    limit->burst = 0;

    if (len == 3 && ngx_strncmp(p, "off", 3) == 0) {
        limit->rate = 0;
        return burst ? "has a burst, but no rate" : NGX_CONF_OK;
    }

    scale = 0;

    if (len > 3) {

        if (ngx_strncmp(p + len - 3, "r/s", 3) == 0) {
            scale = 60000;

        } else if (ngx_strncmp(p + len - 3, "r/m", 3) == 0) {
            scale = 1000;
        }
    }

    n = scale ? ngx_atoi(p, len - 3) : NGX_ERROR;

    if (n < 1 || n > NGX_HTTP_IM_RATE_MAX) {
        return "takes a rate such as \"10r/s\" or \"30r/m\", from 1 to "
               "1000000, or \"off\"";
    }

    limit->rate = n * scale;

    if (burst == NULL) {
        return NGX_CONF_OK;
    }

    n = (ngx_strncmp(burst->data, "burst=", 6) == 0)
        ? ngx_atoi(burst->data + 6, burst->len - 6) : NGX_ERROR;

    if (n < 0 || n > NGX_HTTP_IM_RATE_MAX) {
        return "takes \"burst=NUMBER\", from 0 to 1000000, after the rate";
    }

    limit->burst = n * 1000;

    return NGX_CONF_OK;
}


char *
ngx_http_im_rate_zone_conf(ngx_conf_t *cf, ngx_str_t *value, void *tag,
    ngx_shm_zone_t **zone)
{
    char       *rv;
    size_t      size;
    ngx_str_t   name;

    rv = ngx_http_im_zone_parse(value, "takes \"zone=NAME:SIZE\"",
                                &name, &size);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    *zone = ngx_http_im_rate_zone_add(cf, &name, size, tag);

    return *zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_shm_zone_t *
ngx_http_im_rate_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag)
{
    ngx_http_im_rate_t  *rate;

    rate = ngx_pcalloc(cf->pool, sizeof(ngx_http_im_rate_t));
    if (rate == NULL) {
        return NULL;
    }

    return ngx_http_im_zone_add(cf, name, size, tag, ngx_http_im_rate_init,
                                rate);
}


static ngx_int_t
ngx_http_im_rate_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_im_rate_t  *old = data;

    size_t                     size;
    ngx_uint_t                 i;
    ngx_http_im_rate_t        *rate;
    ngx_http_im_rate_sh_t     *sh;
    ngx_http_im_rate_node_t   *nodes;
    ngx_http_im_rate_table_t  *table;

    rate = zone->data;
    rate->shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (old || zone->shm.exists) {
        rate->sh = old ? old->sh : rate->shpool->data;
        return NGX_OK;
    }

    /* all of the zone; a node that is not used yet is never touched */

    size = rate->shpool->pfree * ngx_pagesize;

    sh = ngx_slab_alloc(rate->shpool, size);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_im_siphash_key_init(&sh->key, zone->shm.log) != NGX_OK) {
        return NGX_ERROR;
    }

    sh->size = (size - sizeof(ngx_http_im_rate_sh_t))
               / sizeof(ngx_http_im_rate_node_t) / NGX_HTTP_IM_RATE_KINDS;

    nodes = (ngx_http_im_rate_node_t *) (sh + 1);

    for (i = 0; i < NGX_HTTP_IM_RATE_KINDS; i++) {
        table = &sh->tables[i];

        ngx_rbtree_sentinel_init(&table->sentinel);
        ngx_queue_init(&table->queue);

        table->root = &table->sentinel;
        table->used = 0;
        table->nodes = nodes + i * sh->size;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, zone->shm.log, 0,
                   "im rate zone:%p nodes:%ui", sh, sh->size);

    rate->sh = sh;
    rate->shpool->data = sh;

    return NGX_OK;
}


ngx_int_t
ngx_http_im_rate_take(ngx_http_im_rate_t *rate,
    ngx_http_im_rate_key_t keys[NGX_HTTP_IM_RATE_KINDS],
    ngx_http_im_rate_kind_e *kind, ngx_uint_t *retry)
{
    ngx_int_t                  rc, over, excess[NGX_HTTP_IM_RATE_KINDS];
    ngx_uint_t                 i, seconds;
    ngx_msec_t                 now;
    ngx_rbtree_key_t           hash[NGX_HTTP_IM_RATE_KINDS];
    ngx_http_im_rate_node_t   *node[NGX_HTTP_IM_RATE_KINDS];
    ngx_http_im_rate_table_t  *table;

    rc = NGX_OK;
    now = ngx_current_msec;
    *retry = 0;

    ngx_shmtx_lock(&rate->shpool->mutex);

    for (i = 0; i < NGX_HTTP_IM_RATE_KINDS; i++) {

        if (keys[i].id.len == 0) {
            continue;
        }

        table = &rate->sh->tables[i];
        hash[i] = ngx_http_im_rate_hash(rate, &keys[i]);
        node[i] = ngx_http_im_rate_find(table, &keys[i], hash[i]);

        excess[i] = node[i] ? ngx_http_im_rate_excess(node[i], now) : 0;
        over = excess[i] - keys[i].limit.burst;

        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im rate kind:%ui id:\"%V\" excess:%i burst:%i",
                       i, &keys[i].id, excess[i], keys[i].limit.burst);

        if (over <= 0) {
            continue;
        }

        if (rc == NGX_OK) {
            *kind = i;
            rc = NGX_BUSY;
        }

        /* a rate is that of a minute */

        seconds = ((uint64_t) over * 60 + keys[i].limit.rate - 1)
                  / keys[i].limit.rate;

        *retry = ngx_max(*retry, seconds);
    }

    for (i = 0; rc == NGX_OK && i < NGX_HTTP_IM_RATE_KINDS; i++) {

        if (keys[i].id.len == 0) {
            continue;
        }

        if (node[i] == NULL) {
            node[i] = ngx_http_im_rate_create(rate, &rate->sh->tables[i],
                                              &keys[i], hash[i]);
            node[i]->last = now;

        } else if ((ngx_msec_int_t) (now - node[i]->last) > 0) {
            node[i]->last = now;
        }

        node[i]->excess = excess[i];
    }

    ngx_shmtx_unlock(&rate->shpool->mutex);

    return rc;
}


/*
 * What is given back never leaves less than if it had not been taken: one
 * request less than nothing is that of somebody who has waited long enough.
 */

void
ngx_http_im_rate_give_back(ngx_http_im_rate_charge_t *charge)
{
    ngx_http_im_rate_t       *rate;
    ngx_http_im_rate_node_t  *node;

    rate = charge->rate;

    ngx_shmtx_lock(&rate->shpool->mutex);

    node = ngx_http_im_rate_find(&rate->sh->tables[charge->kind], &charge->key,
                                 ngx_http_im_rate_hash(rate, &charge->key));
    if (node) {
        node->excess = ngx_max(node->excess - 1000, -1000);
    }

    ngx_shmtx_unlock(&rate->shpool->mutex);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "im rate give back kind:%d id:\"%V\" node:%p",
                   (int) charge->kind, &charge->key.id, node);
}


/* the same for all rates and scopes, which the tree tells apart */

static uint64_t
ngx_http_im_rate_hash(ngx_http_im_rate_t *rate, ngx_http_im_rate_key_t *key)
{
    return ngx_http_im_siphash(&rate->sh->key, key->id.data, key->id.len);
}


static ngx_http_im_rate_node_t *
ngx_http_im_rate_find(ngx_http_im_rate_table_t *table,
    ngx_http_im_rate_key_t *key, ngx_rbtree_key_t hash)
{
    ngx_int_t                 rc;
    ngx_rbtree_node_t        *node;
    ngx_http_im_rate_node_t  *rn;

    node = table->root;

    while (node != &table->sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        rn = ngx_rbtree_data(node, ngx_http_im_rate_node_t, node);

        rc = ngx_http_im_rate_cmp(rn, key->limit.rate, key->scope,
                                  key->id.data, key->id.len);
        if (rc == 0) {
            ngx_queue_remove(&rn->queue);
            ngx_queue_insert_head(&table->queue, &rn->queue);

            return rn;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


/* in place of the oldest, if there is no other */

static ngx_http_im_rate_node_t *
ngx_http_im_rate_create(ngx_http_im_rate_t *rate,
    ngx_http_im_rate_table_t *table, ngx_http_im_rate_key_t *key,
    ngx_rbtree_key_t hash)
{
    ngx_queue_t              *q;
    ngx_rbtree_t              tree;
    ngx_http_im_rate_node_t  *rn;

    tree.root = table->root;
    tree.sentinel = &table->sentinel;
    tree.insert = ngx_http_im_rate_insert_value;

    if (table->used < rate->sh->size) {
        rn = &table->nodes[table->used++];

    } else {
        q = ngx_queue_last(&table->queue);
        rn = ngx_queue_data(q, ngx_http_im_rate_node_t, queue);

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "im rate evict node:%p excess:%d", rn, rn->excess);

        ngx_queue_remove(q);
        ngx_rbtree_delete(&tree, &rn->node);
    }

    rn->rate = key->limit.rate;
    rn->scope = key->scope;
    rn->node.key = hash;
    rn->node.data = (u_char) key->id.len;
    ngx_memcpy(rn->id, key->id.data, key->id.len);

    ngx_rbtree_insert(&tree, &rn->node);
    ngx_queue_insert_head(&table->queue, &rn->queue);

    table->root = tree.root;

    return rn;
}


/* the order of what is given, as against the node */

static ngx_int_t
ngx_http_im_rate_cmp(ngx_http_im_rate_node_t *node, uint64_t rate,
    uint32_t scope, u_char *id, size_t len)
{
    if (rate != node->rate) {
        return (rate < node->rate) ? -1 : 1;
    }

    if (scope != node->scope) {
        return (scope < node->scope) ? -1 : 1;
    }

    return ngx_memn2cmp(id, node->id, len, node->node.data);
}


static void
ngx_http_im_rate_insert_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_uint_t                 less;
    ngx_rbtree_node_t        **p;
    ngx_http_im_rate_node_t   *rn, *rnt;

    rn = ngx_rbtree_data(node, ngx_http_im_rate_node_t, node);

    for ( ;; ) {

        if (node->key != temp->key) {
            less = (node->key < temp->key);

        } else {
            rnt = ngx_rbtree_data(temp, ngx_http_im_rate_node_t, node);

            less = (ngx_http_im_rate_cmp(rnt, rn->rate, rn->scope, rn->id,
                                         rn->node.data)
                    < 0);
        }

        p = less ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


/* with one request more; workers read the clock at different times */

static ngx_int_t
ngx_http_im_rate_excess(ngx_http_im_rate_node_t *node, ngx_msec_t now)
{
    int64_t  excess, ms;

    ms = (ngx_msec_int_t) (now - node->last);

    if (ms < -60000) {
        ms = 1;

    } else if (ms < 0) {
        ms = 0;
    }

    excess = node->excess + 1000;

    /* a long time is not multiplied */

    if (excess <= 0 || (uint64_t) ms >= excess * 60000 / node->rate + 1) {
        return 0;
    }

    return excess - node->rate * ms / 60000;
}
