/* Changes of a recorded host's files, by inotify. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/host/recorded.h"
#include "agent/host/watch.h"
#include "base/clock.h"

#define SETTLE (100 * UMX_MILLISECOND) /* what comes this close together is one change */

/* Whole files only: one that is being written is told when it is closed, or moved into place. */
#define WANTED (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE)

static const char *const directories[] = {".", "certificates", "certificates/root", "certificates/ca", "shell"};

enum { DIRECTORIES = sizeof directories / sizeof *directories };

struct recorded_watch {
    struct umx_host_watch watch; /* first */
    const struct umx_recorded *recorded;
    int inotify;
    int wake;
    int descriptors[DIRECTORIES]; /* -1: there is no such directory now */
};

/* Directories come and go; one that is watched already keeps its descriptor. */
static void follow(struct recorded_watch *watch)
{
    char path[UMX_AGENT_PATH_MAX];

    for (size_t i = 0; i < DIRECTORIES; i++)
        watch->descriptors[i] = umx_recorded_path(watch->recorded, directories[i], path, NULL) == 0
                                    ? inotify_add_watch(watch->inotify, path, WANTED | IN_ONLYDIR)
                                    : -1;
}

static unsigned area_of(struct recorded_watch *watch, const struct inotify_event *event)
{
    if ((event->mask & (IN_Q_OVERFLOW | IN_IGNORED)) != 0 || (event->mask & IN_ISDIR) != 0) {
        follow(watch);
        return UMX_HOST_ALL;
    }
    if ((event->mask & IN_CREATE) != 0) /* it is told again when it is whole */
        return 0;
    for (size_t i = 0; i < DIRECTORIES; i++)
        if (watch->descriptors[i] == event->wd && event->len > 0)
            return umx_recorded_area(directories[i], event->name);
    return 0;
}

static unsigned read_events(struct recorded_watch *watch)
{
    _Alignas(struct inotify_event) char buffer[4096];
    unsigned areas = 0;
    ssize_t got;

    while ((got = read(watch->inotify, buffer, sizeof buffer)) > 0) {
        for (const char *at = buffer; at < buffer + got;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
            areas |= area_of(watch, event);
            at += sizeof *event + event->len;
        }
    }
    return areas;
}

static unsigned wait_change(struct umx_host_watch *base, int64_t timeout)
{
    struct recorded_watch *watch = (struct recorded_watch *)base;
    struct pollfd polled[] = {{.fd = watch->inotify, .events = POLLIN}, {.fd = watch->wake, .events = POLLIN}};
    int64_t end = umx_clock_monotonic() + timeout;
    unsigned areas = 0;

    for (;;) {
        int64_t left = areas != 0 ? SETTLE : end - umx_clock_monotonic();
        int ready = poll(polled, 2, left > 0 ? (int)((left + UMX_MILLISECOND - 1) / UMX_MILLISECOND) : 0);
        if (ready == 0 || (ready < 0 && errno != EINTR) || polled[1].revents != 0)
            return areas;
        unsigned more = ready > 0 && polled[0].revents != 0 ? read_events(watch) : 0;
        if (areas != 0 && umx_clock_monotonic() >= end)
            return areas | more;
        areas |= more;
    }
}

static void wake(struct umx_host_watch *base)
{
    const struct recorded_watch *watch = (const struct recorded_watch *)base;
    uint64_t one = 1;

    if (write(watch->wake, &one, sizeof one) < 0)
        return; /* it is awake already */
}

static void close_watch(struct umx_host_watch *base)
{
    struct recorded_watch *watch = (struct recorded_watch *)base;

    if (watch->inotify >= 0)
        close(watch->inotify);
    if (watch->wake >= 0)
        close(watch->wake);
    free(watch);
}

int umx_recorded_watch(struct umx_host *host, struct umx_host_watch **out, struct umx_error *err)
{
    static const struct umx_host_watch_platform platform = {wait_change, wake, close_watch};
    struct recorded_watch *watch = calloc(1, sizeof *watch);

    *out = NULL;
    if (watch == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "watch", NULL);
    watch->watch.platform = &platform;
    watch->recorded = (const struct umx_recorded *)host;
    watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (watch->inotify >= 0)
        follow(watch);
    /* Too many instances or watches for this user: looking every few seconds does it too. */
    if (watch->inotify < 0 || watch->wake < 0 || watch->descriptors[0] < 0) {
        int cause = errno;
        close_watch(&watch->watch);
        umx_fail_code(err, UMX_ERR_HOST_UNREADABLE, cause, "inotify", "%s", strerror(cause));
        if (err != NULL)
            err->status = UMX_E_UNSUPPORTED;
        return UMX_E_UNSUPPORTED;
    }
    *out = &watch->watch;
    return 0;
}
