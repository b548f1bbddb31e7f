/*
 * Records as promises (PlanStep.predicted, original, removed): a record is found by the key of its table, and the
 * fields that the promise sets must be so. Texts compare without case, names of objects as DNs, lists must contain what
 * is promised. The type of a proxy address counts as it is written: upper case makes it the primary one.
 */
#ifndef UMX_PHASES_RECORDS_H
#define UMX_PHASES_RECORDS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "base/world.h"

struct umx_finder; /* phases/finder.h */

/* Fields that tell the table's records apart, space-separated; NULL: nothing is promised about it. */
const char *umx_record_key(const struct umx_table *table);

/* Whether two records of the table are the same thing. */
bool umx_record_same(const struct umx_table *table, const ProtobufCMessage *a, const ProtobufCMessage *b);

/* The world's records of the same key, from the index *from on; NULL: no more. *from is then the next index. */
ProtobufCMessage *umx_record_find(const Umx__World *world, const struct umx_table *table, const ProtobufCMessage *key,
                                  size_t *from);

/* What in the world is not as promised, a line each; predicted and removed may be NULL. Where several records have the
 * key (two agents tell of one Lync dial plan) one of them has to keep the promise. Returns the number of lines. */
size_t umx_records_differences(const Umx__World *world, const Umx__World *predicted, const Umx__World *removed,
                               struct umx_text *lines);

/* Changes the world as promised: fields that are set are taken over (lists whole), a missing record is added. The
 * finder (NULL: none) is of that world and is kept up to date. */
int umx_records_apply(struct umx_world *world, struct umx_finder *finder, const Umx__World *predicted,
                      const Umx__World *removed, struct umx_error *err);

/* Appends a record that lives in the arena to the part. False: the arena is full. */
bool umx_records_push(struct umx_arena *arena, Umx__World *part, ProtobufCMessage *record);

/* A copy of `record` that has the key and those fields only that `like` sets. NULL: the arena is full. */
ProtobufCMessage *umx_record_masked(const struct umx_table *table, const ProtobufCMessage *record,
                                    const ProtobufCMessage *like, struct umx_arena *arena);

#endif
