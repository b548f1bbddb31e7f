/*
 * The least rights that a forest's reader and writer need, for the writes of all phases, and the memberships of the
 * account that the agents run cmdlets as, as commands an administrator runs.
 */
#ifndef UMX_CONTROLLER_GRANTS_H
#define UMX_CONTROLLER_GRANTS_H

#include "base/arena.h"
#include "base/world.h"
#include "controller/config.h"
#include "umx/v1/operator.pb-c.h"

/* Results in the arena. DNs and names of groups come from the world where the forest was read, and are written as <ORG>
 * where not. The name of the agents' account is <SHELL ACCOUNT>: only the servers know it. */
int umx_grants(const struct umx_forest_config *forest, const Umx__World *records, struct umx_arena *arena,
               Umx__Grant ***grants, size_t *count, struct umx_error *err);

#endif
