/*
 * The few things that an administrator looks for in the system's own log: on Windows events of the source `umx-agent`
 * in the Application log, with numbers that never change (docs/windows.md, packaging/windows/events.mc). Elsewhere
 * nothing: the journal of systemd has the whole log.
 *
 * Only what runs as a service tells events; on a console the log is before everybody's eyes.
 */
#ifndef UMX_AGENT_EVENT_H
#define UMX_AGENT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Up to three words each. */
enum umx_event {
    UMX_EVENT_NONE = 0,
    UMX_EVENT_STARTED = 1,              /* version */
    UMX_EVENT_STOPPED = 2,              /* version */
    UMX_EVENT_NOT_STARTED = 3,          /* the error, with its id */
    UMX_EVENT_FAILED = 4,               /* the error, with its id */
    UMX_EVENT_CONNECTED = 10,           /* controller */
    UMX_EVENT_DISCONNECTED = 11,        /* controller, the error */
    UMX_EVENT_CERTIFICATE_RENEWED = 20, /* the identity's file */
    UMX_EVENT_CERTIFICATE_KEPT = 21,    /* the identity's file, the error */
    UMX_EVENT_UPDATE_INSTALLED = 30,    /* version, the one before */
    UMX_EVENT_UPDATE_RETURNED = 31,     /* version, the one before, why */
    UMX_EVENT_UPDATE_REFUSED = 32,      /* version, why */
    UMX_EVENT_UPDATE_FAILED = 33,       /* version, why */
};

/* Words that an event has not are NULL. Any thread. */
void umx_event_tell(enum umx_event event, const char *first, const char *second, const char *third);
/* The error as people read it is the last of the words; first NULL: the only one. */
void umx_event_tell_error(enum umx_event event, const char *first, const struct umx_error *err);

/* ---- Windows */

/* From now on events are written; before, and on a console, they are not. */
void umx_event_begin(void);

/* Says to the system that this program has the texts, and that it is no more. */
int umx_event_register(struct umx_error *err);
void umx_event_unregister(void);

/* ---- losing the controller: of a connection that comes and goes within a minute nothing is told */

struct umx_presence {
    enum umx_event told; /* CONNECTED, DISCONNECTED or none yet */
    int64_t gone_at;     /* monotonic; 0: it is there */
};

/* What is to be told now: CONNECTED, DISCONNECTED, or none. */
enum umx_event umx_presence_look(struct umx_presence *presence, bool connected, int64_t now);

#endif
