
#ifndef _NGX_HTTP_IM_CLOCK_H_INCLUDED_
#define _NGX_HTTP_IM_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The time now, in microseconds, on the scale of ngx_current_msec.  That one
 * is set when a turn of the event loop begins, so within a long turn it is
 * late; and it may lag behind this clock by some milliseconds at any time, so
 * differences of the two are signed.
 */

static ngx_inline uint64_t
ngx_http_im_clock(void)
{
#if (NGX_HAVE_CLOCK_MONOTONIC)

    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;

#else

    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (uint64_t) tv.tv_sec * 1000000 + tv.tv_usec;

#endif
}


#define ngx_http_im_clock_msec()  (ngx_msec_t) (ngx_http_im_clock() / 1000)


#endif /* _NGX_HTTP_IM_CLOCK_H_INCLUDED_ */
