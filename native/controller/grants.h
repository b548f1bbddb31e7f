/*
 * The least rights that the reader and the writer of a forest need, as commands an administrator runs.
 */
#ifndef UMX_CONTROLLER_GRANTS_H
#define UMX_CONTROLLER_GRANTS_H

#include "base/arena.h"
#include "base/world.h"
#include "controller/config.h"
#include "umx/v1/operator.pb-c.h"

/* Results in the arena. DNs come from the world where the forest was read, and are written as <ORG> where not. */
int umx_grants(const struct umx_forest_config *forest, const Umx__World *records, struct umx_arena *arena,
               Umx__Grant ***grants, size_t *count, struct umx_error *err);

#endif
