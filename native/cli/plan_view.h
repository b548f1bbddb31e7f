/*
 * A plan for people: its head, who approved, the steps by forest, and the object-level difference.
 */
#ifndef UMX_CLI_PLAN_VIEW_H
#define UMX_CLI_PLAN_VIEW_H

#include "cli/cli.h"

/* What `plan show` and every operation that changes a plan answer. */
void umx_plan_view(struct umx_cli *cli, const struct umx_document *document);
/* The same, with every step's change like an LDIF: `-` goes, `+` comes. */
void umx_plan_view_diff(struct umx_cli *cli, const struct umx_document *document);

/* Name, state, hash, and what is still needed: after an operation that changed the plan. */
void umx_plan_view_state(struct umx_cli *cli, const struct umx_document *document);

/* One step's difference (plan_diff.c). */
void umx_plan_diff_step(struct umx_cli *cli, const json_t *step);

/* What a person has to do at a gate, and how that is confirmed. steps: all of the plan. */
void umx_plan_view_gate(struct umx_cli *cli, const char *plan, const json_t *steps, const json_t *step);

/* One journal entry on one line. step is the step it is about; NULL: not known. */
void umx_plan_view_entry(struct umx_cli *cli, const json_t *entry, const json_t *step);

/* The journal's entries as a table (audit.c). */
void umx_audit_view(struct umx_cli *cli, const struct umx_document *document);

#endif
