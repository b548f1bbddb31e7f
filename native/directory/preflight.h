/*
 * Whether the bound account could make changes, as the directory itself tells (allowedAttributesEffective,
 * allowedChildClassesEffective, sDRightsEffective). Nothing is written. An answer is an aid, not a promise: the write
 * is judged again when it is made.
 */
#ifndef UMX_DIRECTORY_PREFLIGHT_H
#define UMX_DIRECTORY_PREFLIGHT_H

#include "directory/connection.h"
#include "umx/v1/worker.pb-c.h"

/* One answer for each change, in their order: `allowed`, `denied: why` or `unknown: why`. A parent that an earlier
 * change of the list adds is unknown, not missing. In the arena. */
int umx_preflight(struct umx_connection *connection, const Umx__Preflight *asked, struct umx_arena *arena,
                  Umx__PreflightResult **result, struct umx_error *err);

#endif
