#include "base/crash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct umx_crash_row umx_crash_rows[] = {
#define UMX_CRASH_POINT(id, name, program, kinds) {name, program, kinds},
#include "base/crash_points.def"
#undef UMX_CRASH_POINT
};

/* What the environment asked for. Filled before main, so that it is constant for every thread. */
static int wanted = -1;
static const char *subject_wanted; /* NULL: any */
static size_t subject_length;
static const char *once;
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
    const char *at = memchr(value, '@', (size_t)(colon - value));
    size_t length = (size_t)((at != NULL ? at : colon) - value);
    subject_wanted = at != NULL ? at + 1 : NULL;
    subject_length = at != NULL ? (size_t)(colon - subject_wanted) : 0;
    once = getenv("UMX_CRASH_ONCE");
    atomic_store(&passes_left, number);
    for (int i = 0; i < UMX_CRASH_COUNT; i++)
        if (strlen(umx_crash_rows[i].name) == length && memcmp(umx_crash_rows[i].name, value, length) == 0)
            wanted = i;
}

/* The subject is the wanted one, or has it as a part between dashes, as a batch's id has its step's. */
static bool is_about(const char *subject)
{
    if (subject_wanted == NULL)
        return true;
    for (const char *at = subject; at != NULL; at = strchr(at, '-')) {
        at += *at == '-' ? 1 : 0;
        if (strncmp(at, subject_wanted, subject_length) == 0 &&
            (at[subject_length] == '\0' || at[subject_length] == '-'))
            return true;
    }
    return false;
}

static bool is_first(void)
{
    if (once == NULL)
        return true;
    int fd = open(once, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void umx_crash_point(enum umx_crash_point point, const char *subject)
{
    if (wanted != (int)point || !is_about(subject))
        return;
    if (atomic_fetch_sub(&passes_left, 1) != 1 || !is_first())
        return;
#ifdef SIGSTOP
    raise(stop ? SIGSTOP : SIGKILL);
#else
    if (!stop)
        abort();
#endif
}
