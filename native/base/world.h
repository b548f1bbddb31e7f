/*
 * A world: all records of all forests and servers at one time (design 3), in one arena.
 * The message inside is read directly; additions go through here, so that arrays grow in one place.
 * Not thread-safe while it grows; read-only afterwards by as many threads as like.
 */
#ifndef UMX_BASE_WORLD_H
#define UMX_BASE_WORLD_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/reflect.h"
#include "umx/v1/world.pb-c.h"

struct umx_world;

enum { UMX_WORLD_CAP = 1024 * 1024 * 1024 };

struct umx_world *umx_world_new(int64_t taken_at);
void umx_world_free(struct umx_world *world); /* NULL is allowed */

/* The records. The pointer stays; arrays inside move when the world grows. */
const Umx__World *umx_world_records(const struct umx_world *world);
/* The same, for those who change records in place (the planner's predictions). */
Umx__World *umx_world_edit(struct umx_world *world);
struct umx_arena *umx_world_arena(struct umx_world *world);

/* Adds a deep copy of one record; its type decides the table. */
int umx_world_add(struct umx_world *world, const ProtobufCMessage *record, struct umx_error *err);
/* Adds deep copies of all records of a part; taken_at and deployment are taken where set. */
int umx_world_add_all(struct umx_world *world, const Umx__World *part, struct umx_error *err);
/* Removes record number index of a table; the order of the others stays. */
void umx_world_remove(struct umx_world *world, const struct umx_table *table, size_t index);
struct umx_world *umx_world_copy(const struct umx_world *world);

/* Records of a table: *count pointers. */
ProtobufCMessage **umx_world_table(const Umx__World *records, const struct umx_table *table, size_t *count);

/* Fails with the table and the field when a record lacks its forest, dn or server where nothing that reads leaves them
 * out. The phases rely on them, so that records from a file, which anybody may have made, go through here. */
int umx_world_check_places(const Umx__World *records, struct umx_error *err);

/* Snapshot files: a line "umx-snapshot 1\n", then frames (base/frame.h), the last one empty. Saving goes to a
 * temporary file that is renamed when it is complete. Loading refuses what is cut short, and records of nowhere. */
int umx_world_save(const struct umx_world *world, const char *path, struct umx_error *err);
int umx_world_load(const char *path, struct umx_world **world, struct umx_error *err);

#endif
