
#include "ngx_http_im_slots.h"
#include "ngx_http_im_atoi.h"


static ngx_int_t ngx_http_im_slots_number(ngx_http_im_reply_t *reply,
    ngx_uint_t max, ngx_uint_t *n);
static ngx_int_t ngx_http_im_slots_host(ngx_str_t *host);


/* CRC-16/XMODEM: of each byte in front of two that are zero */

static const uint16_t  ngx_http_im_slots_crc[256] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
    0x1231, 0x0210, 0x3273, 0x2252, 0x52b5, 0x4294, 0x72f7, 0x62d6,
    0x9339, 0x8318, 0xb37b, 0xa35a, 0xd3bd, 0xc39c, 0xf3ff, 0xe3de,
    0x2462, 0x3443, 0x0420, 0x1401, 0x64e6, 0x74c7, 0x44a4, 0x5485,
    0xa56a, 0xb54b, 0x8528, 0x9509, 0xe5ee, 0xf5cf, 0xc5ac, 0xd58d,
    0x3653, 0x2672, 0x1611, 0x0630, 0x76d7, 0x66f6, 0x5695, 0x46b4,
    0xb75b, 0xa77a, 0x9719, 0x8738, 0xf7df, 0xe7fe, 0xd79d, 0xc7bc,
    0x48c4, 0x58e5, 0x6886, 0x78a7, 0x0840, 0x1861, 0x2802, 0x3823,
    0xc9cc, 0xd9ed, 0xe98e, 0xf9af, 0x8948, 0x9969, 0xa90a, 0xb92b,
    0x5af5, 0x4ad4, 0x7ab7, 0x6a96, 0x1a71, 0x0a50, 0x3a33, 0x2a12,
    0xdbfd, 0xcbdc, 0xfbbf, 0xeb9e, 0x9b79, 0x8b58, 0xbb3b, 0xab1a,
    0x6ca6, 0x7c87, 0x4ce4, 0x5cc5, 0x2c22, 0x3c03, 0x0c60, 0x1c41,
    0xedae, 0xfd8f, 0xcdec, 0xddcd, 0xad2a, 0xbd0b, 0x8d68, 0x9d49,
    0x7e97, 0x6eb6, 0x5ed5, 0x4ef4, 0x3e13, 0x2e32, 0x1e51, 0x0e70,
    0xff9f, 0xefbe, 0xdfdd, 0xcffc, 0xbf1b, 0xaf3a, 0x9f59, 0x8f78,
    0x9188, 0x81a9, 0xb1ca, 0xa1eb, 0xd10c, 0xc12d, 0xf14e, 0xe16f,
    0x1080, 0x00a1, 0x30c2, 0x20e3, 0x5004, 0x4025, 0x7046, 0x6067,
    0x83b9, 0x9398, 0xa3fb, 0xb3da, 0xc33d, 0xd31c, 0xe37f, 0xf35e,
    0x02b1, 0x1290, 0x22f3, 0x32d2, 0x4235, 0x5214, 0x6277, 0x7256,
    0xb5ea, 0xa5cb, 0x95a8, 0x8589, 0xf56e, 0xe54f, 0xd52c, 0xc50d,
    0x34e2, 0x24c3, 0x14a0, 0x0481, 0x7466, 0x6447, 0x5424, 0x4405,
    0xa7db, 0xb7fa, 0x8799, 0x97b8, 0xe75f, 0xf77e, 0xc71d, 0xd73c,
    0x26d3, 0x36f2, 0x0691, 0x16b0, 0x6657, 0x7676, 0x4615, 0x5634,
    0xd94c, 0xc96d, 0xf90e, 0xe92f, 0x99c8, 0x89e9, 0xb98a, 0xa9ab,
    0x5844, 0x4865, 0x7806, 0x6827, 0x18c0, 0x08e1, 0x3882, 0x28a3,
    0xcb7d, 0xdb5c, 0xeb3f, 0xfb1e, 0x8bf9, 0x9bd8, 0xabbb, 0xbb9a,
    0x4a75, 0x5a54, 0x6a37, 0x7a16, 0x0af1, 0x1ad0, 0x2ab3, 0x3a92,
    0xfd2e, 0xed0f, 0xdd6c, 0xcd4d, 0xbdaa, 0xad8b, 0x9de8, 0x8dc9,
    0x7c26, 0x6c07, 0x5c64, 0x4c45, 0x3ca2, 0x2c83, 0x1ce0, 0x0cc1,
    0xef1f, 0xff3e, 0xcf5d, 0xdf7c, 0xaf9b, 0xbfba, 0x8fd9, 0x9ff8,
    0x6e17, 0x7e36, 0x4e55, 0x5e74, 0x2e93, 0x3eb2, 0x0ed1, 0x1ef0
};


