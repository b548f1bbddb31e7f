/*
 * A user's SQL over the tables of the schema: one SELECT, read-only, within limits, on a connection of its own.
 *
 * Beside the fields of its record every table has the columns of base/added.h.
 *
 * What a query may use: SELECT (joins, subqueries, WITH RECURSIVE, window functions), the visible tables, json_each and
 * json_tree, and the functions of the list in query_guard.c. Everything else is refused (UMX_ERR_SQL_FORBIDDEN), and so
 * is a second statement. What it may take: values and rows of 64 KiB, the rows, bytes, memory and time below
 * (UMX_ERR_SQL_LIMIT). The memory is counted for the calling thread alone (store/heap.h), so that a greedy query cannot
 * starve the writers. Wrong SQL is UMX_ERR_SQL_INVALID with SQLite's message.
 *
 * Threads: any number at once; each call is one query in its own thread and blocks until it is done.
 */
#ifndef UMX_STORE_QUERY_H
#define UMX_STORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/reflect.h"

struct umx_state;
struct umx_query_sink;

enum {
    UMX_QUERY_MAX_SQL = 64 * 1024,
    UMX_QUERY_MAX_ROWS = 1000000,
    UMX_QUERY_MAX_OUTPUT = 256 * 1024 * 1024,
    UMX_QUERY_MAX_HEAP = 256 * 1024 * 1024,
};

/* How fresh rows are: when their source last said them, or said that nothing has changed (microseconds; 0: not known,
 * `collected_at` counts), and whether they may no longer be true. server and forest are the row's, NULL where the table
 * has no such column or the row no value. */
typedef int64_t umx_query_confirmed(void *user, const struct umx_table *table, const char *server, const char *forest,
                                    bool *stale);

struct umx_query {
    const char *sql;
    int64_t deadline; /* duration in microseconds; 0: 30 s */
    size_t max_rows;  /* 0: UMX_QUERY_MAX_ROWS */
    size_t max_heap;  /* 0: UMX_QUERY_MAX_HEAP */

    /* Tables that the caller has and state.db has not, or that it knows better (agent): their rows come from fill,
     * once, and only when the query reads the table. Derived tables that are not listed are empty. */
    const struct umx_table *const *live;
    size_t live_count;
    int (*fill)(void *user, const struct umx_table *table, struct umx_query_sink *sink, struct umx_error *err);

    /* Called once, when it is known which tables the query reads and before any row is read or filled; the deadline
     * begins after it. May be NULL. A result other than 0 ends the query and is returned as it is. */
    int (*before)(void *user, const struct umx_table *const *tables, size_t count);

    /* May be NULL: rows then have the age of their `collected_at`, and are not stale. */
    umx_query_confirmed *confirmed;
    const char *source; /* of tables whose records name none; NULL: "" */

    /* Only rows of these servers, in tables that name a server. */
    bool picked;
    const char *const *servers;
    size_t server_count;

    /* One row as a JSON object of its columns in order: numbers, strings, null; blobs as hex. A name that comes twice
     * is "name", "name_2". A result other than 0 ends the query and is returned as it is (err is the callback's own).
     */
    int (*row)(void *user, const char *json, size_t length);

    /* Asked now and then while the query runs; true ends it with UMX_ERR_CANCELLED. May be NULL. */
    bool (*cancelled)(void *user);
    void *user;
};

int umx_query_run(struct umx_state *state, const struct umx_query *query, struct umx_error *err);

/* For fill: one record of the table. */
int umx_query_add(struct umx_query_sink *sink, const ProtobufCMessage *record, struct umx_error *err);

#endif
