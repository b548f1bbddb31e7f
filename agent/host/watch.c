#include "agent/host/watch.h"

#include <string.h>

int umx_host_watch_open(struct umx_host *host, struct umx_host_watch **out, struct umx_error *err)
{
    *out = NULL;
    return host->platform->watch != NULL ? host->platform->watch(host, out, err) : UMX_E_UNSUPPORTED;
}

unsigned umx_host_watch_wait(struct umx_host_watch *watch, int64_t timeout)
{
    return watch->platform->wait(watch, timeout);
}

void umx_host_watch_wake(struct umx_host_watch *watch)
{
    watch->platform->wake(watch);
}

void umx_host_watch_close(struct umx_host_watch *watch)
{
    if (watch != NULL)
        watch->platform->close(watch);
}

static bool ends_in(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);

    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* A file that nobody knows may be what a stand-in for the shell keeps. */
unsigned umx_recorded_area(const char *directory, const char *name)
{
    static const struct {
        const char *name;
        unsigned area;
    } files[] = {
        {"host.ini", 0}, /* read when the host is opened, and never again */
        {"registry.reg", UMX_HOST_REGISTRY},
        {"services.json", UMX_HOST_SERVICES},
        {"listeners.json", UMX_HOST_LISTENERS},
        {"events.json", UMX_HOST_EVENTS},
        {"administrators.txt", UMX_HOST_ADMINISTRATORS},
    };

    if (name[0] == '.' || name[0] == '\0' || ends_in(name, ".new") || ends_in(name, ".tmp") || ends_in(name, "~"))
        return 0;
    if (strncmp(directory, "certificates", 12) == 0)
        return UMX_HOST_CERTIFICATES;
    if (strcmp(directory, ".") != 0)
        return UMX_HOST_SHELL;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].name, name) == 0)
            return files[i].area;
    return UMX_HOST_SHELL;
}
