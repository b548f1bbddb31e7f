/*
 * What a record needs beyond its attributes' values: decoded blobs and versions, joins, counts. Called by the rows of
 * read_tables.c for each entry, after its fields are filled.
 */
#ifndef UMX_DIRECTORY_READ_FINISH_H
#define UMX_DIRECTORY_READ_FINISH_H

#include "directory/reading.h"

/* What becomes of a filled record: sent, or not (kept for later, or only counted). */
enum umx_read_fate { UMX_READ_EMIT, UMX_READ_DROP };

typedef int umx_read_finish(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                            enum umx_read_fate *fate, struct umx_error *err);

umx_read_finish umx_read_finish_trust;
umx_read_finish umx_read_finish_domain;
umx_read_finish umx_read_finish_server;
umx_read_finish umx_read_finish_router;
umx_read_finish umx_read_finish_hunt_group;
umx_read_finish umx_read_finish_attendant;
umx_read_finish umx_read_finish_pool;

#endif
