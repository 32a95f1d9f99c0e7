
#ifndef _NGX_HTTP_IM_STREAM_H_INCLUDED_
#define _NGX_HTTP_IM_STREAM_H_INCLUDED_


#include "ngx_http_im.h"
#include "ngx_http_im_frame.h"
#include "ngx_http_im_sub.h"


typedef struct ngx_http_im_channel_s  ngx_http_im_channel_t;
typedef struct ngx_http_im_stream_s   ngx_http_im_stream_t;
typedef struct ngx_http_im_join_s     ngx_http_im_join_t;


/* im_stream and what goes with it */

typedef struct {
    ngx_array_t                  channels;     /* of the following */
    ngx_uint_t                   streams;      /* there is an im_stream */
} ngx_http_im_stream_main_conf_t;


typedef struct {
    ngx_http_im_pass_t          *pass;         /* NULL: no im_stream here */
    ngx_http_im_channel_t       *channel;
    ngx_flag_t                   publish;      /* unset: if there is an
                                                  im_stream */
    ngx_uint_t                   max;
    ngx_uint_t                   replay_max;
    ngx_msec_t                   ping;
    ngx_msec_t                   drain;
    ngx_msec_t                   max_time;
    size_t                       buffer;
    ngx_http_complex_value_t    *until;
} ngx_http_im_stream_loc_conf_t;


/* a user with a stream in this worker, and a group that has one of them */

typedef struct {
    ngx_str_node_t               sn;
    ngx_queue_t                  online;       /* by the time of refreshed */
    ngx_msec_t                   refreshed;
    ngx_queue_t                  streams;      /* the oldest first */
    ngx_uint_t                   n;
    ngx_uint_t                   joining;      /* of these */
    ngx_queue_t                  links;
} ngx_http_im_stream_user_t;


typedef struct {
    ngx_str_node_t               sn;
    ngx_queue_t                  links;
} ngx_http_im_stream_group_t;


/*
 * A user's membership.  Not confirmed: the group is among the user's, which
 * comes before the membership and may outlive it; streams that join are told
 * of it, so that nothing is missed if it is one.
 */

typedef struct {
    ngx_queue_t                  of_user;
    ngx_queue_t                  of_group;
    ngx_http_im_stream_user_t   *user;
    ngx_http_im_stream_group_t  *group;
    ngx_uint_t                   confirmed;
} ngx_http_im_stream_link_t;


typedef struct {
    ngx_rbtree_t                 users;
    ngx_rbtree_node_t            users_sentinel;
    ngx_rbtree_t                 groups;
    ngx_rbtree_node_t            groups_sentinel;
    ngx_queue_t                  online;       /* users, next to refresh
                                                  first */
} ngx_http_im_stream_table_t;


/*
 * The streams of a worker that are told of one channel: of a store and a
 * prefix of its keys.  What precedes sub is constant.
 */

struct ngx_http_im_channel_s {
    ngx_str_t                    value;        /* of im_stream: the store */
    ngx_http_im_redis_conf_t    *store;
    ngx_http_im_options_t       *options;      /* of the first location */
    uint32_t                     scope;
    ngx_str_t                    name;
    ngx_http_im_main_conf_t     *imcf;

    ngx_http_im_sub_t           *sub;
    uint32_t                     epoch;
    int64_t                      clock;        /* of the last event, or -1 */
    ngx_http_im_stream_table_t   table;
    ngx_queue_t                  streams;      /* all of them */
    ngx_queue_t                  waiting;      /* of these, for their turn to
                                                  join: new ones, */
    ngx_queue_t                  stale;        /* and those that have missed
                                                  something */
    ngx_queue_t                  events;       /* not told yet, in order */
    size_t                       size;         /* of these */
    ngx_queue_t                  dead;         /* streams to be freed */
    ngx_event_t                  run;          /* posted: does that */
    ngx_event_t                  tick;         /* while there are streams;
                                                  the worker stays until they
                                                  were told of its exit */
    ngx_uint_t                   n;            /* streams */
    ngx_uint_t                   joining;
    ngx_uint_t                   resyncs;      /* that may begin before the
                                                  next tick */
    ngx_msec_t                   idle;         /* since when there is none */
    ngx_http_im_job_t           *online;       /* refreshes the users */
    unsigned                     up:1;
    unsigned                     paused:1;     /* nobody joins before the next
                                                  tick */
};


typedef enum {
    NGX_HTTP_IM_STREAM_WAITING = 0,  /* for its turn, or for the channel */
    NGX_HTTP_IM_STREAM_JOINING,      /* events are kept */
    NGX_HTTP_IM_STREAM_LIVE,
    NGX_HTTP_IM_STREAM_DEAD
} ngx_http_im_stream_e;


/* the request of a stream ends */
typedef void (*ngx_http_im_stream_pt)(ngx_http_im_stream_t *stream);


struct ngx_http_im_stream_s {
    ngx_queue_t                  queue;        /* of the channel */
    ngx_queue_t                  of_user;
    ngx_queue_t                  turn;         /* waiting, stale or dead */
    ngx_http_im_channel_t       *channel;
    ngx_http_im_stream_user_t   *user;
    ngx_http_im_stream_loc_conf_t  *conf;
    ngx_http_im_options_t       *options;
    ngx_http_im_stream_e         state;

    ngx_http_im_join_t          *join;         /* NULL unless it joins, or has
                                                  joined a short time ago */
    ngx_http_im_event_id_t       id;           /* of the last event it was
                                                  told of */
    ngx_event_t                  timer;
    ngx_msec_t                   expires;
    ngx_msec_t                   written;      /* when something was, last */

    ngx_http_im_stream_pt        leave;        /* once, at the end */
    ngx_http_request_t          *request;
    ngx_chain_t                 *free;
    ngx_chain_t                 *busy;
    size_t                       unsent;
    size_t                       allowed;      /* to be unsent */
    ngx_log_t                   *log;

    unsigned                     ready:1;      /* has been told so */
    unsigned                     end:1;        /* after what is unsent */
    unsigned                     broken:1;     /* the connection is */
};


extern ngx_module_t  ngx_http_im_stream_module;


/* what calls for the streams of a channel need, but for their options */
void ngx_http_im_stream_env(ngx_http_im_channel_t *channel,
    ngx_http_im_call_env_t *env);

/* it begins to read what it has missed, and has read it */
void ngx_http_im_stream_joins(ngx_http_im_stream_t *stream);
void ngx_http_im_stream_joined(ngx_http_im_stream_t *stream);

/*
 * The stream is told nothing more, and its request is ended from an event, so
 * that streams can be walked meanwhile.
 */
void ngx_http_im_stream_kill(ngx_http_im_stream_t *stream);


#endif /* _NGX_HTTP_IM_STREAM_H_INCLUDED_ */
