/*
 * What an agent does on request: the allow-listed actions, one table. A batch is a list of items with one result each.
 * The journal has the intent before the effect; after a crash an item is decided by its probe, never repeated blindly.
 */
#ifndef UMX_AGENT_ACTION_H
#define UMX_AGENT_ACTION_H

#include <stdbool.h>

#include "agent/action/journal.h"
#include "agent/host/host.h"
#include "base/text.h"
#include "umx/v1/agent.pb-c.h"

enum {
    UMX_ACTION_ITEMS_MAX = 256,
    UMX_ACTION_DETAIL_MAX = 128 * 1024, /* bytes of one result */
    UMX_ACTION_TIMEOUT = 300,           /* seconds for an item, when the batch names none */
};

enum umx_action_probe { UMX_ACTION_NOT_DONE, UMX_ACTION_DONE, UMX_ACTION_UNCERTAIN };

struct umx_action {
    const char *name;
    bool writes; /* journaled and probed */
    /* What identifies the state before, kept in the journal with the intent. */
    int (*before)(struct umx_host *host, const char *item, struct umx_text *before, struct umx_error *err);
    enum umx_action_probe (*probe)(struct umx_host *host, const char *item, const char *before);
    int (*run)(struct umx_host *host, const char *item, int64_t timeout, struct umx_text *detail,
               struct umx_error *err);
};

extern const struct umx_action umx_actions[];
extern const size_t umx_action_count;

/* Runs a batch; each result is handed over as soon as it is known, the last one marked. */
typedef void umx_action_answer(void *user, const Umx__ActionResult *result);
void umx_action_batch(struct umx_host *host, struct umx_action_journal *journal, const Umx__ActionBatch *batch,
                      umx_action_answer *answer, void *user);

#endif
