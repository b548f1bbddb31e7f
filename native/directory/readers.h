/*
 * Reads a forest's records (design 3): one row of a table per kind of record.
 *
 * What cannot be read is named in Forest.incomplete as `table: reason` and never silently missing. A forest without an
 * Exchange organisation or without Lync is normal and not incomplete.
 */
#ifndef UMX_DIRECTORY_READERS_H
#define UMX_DIRECTORY_READERS_H

#include "directory/connection.h"
#include "directory/part.h"
#include "umx/v1/worker.pb-c.h"

/* Whom to ask, and as whom: the other domains of the forest have domain controllers of their own. */
struct umx_readers_source {
    struct umx_connection *connection;
    const Umx__Configure *configure; /* forest, side and group overrides */
    const struct umx_directory_account *account;
    const struct umx_ticket *ticket; /* NULL with simple bind */
    int64_t deadline;                /* monotonic */
};

struct umx_changes; /* directory/read_changes.h; only its arena is set by the caller */

/* The forest record is always sent, last. With read->since only what changed among users and contacts is sent, the rest
 * whole; counts of users and contacts are then those of the changed ones. When changes->full is set, what was sent is
 * worth nothing and everything must be read. */
int umx_readers_read(const struct umx_readers_source *source, const Umx__Read *read, struct umx_part *part,
                     struct umx_changes *changes, struct umx_error *err);

#endif
