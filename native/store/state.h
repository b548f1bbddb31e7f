/*
 * state.db: what agents reported and what was read of the forests. A cache of the world: what is lost here is reported
 * and read again. WAL, synchronous NORMAL: what was committed survives the end of the process.
 *
 * For each table of the schema there is a table `_NAME` with a column per field and the packed record, and a view
 * `NAME` of the fields alone, which is what queries see. When the schema's columns changed, a table is built anew from
 * the packed records when the file is opened.
 *
 * Threads: one handle, any threads. A transaction belongs to the thread that began it; others wait. Queries have
 * connections of their own (store/query.h) and neither wait nor make anybody wait. One process at a time has the file
 * (a lock on `PATH.lock`).
 */
#ifndef UMX_STORE_STATE_H
#define UMX_STORE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/reflect.h"
#include "base/world.h"
#include "store/journal_file.h"

struct umx_state;

/* UMX_ERR_STORE_LOCKED: another controller has it. UMX_ERR_STORE_CORRUPT, UMX_ERR_STORE_OPEN. */
int umx_state_open(const char *path, struct umx_state **out, struct umx_error *err);
void umx_state_close(struct umx_state *state); /* NULL is allowed */

/* Several changes in one transaction. Every begin that returns 0 needs a commit or a rollback by the same thread; a
 * commit that fails has rolled back. A rollback without a transaction of this thread does nothing. They do not nest. */
int umx_state_begin(struct umx_state *state, struct umx_error *err);
int umx_state_commit(struct umx_state *state, struct umx_error *err);
void umx_state_rollback(struct umx_state *state);

/* Replaces the rows of a table whose column key_column (for example server or forest) is key_value by these records;
 * all rows when key_column is NULL. In the thread's transaction, or in one of its own. */
int umx_state_replace(struct umx_state *state, const struct umx_table *table, const char *key_column,
                      const char *key_value, ProtobufCMessage *const *records, size_t count, struct umx_error *err);

/* The rows of a server become these records, in this order. A row that is stored already, but for `collected_at`, stays
 * as it is, and keeps that; one that differs is changed in its place. In the thread's transaction only. */
int umx_state_merge(struct umx_state *state, const struct umx_table *table, const char *server,
                    ProtobufCMessage *const *records, size_t count, struct umx_error *err);

/* The digest of what an agent last said of a table, beside its rows: known after a restart, an agent need not send them
 * again. In the thread's transaction, or in one of its own. A table that is built anew loses its digests. */
int umx_state_put_digest(struct umx_state *state, const char *agent, const char *server, const char *table,
                         const uint8_t *digest, size_t length, struct umx_error *err);
/* Those of all agents of a server. */
int umx_state_drop_digests(struct umx_state *state, const char *server, struct umx_error *err);
/* Calls back with each; the callback must not use this state. */
int umx_state_each_digest(struct umx_state *state,
                          void (*each)(void *user, const char *agent, const char *table, const uint8_t *digest,
                                       size_t length),
                          void *user, struct umx_error *err);

/* Adds the stored records of a table to a world, in the order in which they were stored. */
int umx_state_load(struct umx_state *state, const struct umx_table *table, struct umx_world *world,
                   struct umx_error *err);

/* Only those whose column key_column (for example server) is key_value. */
int umx_state_load_of(struct umx_state *state, const struct umx_table *table, const char *key_column,
                      const char *key_value, struct umx_world *world, struct umx_error *err);

/* Adds the stored records of all tables of World, as they were at one time. */
int umx_state_load_all(struct umx_state *state, struct umx_world *world, struct umx_error *err);

/* ---- agent identities that were issued */

struct umx_state_agent {
    const char *agent;  /* identity URI: the key */
    const char *server; /* FQDN it was issued for */
    const char *forest;
    const char *serial; /* of its newest certificate, hex */
    int64_t issued_at;
    int64_t expires_at;
    int64_t revoked_at; /* 0: not revoked */
};

int umx_state_put_agent(struct umx_state *state, const struct umx_state_agent *agent, struct umx_error *err);
/* Calls back with each, by server; a result other than 0 ends the walk and is returned. The callback must not use this
 * state. */
int umx_state_each_agent(struct umx_state *state, int (*each)(void *user, const struct umx_state_agent *agent),
                         void *user, struct umx_error *err);

/* ---- settings that last: text by name */

/* value NULL removes it. */
int umx_state_set(struct umx_state *state, const char *name, const char *value, struct umx_error *err);
/* A copy that the caller frees; *value is NULL with status 0 when there is none. */
int umx_state_get(struct umx_state *state, const char *name, char **value, struct umx_error *err);

/* Calls back with each whose name begins with the prefix, by name; a result other than 0 ends the walk and is returned.
 * The callback must not use this state. */
int umx_state_each_setting(struct umx_state *state, const char *prefix,
                           int (*each)(void *user, const char *name, const char *value), void *user,
                           struct umx_error *err);

/* The mirror of the journal's head (store/journal_file.h). Reading gives sequence 0 when none was kept: verify knows
 * then nothing from here. */
int umx_state_keep_head(struct umx_state *state, const struct umx_journal_head *head, struct umx_error *err);
int umx_state_kept_head(struct umx_state *state, struct umx_journal_head *head, struct umx_error *err);

/* A copy in a new file, as it is at one time; nobody waits for it. */
int umx_state_copy(struct umx_state *state, const char *path, struct umx_error *err);

/* The path it was opened with, for query connections. */
const char *umx_state_path(const struct umx_state *state);

#endif
