/* The inside of a state, shared by its files: state.c (opening, transactions, loading), state_write.c (rows),
 * state_merge.c (a server's rows, only where they differ), state_schema.c, state_setting.c. */
#ifndef UMX_STORE_STATE_INTERNAL_H
#define UMX_STORE_STATE_INTERNAL_H

#include <pthread.h>

#include "store/database.h"
#include "store/state.h"

/* What a report of a table needs, made when the first one comes. */
struct umx_state_merge {
    sqlite3_stmt *stored; /* rowid, collected_at, forest and packed record of a server's rows, in their order */
    sqlite3_stmt *update; /* all but the columns that have an index, by rowid */
    sqlite3_stmt *remove; /* by rowid */
};

struct umx_state {
    pthread_mutex_t mutex; /* recursive; held during a transaction */
    bool in_transaction;
    sqlite3 *db;
    sqlite3_stmt **insert;         /* one per table of umx_reflect_tables */
    struct umx_state_merge *merge; /* likewise */
    sqlite3_stmt *digest;          /* NULL until it is needed */
    struct umx_text scratch;
    int lock; /* descriptor of PATH.lock */
    char *path;
};

/* Makes the tables what the schema says, keeping their records. */
int umx_state_settle(struct umx_state *state, struct umx_error *err);

/* Inserts one record; in a transaction. */
int umx_state_insert(struct umx_state *state, const struct umx_table *table, const ProtobufCMessage *record,
                     struct umx_error *err);

/* Binds a record's fields and its packed bytes, which have to stay until the statement has run, and runs it. */
int umx_state_write(struct umx_state *state, sqlite3_stmt *statement, const ProtobufCMessage *record,
                    const uint8_t *bytes, size_t length, struct umx_error *err);

void umx_state_merge_end(struct umx_state_merge *merge);

/* The record of a column with packed bytes, in a new arena that the caller frees, also after an error. */
int umx_state_unpack(const struct umx_table *table, sqlite3_stmt *row, int column, struct umx_arena **arena,
                     ProtobufCMessage **record, struct umx_error *err);

#endif
