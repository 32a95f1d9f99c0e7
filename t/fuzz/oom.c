
/*
 * Allocations that fail: every input of a corpus is run with the first
 * allocation failing, then with the second, and so on, until none fails; then
 * the same with the n-th and all after it.  Linked with the answer harness.
 *
 *     oom FILE...
 */

#include "fuzz.h"
#include <sanitizer/lsan_interface.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
int __real_posix_memalign(void **p, size_t align, size_t size);


static ngx_uint_t  oom_n;          /* which one fails, 0: none */
static ngx_uint_t  oom_seen;
static ngx_uint_t  oom_stays;


static ngx_uint_t
oom_fails(void)
{
    if (oom_n == 0 || fuzz_own) {
        return 0;
    }

    oom_seen++;

    if (oom_seen == oom_n || (oom_stays && oom_seen > oom_n)) {
        fuzz_no_memory = 1;
        return 1;
    }

    return 0;
}


void *
__wrap_malloc(size_t size)
{
    return oom_fails() ? NULL : __real_malloc(size);
}


void *
__wrap_calloc(size_t n, size_t size)
{
    return oom_fails() ? NULL : __real_calloc(n, size);
}


void *
__wrap_realloc(void *p, size_t size)
{
    return oom_fails() ? NULL : __real_realloc(p, size);
}


int
__wrap_posix_memalign(void **p, size_t align, size_t size)
{
    return oom_fails() ? ENOMEM : __real_posix_memalign(p, align, size);
}


int
main(int argc, char **argv)
{
    int          i;
    FILE        *f;
    size_t       size;
    uint8_t      data[70000];
    ngx_uint_t   n, runs;

    /*
     * jansson is left out: 2.14 itself writes beyond a string's end where its
     * strbuffer could not grow, as lex_save() does not look.
     */

    /* what is allocated once */

    ngx_destroy_pool(fuzz_pool());

    for (runs = 0, i = 1; i < argc; i++) {

        f = fopen(argv[i], "rb");
        fuzz_assert(f);
        size = fread(data, 1, sizeof(data), f);
        fclose(f);

        for (oom_stays = 0; oom_stays < 2; oom_stays++) {

            for (n = 1; /* void */ ; n++) {
                fuzz_no_memory = 0;
                oom_seen = 0;
                oom_n = n;

                (void) LLVMFuzzerTestOneInput(data, size);

                oom_n = 0;
                runs++;

                if (!fuzz_no_memory) {
                    break;
                }
            }

            fuzz_no_memory = 0;
        }

        if (__lsan_do_recoverable_leak_check()) {
            fprintf(stderr, "%s: a leak\n", argv[i]);
            return 1;
        }
    }

    printf("oom: %d inputs, %lu runs, no finding\n", argc - 1,
           (unsigned long) runs);

    return 0;
}
