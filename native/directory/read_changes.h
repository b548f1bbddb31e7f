/*
 * What changed among the people of a forest since an earlier read, by DirSync.
 *
 * A USN hides deletions, so the directory is asked for changes. An ordinary account sees what was changed but not what
 * was deleted; then the objects that are still there are listed by GUID, which is cheaper than reading them.
 */
#ifndef UMX_DIRECTORY_READ_CHANGES_H
#define UMX_DIRECTORY_READ_CHANGES_H

#include "directory/reading.h"

struct umx_guids {
    ProtobufCBinaryData *items;
    size_t count, capacity;
};

struct umx_changes {
    struct umx_arena *arena; /* of everything here */
    Umx__SyncState **sync;   /* one for each domain */
    size_t sync_count;
    bool full; /* the changes cannot be told: everything must be read */
    struct umx_guids gone;
    bool has_present;
    struct umx_guids present;
};

/* Where a later refresh may begin: asked before a read of everything, so that nothing falls between. What cannot be
 * asked leaves sync empty. */
int umx_read_sync_begin(struct umx_reading *reading, struct umx_error *err);

/* Sends the records that changed since the places of `since` and fills the changes. */
int umx_read_changes(struct umx_reading *reading, struct umx_error *err);

#endif
