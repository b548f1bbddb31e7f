/*
 * A batch of items for an agent, and what its results add up to.
 */
#ifndef UMX_CONTROLLER_BATCH_H
#define UMX_CONTROLLER_BATCH_H

#include "controller/engine_private.h"

struct umx_batch_result {
    size_t good;
    size_t failed;
    size_t not_done;      /* of the failed ones: the agent was only asked, and says that it did nothing */
    const char *json;     /* the results as an array, for the journal */
    const char *problems; /* the failed items and their reasons */
};

/* The id is made of the plan's hash, the step and the attempt: the same attempt is the same batch, after a crash too.
 * batch->batch stays NULL when the arena is full. */
void umx_batch_fill(Umx__ActionBatch *batch, const char *plan_hash, const Umx__PlanStep *step, int attempt,
                    struct umx_arena *arena);
/* Without the engine's mutex. Fewer results than items count as no answer. */
int umx_batch_send(struct umx_engine *engine, const char *server, const Umx__ActionBatch *batch,
                   struct umx_arena *arena, struct umx_batch_result *out, struct umx_error *err);

#endif
