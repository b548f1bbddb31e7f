/*
 * Makes one change, and tells afterwards whether it happened (design 6): one row {apply, probe} for each kind.
 *
 * Both run on the domain controller of the intent and nowhere else; the caller has connected to it. The rules of the
 * probe are in docs/decisions/0030.
 */
#ifndef UMX_DIRECTORY_CHANGE_H
#define UMX_DIRECTORY_CHANGE_H

#include "directory/connection.h"
#include "directory/schema.h"
#include "umx/v1/worker.pb-c.h"

struct umx_change_result {
    Umx__Intent__Outcome outcome;
    Umx__ObjectState *state; /* the object afterwards, NULL when it was not read */
};

/* 0: made, and read back (outcome OURS). UMX_ERR_STEP_UNCERTAIN: sent, no answer. UMX_ERR_DESCRIPTOR_MOVED with outcome
 * FOREIGN: written, and somebody else wrote too. Any other error: not made. Results are in the arena. */
int umx_change_apply(struct umx_connection *connection, struct umx_schema *schema, const Umx__Change *change,
                     const Umx__Intent *intent, struct umx_arena *arena, struct umx_change_result *result,
                     struct umx_error *err);

/* What became of the change of an intent that was not answered. Never writes. */
int umx_change_probe(struct umx_connection *connection, struct umx_schema *schema, const Umx__Change *change,
                     const Umx__Intent *intent, struct umx_arena *arena, struct umx_change_result *result,
                     struct umx_error *err);

#endif
