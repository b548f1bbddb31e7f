/* The layout of state.db as the schema gives it: shared by state.c and query.c. */
#ifndef UMX_STORE_STATE_TABLE_H
#define UMX_STORE_STATE_TABLE_H

#include "base/reflect.h"
#include "base/text.h"
#include "store/database.h"

/* Longest value that a query can touch (design 9), and the longest that is stored in a column, which leaves room for
 * what a query makes of it. The packed record is always whole. */
enum { UMX_QUERY_MAX_VALUE = 64 * 1024, UMX_STATE_MAX_COLUMN = 48 * 1024 };

/* "name(a INTEGER, b TEXT, ...more)", for CREATE TABLE. */
void umx_state_add_definition(struct umx_text *sql, const char *prefix, const struct umx_table *table,
                              const char *more);

/* "a, b, ..." */
void umx_state_add_columns(struct umx_text *sql, const struct umx_table *table);

/* Binds the fields of a record, which has to stay until the statement has run, to ?1, ?2, ... A text longer than a
 * column may be is cut and ends in U+2026; a longer list or message becomes the JSON string "N bytes are too long to
 * show". */
int umx_state_bind(sqlite3_stmt *insert, const ProtobufCMessage *record, struct umx_text *scratch);

#endif
