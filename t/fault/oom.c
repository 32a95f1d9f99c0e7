
/*
 * Preloaded into a server: lets the n-th allocation of a process fail, or the
 * n-th and all after it.  t/51-oom.t gives the orders, through a file that both
 * have mapped.  IM_OOM names it.
 *
 * libjansson is left out: 2.14 itself writes beyond a string's end where its
 * strbuffer could not grow, as lex_save() does not look.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


typedef struct {
    volatile uint32_t  pid;        /* of the process */
    volatile uint32_t  n;          /* which one fails, 0: none */
    volatile uint32_t  stays;      /* and all after it */
    volatile uint32_t  seen;
    volatile uint32_t  failed;
    char               where[108]; /* the object that asked for the first */
} oom_t;


typedef struct {
    uintptr_t          addr;
    const char        *name;
} oom_object_t;


static oom_t  *oom;

static void *(*oom_malloc)(size_t size);
static void *(*oom_calloc)(size_t n, size_t size);
static void *(*oom_realloc)(void *p, size_t size);
static int (*oom_posix_memalign)(void **p, size_t align, size_t size);
static void *(*oom_memalign)(size_t align, size_t size);


static __attribute__((constructor)) void
oom_init(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("IM_OOM");
    fd = name ? open(name, O_RDWR) : -1;

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(oom_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        oom = p;
    }
}


static int
oom_find(struct dl_phdr_info *info, size_t size, void *data)
{
    int            i;
    uintptr_t      start;
    oom_object_t  *object = data;

    for (i = 0; i < info->dlpi_phnum; i++) {
        start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type == PT_LOAD && object->addr >= start
            && object->addr < start + info->dlpi_phdr[i].p_memsz)
        {
            object->name = info->dlpi_name;
            return 1;
        }
    }

    return 0;
}


static int
oom_fails(void *caller)
{
    oom_object_t  object;

    if (oom == NULL || oom->n == 0 || oom->pid != (uint32_t) getpid()) {
        return 0;
    }

    object.addr = (uintptr_t) caller;
    object.name = "";
    dl_iterate_phdr(oom_find, &object);

    if (strstr(object.name, "libjansson")) {
        return 0;
    }

    oom->seen++;

    if (oom->seen != oom->n && !(oom->stays && oom->seen > oom->n)) {
        return 0;
    }

    if (oom->failed++ == 0) {
        strncpy(oom->where, object.name, sizeof(oom->where) - 1);
    }

    return 1;
}


/* dlsym() may itself ask for a little before there is anybody to ask */

static void *
oom_early(size_t size)
{
    static size_t  used;
    static char    early[4096] __attribute__((aligned(16)));
    void          *p;

    size = (size + 15) & ~(size_t) 15;

    if (size > sizeof(early) - used) {
        _exit(2);
    }

    p = early + used;
    used += size;

    return p;
}


#define oom_real(f)                                                          \
    if (oom_##f == NULL) {                                                   \
        static int  busy;                                                    \
        if (busy++ == 0) {                                                   \
            oom_##f = (__typeof__(oom_##f)) dlsym(RTLD_NEXT, #f);            \
        }                                                                    \
    }


void *
malloc(size_t size)
{
    oom_real(malloc);

    if (oom_malloc == NULL) {
        return oom_early(size);
    }

    if (oom_fails(__builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }

    return oom_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    oom_real(calloc);

    if (oom_calloc == NULL) {
        return oom_early(n * size);
    }

    if (oom_fails(__builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }

    return oom_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    oom_real(realloc);

    if (oom_fails(__builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }

    return oom_realloc(p, size);
}


int
posix_memalign(void **p, size_t align, size_t size)
{
    oom_real(posix_memalign);

    return oom_fails(__builtin_return_address(0))
           ? ENOMEM : oom_posix_memalign(p, align, size);
}


void *
memalign(size_t align, size_t size)
{
    oom_real(memalign);

    if (oom_fails(__builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }

    return oom_memalign(align, size);
}
