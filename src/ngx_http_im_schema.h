
#ifndef _NGX_HTTP_IM_SCHEMA_H_INCLUDED_
#define _NGX_HTTP_IM_SCHEMA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Parses the strings that the scripts in src/script store; their format is
 * described in docs/redis-schema.md.  All parsed strings point into the reply.
 * NGX_OK, or NGX_ERROR: the string is malformed.
 */

/* so many bytes of a head have all but the text of the last message */
#define NGX_HTTP_IM_HEAD_PREFIX   "329"

#define NGX_HTTP_IM_HEAD_REV_LEN  6


typedef struct {
    ngx_uint_t    group;
    ngx_uint_t    dismissed;   /* a group that is read-only */
    ngx_uint_t    imported;    /* its messages may have ids of their own */
    int64_t       seq;         /* of the last message */
    ngx_str_t     time;        /* of the last message, or of the creation */
    ngx_str_t     rev;         /* changes with every recall */
    ngx_str_t     type;
    ngx_str_t     from;        /* "": there is no message */
    ngx_str_t     text;        /* escaped */

    /* 1:1 only, the users in the order of bytes */
    ngx_str_t     users[2];
    int64_t       read[2];     /* their read positions */
    ngx_uint_t    hidden[2];   /* for each, until the next message */
    ngx_uint_t    first;       /* index of the one who is shown first */
    ngx_str_t     id;          /* that it is shown under, "": its own */
} ngx_http_im_head_t;


typedef struct {
    ngx_str_t     id;          /* "seq-random", or as imported, escaped */
    int64_t       seq;
    ngx_str_t     time;
    ngx_str_t     type;
    ngx_str_t     from;
    ngx_str_t     text;        /* escaped, "" once recalled */
    ngx_uint_t    recalled;
    ngx_uint_t    imported;    /* its id may have to be unescaped */
} ngx_http_im_row_t;


/* a message that was stored */

typedef struct {
    ngx_str_t     id;          /* "seq-random" */
    int64_t       seq;
    ngx_str_t     time;
    ngx_str_t     peer;        /* of a 1:1 named by its id, or "" */
    ngx_str_t     shown;       /* id of an imported 1:1, or "" */
} ngx_http_im_sent_t;


ngx_int_t ngx_http_im_head_parse(ngx_http_im_head_t *head, ngx_str_t *src);

/* the first 67 bytes of the head of a 1:1: no users, no type, no text */
ngx_int_t ngx_http_im_front_parse(ngx_http_im_head_t *head, ngx_str_t *src);

/*
 * What a group has of a member: "5", has read up to message 5; "5j", has
 * joined after it; both with "h7", hides the group while its last message is
 * message 7.
 */

typedef struct {
    int64_t       seq;
    int64_t       hidden;      /* last sequence when it was hidden, or -1 */
    ngx_uint_t    joined;      /* nothing was read or sent since joining */
} ngx_http_im_position_t;

ngx_int_t ngx_http_im_position_parse(ngx_http_im_position_t *position,
    ngx_str_t *src);

/* NGX_DECLINED: the empty row, which keeps the key of an empty timeline */
ngx_int_t ngx_http_im_row_parse(ngx_http_im_row_t *row, ngx_str_t *src);

/* whether the row is the last message of the head, or of a prefix of it */
ngx_uint_t ngx_http_im_row_is_last(ngx_http_im_row_t *row,
    ngx_http_im_head_t *head);

/* the result of script send: "id time", and " peer", and " shown" */
ngx_int_t ngx_http_im_sent_parse(ngx_http_im_sent_t *sent, ngx_str_t *src);

/*
 * The first word of a row: "seq-random", which is the id of the message, or
 * "seq=ID", where ID becomes the id.  The sequence, or 0: malformed.
 */
uint64_t ngx_http_im_row_id_parse(ngx_str_t *id);

/*
 * The form in which rows and keys have the id of a message: escaped as in
 * JSON, and without spaces.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_im_msg_id_escape(ngx_pool_t *pool, ngx_str_t *id);

/* as in JSON, in place: what it is part of is no row any more */
void ngx_http_im_msg_id_unescape(ngx_str_t *id);

/* another name of a 1:1, "3A B ": its users, in the order of bytes */
ngx_int_t ngx_http_im_alias_parse(ngx_str_t *src, ngx_str_t users[2]);

/* milliseconds since the epoch, of 13 digits */
ngx_uint_t ngx_http_im_time_valid(ngx_str_t *time);

/* an entry of an inbox: the 1:1 conversation's id and the other user's */
ngx_int_t ngx_http_im_inbox_parse(ngx_str_t *src, ngx_str_t *conv_id,
    ngx_str_t *peer);

/*
 * Takes the first id from src, a group's members as "a","b" with the quotes;
 * NGX_DONE: src is empty.
 */
ngx_int_t ngx_http_im_users_next(ngx_str_t *src, ngx_str_t *id);


#endif /* _NGX_HTTP_IM_SCHEMA_H_INCLUDED_ */
