/*
 * The newest entry of the controller's journal that this agent was told of, in STATE/journal-head as
 * "SEQUENCE HASH\n". It only ever grows: a controller whose journal is shorter shows by it (docs/security.md).
 * Not thread-safe: the session's thread owns it.
 */
#ifndef UMX_AGENT_HEAD_H
#define UMX_AGENT_HEAD_H

#include "base/error.h"
#include "umx/v1/agent.pb-c.h"

enum { UMX_AGENT_HEAD_HASH = 32 };

struct umx_agent_head {
    int64_t sequence; /* 0: nothing was told yet */
    uint8_t hash[UMX_AGENT_HEAD_HASH];
};

/* directory: the agent's state; "" or NULL: there is none, and nothing is known. A damaged file is an error; nothing is
 * known then. */
int umx_agent_head_load(const char *directory, struct umx_agent_head *out, struct umx_error *err);
/* Keeps a higher one, durably; a lower or malformed one changes nothing. */
int umx_agent_head_keep(const char *directory, struct umx_agent_head *head, const Umx__JournalHead *told,
                        struct umx_error *err);

#endif
