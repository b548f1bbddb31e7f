/*
 * Records of a world by the key of their table (records.h), through an index that is made for a table when it is first
 * asked for: what a thousand promises about ten thousand people need. Not thread-safe.
 */
#ifndef UMX_PHASES_FINDER_H
#define UMX_PHASES_FINDER_H

#include "base/reflect.h"
#include "base/world.h"

struct umx_finder;

/* NULL: out of memory. The world must outlive it; whoever adds or removes records says so below. */
struct umx_finder *umx_finder_new(const Umx__World *world);
void umx_finder_free(struct umx_finder *finder); /* NULL is allowed */

/* Records that have the key of `key`, begin with *at 0; NULL ends. finder NULL: none. *failed: out of memory. */
ProtobufCMessage *umx_finder_next(struct umx_finder *finder, const struct umx_table *table, const ProtobufCMessage *key,
                                  size_t *at, bool *failed);

/* The last record of the table is new. */
void umx_finder_added(struct umx_finder *finder, const struct umx_table *table);
/* A record of the table is gone. */
void umx_finder_removed(struct umx_finder *finder, const struct umx_table *table);

#endif
