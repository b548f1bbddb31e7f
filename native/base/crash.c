#include "base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What the environment asked for; wanted is NULL when nothing. Filled before main, so that it is constant for every
 * thread. */
static const char *wanted;
static size_t wanted_length;
static _Atomic long passes_left;
static bool stop;

__attribute__((constructor)) static void read_environment(void)
{
    const char *value = getenv("UMX_CRASH_POINT");

    if (value == NULL) {
        value = getenv("UMX_STOP_POINT");
        stop = true;
    }
    const char *colon = value != NULL ? strrchr(value, ':') : NULL;
    if (colon == NULL)
        return;
    long number = strtol(colon + 1, NULL, 10);
    if (number < 1)
        return;
    wanted = value;
    wanted_length = (size_t)(colon - value);
    atomic_store(&passes_left, number);
}

void umx_crash_point(const char *name)
{
    if (wanted == NULL || strlen(name) != wanted_length || memcmp(name, wanted, wanted_length) != 0)
        return;
    if (atomic_fetch_sub(&passes_left, 1) != 1)
        return;
#ifdef SIGSTOP
    raise(stop ? SIGSTOP : SIGKILL);
#else
    if (!stop)
        abort();
#endif
}
