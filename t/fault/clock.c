/*
 * The clock of a process, moved from outside: preloaded (LD_PRELOAD), it adds
 * to the time of day the number of microseconds that the file of IM_CLOCK
 * begins with, an int64_t.  The monotonic clock stays as it is.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


static volatile int64_t  *moved;

static int (*real_gettimeofday)(struct timeval *tv, void *tz);
static int (*real_clock_gettime)(clockid_t id, struct timespec *ts);


static void __attribute__((constructor))
clock_init(void)
{
    int          fd;
    void        *p;
    const char  *file;

    file = getenv("IM_CLOCK");
    fd = file ? open(file, O_RDONLY) : -1;

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        moved = p;
    }
}


int
gettimeofday(struct timeval *tv, void *tz)
{
    int      rc;
    int64_t  us;

    /* may come before the constructor */

    if (real_gettimeofday == NULL) {
        real_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
    }

    rc = real_gettimeofday(tv, tz);

    if (rc == 0 && moved) {
        us = tv->tv_sec * INT64_C(1000000) + tv->tv_usec + *moved;
        tv->tv_sec = us / 1000000;
        tv->tv_usec = us % 1000000;
    }

    return rc;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    if (real_clock_gettime == NULL) {
        real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    }

    rc = real_clock_gettime(id, ts);

    if (rc == 0 && moved && id == CLOCK_REALTIME) {
        ts->tv_sec += *moved / 1000000;
    }

    return rc;
}
