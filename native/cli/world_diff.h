/*
 * The difference between two worlds, record by record. Records are the same when their key (names, DNs, ...) is the
 * same; what changes with every reading (times of the read, process ids, update sequence numbers) is not compared.
 */
#ifndef UMX_CLI_WORLD_DIFF_H
#define UMX_CLI_WORLD_DIFF_H

#include "base/world.h"
#include "cli/cli.h"
#include "cli/document.h"

/* Adds to the document's `changes` one item {change, table, key, place, name, field, before, after} for each added or
 * removed record (the record in after or before, field null) and each changed field; place is the forest or server it
 * is of, name what people call it. Sets `counts` {added, removed, changed}, where changed counts records. */
int umx_world_diff(const Umx__World *a, const Umx__World *b, struct umx_document *document, struct umx_error *err);

/* The document for people: by forest or server, in their words (snapshot_diff.c). */
void umx_snapshot_diff_view(struct umx_cli *cli, const struct umx_document *document);

#endif
