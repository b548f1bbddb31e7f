/*
 * A batch of items for an agent: those of a step that have no result yet, as many as an agent takes at once.
 */
#ifndef UMX_CONTROLLER_BATCH_H
#define UMX_CONTROLLER_BATCH_H

#include "controller/engine_private.h"

enum {
    UMX_BATCH_ITEMS_MAX = 256,        /* what an agent takes */
    UMX_BATCH_BYTES_MAX = 160 * 1024, /* of items: the message of an agent's stream has room for more */
};

struct umx_batch {
    Umx__ActionBatch message;
    size_t *place; /* of each item, in the step */
};

struct umx_batch_result {
    size_t good;
    size_t failed;
    size_t not_done;                   /* the agent was only asked, and says that it did nothing */
    size_t uncertain;                  /* neither yes nor no */
    const char *undecided;             /* what the agent says of the first of them */
    Umx__ActionResult *const *results; /* one an item of the batch */
    const char *json; /* good and failed ones as an array, items counted in the step: for the journal */
};

/* The id is made of the plan's hash, the step and the attempt: the same attempt is the same batch, after a crash too.
 * No item when none is open. False: the arena is full. */
bool umx_batch_fill(struct umx_batch *batch, const char *plan_hash, const Umx__PlanStep *step, int attempt,
                    const char *results, struct umx_arena *arena);
/* Without the engine's mutex. Fewer results than items count as no answer. */
int umx_batch_send(struct umx_engine *engine, const char *server, const struct umx_batch *batch,
                   struct umx_arena *arena, struct umx_batch_result *out, struct umx_error *err);

#endif
