/* The inside of a state, shared by state.c and state_schema.c. */
#ifndef UMX_STORE_STATE_INTERNAL_H
#define UMX_STORE_STATE_INTERNAL_H

#include <pthread.h>

#include "store/database.h"
#include "store/state.h"

struct umx_state {
    pthread_mutex_t mutex; /* recursive; held during a transaction */
    bool in_transaction;
    sqlite3 *db;
    sqlite3_stmt **insert; /* one per table of umx_reflect_tables */
    sqlite3_stmt **remove; /* likewise: the rows of a server; NULL until it is needed */
    sqlite3_stmt *digest;  /* likewise */
    struct umx_text scratch;
    int lock; /* descriptor of PATH.lock */
    char *path;
};

/* Makes the tables what the schema says, keeping their records. */
int umx_state_settle(struct umx_state *state, struct umx_error *err);

/* Inserts one record; in a transaction. */
int umx_state_insert(struct umx_state *state, const struct umx_table *table, const ProtobufCMessage *record,
                     struct umx_error *err);

/* The record of a column with packed bytes, in a new arena that the caller frees, also after an error. */
int umx_state_unpack(const struct umx_table *table, sqlite3_stmt *row, int column, struct umx_arena **arena,
                     ProtobufCMessage **record, struct umx_error *err);

#endif
