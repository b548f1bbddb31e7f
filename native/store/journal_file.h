/*
 * journal.db: what was planned, decided, intended and done. Entries are only ever added, and a call that adds returns
 * when they are on the disk (WAL, synchronous FULL).
 *
 * The chain: hash = SHA-256(hash of the entry before, 32 zero bytes for the first || the packed entry without
 * `sequence` and `hash`). The head (number and hash of the newest entry) is kept in a row of its own, and mirrored in
 * state.db (umx_state_keep_head). What umx_journal_verify finds: an entry edited, removed, inserted or moved; a tail
 * cut off by somebody who left the head or its mirror; a plan whose bytes are not those of its `created` entry. What it
 * cannot find: a tail cut off, or the whole file written anew, together with head and mirror. Signatures of approvals
 * are inside the entries and are checked by the engine, not here.
 *
 * Threads: one handle, any threads; calls take turns. The file is locked: one process at a time.
 */
#ifndef UMX_STORE_JOURNAL_FILE_H
#define UMX_STORE_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "umx/v1/plan.pb-c.h"

struct umx_journal_file;

enum {
    UMX_JOURNAL_HASH = 32,
    UMX_JOURNAL_HASH_TEXT = 65,               /* lower-case hex and a NUL */
    UMX_JOURNAL_MAX_ENTRY = 16 * 1024 * 1024, /* packed; above: UMX_ERR_FRAME_TOO_LARGE */
    UMX_JOURNAL_MAX_PLAN = 64 * 1024 * 1024,
};

/* The newest entry; sequence 0 and zeroes when there is none. */
struct umx_journal_head {
    int64_t sequence;
    uint8_t hash[UMX_JOURNAL_HASH];
};

/* A stored plan. Everything lives in the caller's arena. */
struct umx_journal_plan {
    const char *name;
    const uint8_t *bytes; /* a packed Umx__Plan, exactly as stored: what the hash covers */
    size_t length;
    char hash[UMX_JOURNAL_HASH_TEXT];
    bool deleted;
};

/* Opens or creates (mode 0600). UMX_ERR_STORE_LOCKED: another process has it. UMX_ERR_STORE_CORRUPT: no such file of
 * ours. A file whose head does not fit its newest entry opens for reading and verification; adding to it is refused
 * with UMX_ERR_JOURNAL_BROKEN. */
int umx_journal_open(const char *path, struct umx_journal_file **out, struct umx_error *err);
void umx_journal_close(struct umx_journal_file *journal); /* NULL is allowed */

/* Adds entries in one transaction: all or none. Sets `sequence` (from 1, no gaps) and `written_at` (max of the clock
 * and the newest entry) in each; `hash` given in is ignored, and read back by umx_journal_each. Durable on return. On
 * an error nothing was added, and the entries are unchanged. `created` and `deleted` are refused: they go with their
 * plan. */
int umx_journal_append(struct umx_journal_file *journal, Umx__Journal *entry, struct umx_error *err);
int umx_journal_append_all(struct umx_journal_file *journal, Umx__Journal *const *entries, size_t count,
                           struct umx_error *err);

/* Stores a plan's bytes under its name together with its `created` entry, whose `plan` and `plan_hash` are the name and
 * the hash of the bytes (UMX_ERR_INTERNAL otherwise). UMX_ERR_PLAN_EXISTS while a plan of this name is not deleted.
 * The bytes never change afterwards. */
int umx_journal_add_plan(struct umx_journal_file *journal, const char *name, const uint8_t *bytes, size_t length,
                         Umx__Journal *created, struct umx_error *err);

/* Marks the plan as deleted together with its `deleted` entry; the bytes stay. The name can then be used again: entries
 * between two `created` of a name belong to the first. UMX_ERR_PLAN_NOT_FOUND. */
int umx_journal_delete_plan(struct umx_journal_file *journal, const char *name, Umx__Journal *deleted,
                            struct umx_error *err);

/* The plan of this name that is not deleted, or UMX_ERR_PLAN_NOT_FOUND. */
int umx_journal_plan(struct umx_journal_file *journal, const char *name, struct umx_arena *arena,
                     struct umx_journal_plan *out, struct umx_error *err);

/* All plans in order of creation; with_deleted: those too. */
int umx_journal_plans(struct umx_journal_file *journal, bool with_deleted, struct umx_arena *arena,
                      struct umx_journal_plan **plans, size_t *count, struct umx_error *err);

/* Calls back with each entry after a sequence number, oldest first, of one plan, of all (NULL), or of those that belong
 * to no plan (""), at most limit (0: all). `sequence` and `hash` are set. The entry is gone after the callback; a result
 * other than 0 ends the walk and is returned. The callback must not call this journal. */
int umx_journal_each(struct umx_journal_file *journal, const char *plan, int64_t after, int64_t limit,
                     int (*entry)(void *user, const Umx__Journal *entry), void *user, struct umx_error *err);

/* The same into the caller's arena. */
int umx_journal_read(struct umx_journal_file *journal, const char *plan, int64_t after, int64_t limit,
                     struct umx_arena *arena, Umx__Journal ***entries, size_t *count, struct umx_error *err);

/* *after: the sequence number after which the newest `count` entries come, of one plan or of all (NULL). */
int umx_journal_newest(struct umx_journal_file *journal, const char *plan, int64_t count, int64_t *after,
                       struct umx_error *err);

void umx_journal_head(struct umx_journal_file *journal, struct umx_journal_head *head);
/* The clock, or the newest entry's time where the clock was moved back behind it: what has run out stays so. */
int64_t umx_journal_now(struct umx_journal_file *journal);

/* Recomputes the whole chain. known: a head kept elsewhere, or NULL. *entries: number of entries in the file.
 * *first_bad: sequence of the first entry that is not what it was (one past the newest when a tail is missing), 0 when
 * all are. The status only says whether the file could be read. */
int umx_journal_verify(struct umx_journal_file *journal, const struct umx_journal_head *known, int64_t *entries,
                       int64_t *first_bad, struct umx_error *err);

/* A copy in a new file, whole up to some entry: those that are added meanwhile may be in it. Adding waits for a few
 * milliseconds at a time. */
int umx_journal_copy(struct umx_journal_file *journal, const char *path, struct umx_error *err);

/* SHA-256 of bytes as lower-case hex: the hash of a plan. */
void umx_journal_hash(const void *bytes, size_t length, char hash[UMX_JOURNAL_HASH_TEXT]);

#endif