/* the CRC of the first non-empty {...}, else of the whole key */

ngx_uint_t
ngx_http_im_key_slot(const ngx_str_t *key)
{
    u_char    *p, *last, *open, *close;
    uint16_t   crc;

    p = key->data;
    last = p + key->len;

    open = ngx_strlchr(p, last, '{');
    close = open ? ngx_strlchr(open, last, '}') : NULL;

    if (close && close > open + 1) {
        p = open + 1;
        last = close;
    }

    for (crc = 0; p < last; p++) {
        crc = (uint16_t) (crc << 8)
              ^ ngx_http_im_slots_crc[(crc >> 8) ^ *p];
    }

    return crc % NGX_HTTP_IM_SLOTS;
}


ngx_int_t
ngx_http_im_slots_range(ngx_http_im_reply_t *reply, ngx_uint_t i,
    ngx_http_im_slots_range_t *range)
{
    ngx_uint_t            port;
    ngx_http_im_reply_t  *entry, *primary;

    if (reply->type != NGX_HTTP_IM_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    if (i >= reply->nelts) {
        return NGX_DONE;
    }

    entry = &reply->elts[i];

    if (entry->type != NGX_HTTP_IM_REPLY_ARRAY || entry->nelts < 3) {
        return NGX_ERROR;
    }

    primary = &entry->elts[2];

    if (ngx_http_im_slots_number(&entry->elts[0], NGX_HTTP_IM_SLOTS - 1,
                                 &range->first)
        != NGX_OK
        || ngx_http_im_slots_number(&entry->elts[1], NGX_HTTP_IM_SLOTS - 1,
                                    &range->last)
           != NGX_OK
        || range->first > range->last
        || primary->type != NGX_HTTP_IM_REPLY_ARRAY || primary->nelts < 2
        || ngx_http_im_slots_number(&primary->elts[1], 65535, &port) != NGX_OK)
    {
        return NGX_ERROR;
    }

    range->port = (in_port_t) port;

    /* nil: the address of the server that was asked */

    switch (ngx_http_im_reply_string(&primary->elts[0], &range->host)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        ngx_str_null(&range->host);
        break;

    default:
        return NGX_ERROR;
    }

    return (port && ngx_http_im_slots_host(&range->host) == NGX_OK)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_im_slots_number(ngx_http_im_reply_t *reply, ngx_uint_t max,
    ngx_uint_t *n)
{
    int64_t  value;

    if (ngx_http_im_reply_int(reply, &value) != NGX_OK
        || value < 0 || value > (int64_t) max)
    {
        return NGX_ERROR;
    }

    *n = (ngx_uint_t) value;

    return NGX_OK;
}


/* a name or an address, or nothing; "?" is a name that is not configured */

static ngx_int_t
ngx_http_im_slots_host(ngx_str_t *host)
{
    u_char      c;
    ngx_uint_t  i;

    if (host->len > NGX_HTTP_IM_SLOTS_HOST) {
        return NGX_ERROR;
    }

    for (i = 0; i < host->len; i++) {
        c = host->data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_'
              || c == ':'))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_im_slots_redirect(const ngx_str_t *error,
    ngx_http_im_slots_range_t *range)
{
    u_char     *p, *end, *last, *colon;
    ngx_int_t   slot, port;

    last = error->data + error->len;

    p = ngx_strlchr(error->data, last, ' ');
    end = p ? ngx_strlchr(p + 1, last, ' ') : NULL;

    if (end == NULL) {
        return NGX_ERROR;
    }

    slot = ngx_atoi(p + 1, end - p - 1);

    /* an address of IPv6 has colons, too, and no brackets */

    p = end + 1;

    for (colon = last; colon > p && colon[-1] != ':'; colon--) { /* void */ }

    if (slot == NGX_ERROR || slot >= NGX_HTTP_IM_SLOTS || colon == p) {
        return NGX_ERROR;
    }

    port = ngx_atoi(colon, last - colon);

    if (port == NGX_ERROR || port < 1 || port > 65535) {
        return NGX_ERROR;
    }

    range->first = (ngx_uint_t) slot;
    range->last = (ngx_uint_t) slot;
    range->port = (in_port_t) port;
    range->host.data = p;
    range->host.len = colon - 1 - p;

    return ngx_http_im_slots_host(&range->host);
}
