/*
 * The difference between two worlds, record by record. Records are the same when their key (names, DNs, ...) is the
 * same; what changes with every reading (times of the read, process ids, update sequence numbers) is not compared.
 */
#ifndef UMX_CLI_WORLD_DIFF_H
#define UMX_CLI_WORLD_DIFF_H

#include "base/world.h"
#include "cli/document.h"

/* Adds to the document's `changes` one item {change, table, key, field, before, after} for each added or removed record
 * (the record in after or before, field null) and each changed field; sets `counts` {added, removed, changed}, where
 * changed counts records. */
int umx_world_diff(const Umx__World *a, const Umx__World *b, struct umx_document *document, struct umx_error *err);

#endif
