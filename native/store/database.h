/*
 * SQLite as the store uses it: opening a file of ours, statements that end in one place, errors in umx's terms.
 * Only for native/store.
 */
#ifndef UMX_STORE_DATABASE_H
#define UMX_STORE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct umx_database_kind {
    int application_id; /* in the file's header, so that a foreign file is not taken for ours */
    int version;        /* of the layout */
    const char *pragmas;
    const char *schema; /* run once, in a new file */
};

/* Opens or creates (mode 0600), with the pragmas, of which locking_mode decides whether others can read meanwhile.
 * UMX_ERR_STORE_LOCKED, STORE_CORRUPT, STORE_OPEN. */
int umx_database_open(const char *path, const struct umx_database_kind *kind, sqlite3 **out, struct umx_error *err);

/* An error for SQLite's code, with its message. A damaged or locked file is named as such, others are `otherwise`. */
int umx_database_fail(sqlite3 *db, int rc, enum umx_error_id otherwise, struct umx_error *err);

/* Runs statements without results. */
int umx_database_run(sqlite3 *db, const char *sql, struct umx_error *err);

int umx_database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct umx_error *err);

/* Steps a statement that has no rows, resets it and clears its bindings. */
int umx_database_finish(sqlite3 *db, sqlite3_stmt *statement, struct umx_error *err);

/* A copy of the database as it is, in a new file (mode 0600, UMX_ERR_BACKUP_FAILED when there is one), by SQLite's
 * online backup. pages: at a time, -1 all at once; between, pause is called (may be NULL), so that others get their
 * turn. What the same connection writes meanwhile is copied too. */
int umx_database_copy(sqlite3 *db, const char *path, int pages, void (*pause)(void *user), void *user,
                      struct umx_error *err);

/* The integer of a one-row query. */
int umx_database_integer(sqlite3 *db, const char *sql, int64_t *out, struct umx_error *err);

#endif
