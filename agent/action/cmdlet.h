/*
 * Actions that are cmdlets of the products' shells. A script defines two functions: Get-It says how things are, Set-It
 * changes them. One shell serves all items of a batch; for each item the state before is read, written to the journal
 * with the intent, and only then does the shell hear of the change.
 *
 * Get-It writes (collect/shell_text.h):
 *   reached yes        things are as the item wants them
 *   now VALUE          whatever tells a state from another
 *   missing WHAT       a part of what the item makes is there, and nothing else; this is not
 *   again yes          a part of it is done, and doing it again does the rest
 *   before:FIELD VALUE a result field as it is before the change (what undo restores)
 *   result:FIELD VALUE a result field as it is after it
 */
#ifndef UMX_AGENT_CMDLET_H
#define UMX_AGENT_CMDLET_H

#include "agent/action/action.h"
#include "agent/action/parameter.h"

struct umx_cmdlet {
    struct umx_parameter parameters[UMX_PARAMETERS_MAX];
    /* What the item makes and nobody may have made before: reached already means that it is not ours. */
    bool makes;
    const char *helper; /* NULL: none */
    const char *script; /* the two functions */
};

/* The whole text: what all have in common around the cmdlet's own. ASCII, below UMX_HOST_SHELL_SCRIPT_MAX. */
void umx_cmdlet_script(const struct umx_action *action, struct umx_text *out);

/* The batch's shell, opened when it is needed. */
int umx_cmdlet_check(struct umx_act *act, const char *item, struct umx_error *err);
int umx_cmdlet_before(struct umx_act *act, const char *item, struct umx_text *before, struct umx_error *err);
enum umx_action_probe umx_cmdlet_probe(struct umx_act *act, const char *item, const char *before,
                                       struct umx_text *detail);
int umx_cmdlet_run(struct umx_act *act, const char *item, const char *before, struct umx_text *detail,
                   struct umx_error *err);
/* One request with a verb, for actions that are half code and half script. */
int umx_cmdlet_do(struct umx_act *act, const char *verb, const char *item, struct umx_text *answer,
                  struct umx_error *err);

/* An entry of a table of actions. */
#define UMX_CMDLET(PRODUCT, NAME, TABLES, CMDLET)                                                                      \
    {                                                                                                                  \
        .name = (NAME), .identity = "shell", .product = UMX__SERVER__PRODUCT__##PRODUCT, .writes = true,               \
        .tables = (TABLES), .cmdlet = (CMDLET), .check = umx_cmdlet_check, .before = umx_cmdlet_before,                \
        .probe = umx_cmdlet_probe, .run = umx_cmdlet_run                                                               \
    }

#endif
