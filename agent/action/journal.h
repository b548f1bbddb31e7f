/*
 * The agent's record of what it did: one line per event in STATE/actions.journal,
 *   STATE<TAB>batch<TAB>item number<TAB>hex(text)
 * with STATE one of intent, done, failed; durable before the call returns. A line cut short by a crash is dropped.
 * Not thread-safe: the action lane owns it.
 */
#ifndef UMX_AGENT_JOURNAL_H
#define UMX_AGENT_JOURNAL_H

#include <stdio.h>

#include "agent/file.h"

enum {
    UMX_ACTION_JOURNAL_ENTRIES = 4096,              /* remembered, and kept when the file is made shorter */
    UMX_ACTION_JOURNAL_FILE_MAX = 16 * 1024 * 1024, /* larger is refused at the start */
    UMX_ACTION_JOURNAL_SHORTEN = 8 * 1024 * 1024,   /* it is made shorter when it has grown to this */
    UMX_ACTION_JOURNAL_KEPT = 4 * 1024 * 1024,      /* bytes that are kept then: the newest entries */
    UMX_ACTION_JOURNAL_TEXT_MAX = 16 * 1024,
    UMX_ACTION_JOURNAL_BATCH_MAX = 128,
};

enum umx_action_journal_state {
    UMX_ACTION_JOURNAL_NONE,
    UMX_ACTION_JOURNAL_INTENT,
    UMX_ACTION_JOURNAL_DONE,
    UMX_ACTION_JOURNAL_FAILED
};

struct umx_action_journal_entry {
    enum umx_action_journal_state state;
    char batch[UMX_ACTION_JOURNAL_BATCH_MAX];
    int item;
    char *text; /* intent: the state before; done and failed: the result's detail */
};

struct umx_action_journal;

int umx_action_journal_open(const char *directory, struct umx_action_journal **out, struct umx_error *err);
void umx_action_journal_close(struct umx_action_journal *journal); /* NULL allowed */

/* What is known of an item; NULL: nothing. Valid until the next addition. */
const struct umx_action_journal_entry *umx_action_journal_find(const struct umx_action_journal *journal,
                                                               const char *batch, int item);
/* Text beyond the maximum is cut. */
int umx_action_journal_add(struct umx_action_journal *journal, enum umx_action_journal_state state, const char *batch,
                           int item, const char *text, struct umx_error *err);

#endif
