
#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>

#include "ngx_http_im_call.h"
#include "ngx_http_im_id.h"
#include "ngx_http_im_reply.h"
#include "ngx_http_im_route.h"
#include "ngx_http_im_schema.h"


/* what must hold; a failure is a finding */

#define fuzz_assert(x)                                                        \
    do {                                                                      \
        if (!(x)) {                                                           \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);           \
            abort();                                                          \
        }                                                                     \
    } while (0)


extern ngx_log_t   fuzz_log;

/* an allocation has failed: nothing can be said of the result */
extern ngx_uint_t  fuzz_no_memory;

/* a harness at work: its own allocations do not fail */
extern ngx_uint_t  fuzz_own;

/* a configuration is read: lines of level emerg are its refusals */
extern ngx_uint_t  fuzz_conf;
extern ngx_uint_t  fuzz_refusals;

ngx_pool_t *fuzz_pool(void);

/* the input up to a byte, which is passed; all of it if there is none */
ngx_str_t fuzz_until(const uint8_t **p, const uint8_t *last, u_char stop);

/* a call, made as the module makes it, of a job that has no store */

typedef struct {
    ngx_http_im_call_t       *call;       /* NULL: out of memory, or no call */
    ngx_http_im_job_t         job;
    ngx_http_im_options_t     options;
    ngx_http_im_unique_t      unique;
} fuzz_call_t;

/* NGX_OK, NGX_DECLINED or NGX_ERROR; NGX_DECLINED where there is no call */
ngx_int_t fuzz_check(fuzz_call_t *f, ngx_pool_t *pool, ngx_uint_t flags,
    ngx_str_t *path, ngx_str_t *body);

/* one sentence of text, and a status */
void fuzz_refusal(ngx_http_im_error_t *refusal);

/* of shared memory, empty */
ngx_http_im_cache_t *fuzz_cache(void);


#endif /* _FUZZ_H_INCLUDED_ */
