/*
 * What is kept of a forest between reads, and how changes are merged into it (design 3).
 */
#ifndef UMX_CONTROLLER_REFRESH_H
#define UMX_CONTROLLER_REFRESH_H

#include "base/world.h"
#include "umx/v1/worker.pb-c.h"

struct umx_refresh;

/* Keeps a world that was read whole, with where a refresh may begin (the last reply of its read). NULL when there is
 * nothing to go on from, a table of users is incomplete, or memory is out: then everything is read each time. */
struct umx_refresh *umx_refresh_keep(const struct umx_world *world, const Umx__WorkerReply *last);
void umx_refresh_free(struct umx_refresh *refresh); /* NULL is allowed */

/* Microseconds (monotonic) since it was read whole. */
int64_t umx_refresh_age(const struct umx_refresh *refresh);

/* The request that continues it; points into the refresh. */
void umx_refresh_request(const struct umx_refresh *refresh, Umx__Read *read);

/* Merges what a refresh sent into what was kept: *merged is the forest as it is now, and is kept from now on. *merged
 * is NULL when the changes do not tell everything and the forest must be read whole: the worker said so, or something
 * that users refer to was renamed or is gone. */
int umx_refresh_merge(struct umx_refresh *refresh, const struct umx_world *part, const Umx__WorkerReply *last,
                      struct umx_world **merged, struct umx_error *err);

#endif
