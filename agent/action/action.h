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

/* PART: some of what it makes is there, and nothing else; detail says what is missing. */
enum umx_action_probe { UMX_ACTION_NOT_DONE, UMX_ACTION_DONE, UMX_ACTION_PART, UMX_ACTION_UNCERTAIN };

struct umx_cmdlet;
struct umx_host_shell;
struct umx_act;

struct umx_action {
    const char *name;
    const char *identity;         /* machine (the service's account) or shell; NULL: either */
    Umx__Server__Product product; /* whose servers have it; NONE: all */
    bool writes;                  /* journaled and probed */
    const char *tables;           /* what it changes, separated by spaces: reported at once; NULL for none */
    const struct umx_cmdlet *cmdlet;
    /* Whether the item is possible, before anything is begun. Optional. */
    int (*check)(struct umx_act *act, const char *item, struct umx_error *err);
    /* What identifies the state before, kept in the journal with the intent. */
    int (*before)(struct umx_act *act, const char *item, struct umx_text *before, struct umx_error *err);
    /* Decides after a crash; detail is the result when it is done. */
    enum umx_action_probe (*probe)(struct umx_act *act, const char *item, const char *before, struct umx_text *detail);
    int (*run)(struct umx_act *act, const char *item, const char *before, struct umx_text *detail,
               struct umx_error *err);
};

/* A batch at work: what its items share. */
struct umx_act {
    struct umx_host *host;
    const struct umx_action *action;
    int64_t timeout;              /* microseconds for an item */
    struct umx_host_shell *shell; /* NULL: not open */
};

/* The tables of actions, each in its file. */
extern const struct umx_action umx_machine_actions[];
extern const size_t umx_machine_action_count;
extern const struct umx_action umx_exchange_actions[];
extern const size_t umx_exchange_action_count;
extern const struct umx_action umx_certificate_actions[];
extern const size_t umx_certificate_action_count;
extern const struct umx_action umx_mailbox_actions[];
extern const size_t umx_mailbox_action_count;
extern const struct umx_action umx_lync_actions[];
extern const size_t umx_lync_action_count;
extern const struct umx_action umx_lync_user_actions[];
extern const size_t umx_lync_user_action_count;

const struct umx_action *umx_action_find(const char *name); /* NULL: none */

/* For restart-service and restart-front-end: the time the service's process began, and whether it is younger now. */
int umx_restart_before(struct umx_host *host, const char *service, struct umx_text *before, struct umx_error *err);
enum umx_action_probe umx_restart_probe(struct umx_host *host, const char *service, const char *before,
                                        struct umx_text *detail);
/* Text of the result. */
int umx_restart_say(struct umx_host *host, const char *service, struct umx_text *detail, struct umx_error *err);

/* Runs a batch; each result is handed over as soon as it is known, the last one marked. */
typedef void umx_action_answer(void *user, const Umx__ActionResult *result);
void umx_action_batch(struct umx_host *host, struct umx_action_journal *journal, const Umx__ActionBatch *batch,
                      umx_action_answer *answer, void *user);

#endif
