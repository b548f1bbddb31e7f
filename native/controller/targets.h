/*
 * What agents shall prove, from what the forests hold. How much of it agents can be told is the fleet's affair.
 */
#ifndef UMX_CONTROLLER_TARGETS_H
#define UMX_CONTROLLER_TARGETS_H

#include "base/arena.h"
#include "base/error.h"
#include "umx/v1/agent.pb-c.h"
#include "umx/v1/world.pb-c.h"

struct umx_targets {
    Umx__ProofTarget **items;
    size_t count;
};

/* Everything in the arena. */
int umx_targets_find(const Umx__World *records, struct umx_arena *arena, struct umx_targets *out,
                     struct umx_error *err);

#endif
