/*
 * Being told of changes instead of looking for them: inotify for the files of a recorded host, the system's own
 * notifications on Windows. A watch says which parts of the host may have changed; reading them says what. What a
 * watch cannot see (`blind`) is looked at every few seconds by who holds it.
 *
 * One thread waits; waking is allowed from any other.
 */
#ifndef UMX_AGENT_WATCH_H
#define UMX_AGENT_WATCH_H

#include "agent/host/host.h"

/* Implementations embed this as their first member. */
struct umx_host_watch {
    const struct umx_host_watch_platform *platform;
    unsigned blind; /* bits of enum umx_host_area; constant */
};

struct umx_host_watch_platform {
    unsigned (*wait)(struct umx_host_watch *watch, int64_t timeout);
    void (*wake)(struct umx_host_watch *watch);
    void (*close)(struct umx_host_watch *watch);
};

/* UMX_E_UNSUPPORTED: this host cannot tell of changes, look at it every few seconds. */
int umx_host_watch_open(struct umx_host *host, struct umx_host_watch **out, struct umx_error *err);
/* Waits up to timeout microseconds; the areas that may have changed, 0: none, or woken. Changes that come close
 * together are told together. Whatever the notifications lost is told as all areas. */
unsigned umx_host_watch_wait(struct umx_host_watch *watch, int64_t timeout);
/* Ends a wait, also one that begins later. */
void umx_host_watch_wake(struct umx_host_watch *watch);
void umx_host_watch_close(struct umx_host_watch *watch); /* NULL allowed */

/* recorded_watch_posix.c, recorded_watch_windows.c */
int umx_recorded_watch(struct umx_host *host, struct umx_host_watch **out, struct umx_error *err);
/* The area that a file of a recorded host belongs to, by its path below the host's directory; 0: none. */
unsigned umx_recorded_area(const char *directory, const char *name);
/* windows_watch.c */
int umx_windows_watch(struct umx_host *host, struct umx_host_watch **out, struct umx_error *err);

#endif
