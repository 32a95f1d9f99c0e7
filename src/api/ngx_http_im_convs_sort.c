
#include "ngx_http_im_convs.h"
#include "ngx_http_im_atoi.h"
#include "ngx_http_im_group.h"
#include "ngx_http_im_id.h"


/* places without a membership that are looked at in one call */
#define NGX_HTTP_IM_CONVS_CLEAN_MAX   16


static ngx_uint_t ngx_http_im_convs_row_matches(ngx_http_im_convs_t *convs,
    ngx_http_im_convs_row_t *row);
static ngx_uint_t ngx_http_im_convs_rows_unique(
    ngx_http_im_convs_row_t **rows, ngx_uint_t n);
static int ngx_libc_cdecl ngx_http_im_convs_time_compare(const void *one,
    const void *two);
static int ngx_libc_cdecl ngx_http_im_convs_id_compare(const void *one,
    const void *two);


ngx_int_t
ngx_http_im_convs_rows_sort(ngx_http_im_call_t *call,
    ngx_http_im_convs_t *convs, ngx_http_im_convs_row_t **rows,
    ngx_uint_t *nrows, ngx_uint_t unique)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    ngx_http_im_convs_row_t  *row;

    for (n = 0, i = 0; i < *nrows; i++) {
        row = rows[i];

        rc = ngx_http_im_convs_row_parse(call, convs, row);

        if (rc == NGX_OK) {

            if (ngx_http_im_convs_row_matches(convs, row)) {
                rows[n++] = row;
            }

            continue;
        }

        if (rc != NGX_DONE) {
            return rc;
        }

        if (row->peer.len == 0
            && convs->cleaned++ < NGX_HTTP_IM_CONVS_CLEAN_MAX)
        {
            ngx_http_im_place_clean(call, convs->user, &row->conv_id);
        }
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, call->log, 0,
                   "im convs rows:%ui of %ui job:%p", n, *nrows, call->job);

    if (unique) {
        n = ngx_http_im_convs_rows_unique(rows, n);
    }

    ngx_qsort(rows, n, sizeof(void *), ngx_http_im_convs_time_compare);

    *nrows = n;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_im_convs_row_matches(ngx_http_im_convs_t *convs,
    ngx_http_im_convs_row_t *row)
{
    int64_t                      time;
    ngx_http_im_convs_filter_t  *filter;

    filter = &convs->filter;

    if (row->hidden || !filter->set) {
        return !row->hidden;
    }

    time = ngx_http_im_atoi(row->head.time.data, row->head.time.len);

    return time > filter->since && time <= filter->until
           && (row->unread || !filter->unread);
}


static ngx_uint_t
ngx_http_im_convs_rows_unique(ngx_http_im_convs_row_t **rows, ngx_uint_t n)
{
    ngx_uint_t  i, k;

    ngx_qsort(rows, n, sizeof(void *), ngx_http_im_convs_id_compare);

    for (k = 0, i = 0; i < n; i++) {
        if (k == 0
            || !ngx_http_im_str_eq(&rows[k - 1]->conv_id, &rows[i]->conv_id))
        {
            rows[k++] = rows[i];
        }
    }

    return k;
}


static int ngx_libc_cdecl
ngx_http_im_convs_time_compare(const void *one, const void *two)
{
    int                       rc;
    ngx_http_im_convs_row_t  *a, *b;

    a = *(ngx_http_im_convs_row_t **) one;
    b = *(ngx_http_im_convs_row_t **) two;

    /* digits of one length compare as numbers do */

    rc = ngx_memcmp(b->head.time.data, a->head.time.data, a->head.time.len);

    return rc ? rc : ngx_http_im_convs_id_compare(one, two);
}


static int ngx_libc_cdecl
ngx_http_im_convs_id_compare(const void *one, const void *two)
{
    ngx_http_im_convs_row_t  *a, *b;

    a = *(ngx_http_im_convs_row_t **) one;
    b = *(ngx_http_im_convs_row_t **) two;

    return (int) ngx_http_im_id_order(&a->conv_id, &b->conv_id);
}
