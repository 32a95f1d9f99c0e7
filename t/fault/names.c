
/*
 * Preloaded into a server: a name has the addresses that IM_NAMES lists, as
 * "redis.test 127.0.0.2 ::1".
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>


typedef int (*names_pt)(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);


int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int                rc;
    char               names[512], *word, *save;
    names_pt           next;
    struct addrinfo  **last;

    next = (names_pt) dlsym(RTLD_NEXT, "getaddrinfo");

    strncpy(names, getenv("IM_NAMES") ? getenv("IM_NAMES") : "",
            sizeof(names) - 1);
    names[sizeof(names) - 1] = '\0';

    word = strtok_r(names, " ", &save);

    if (node == NULL || word == NULL || strcmp(node, word) != 0) {
        return next(node, service, hints, res);
    }

    *res = NULL;
    last = res;

    while ((word = strtok_r(NULL, " ", &save)) != NULL) {

        rc = next(word, service, hints, last);
        if (rc != 0) {
            return rc;
        }

        while (*last) {
            last = &(*last)->ai_next;
        }
    }

    return *res ? 0 : EAI_NONAME;
}
