/* What a user's query may use, and how long. For query.c. */
#ifndef UMX_STORE_QUERY_GUARD_H
#define UMX_STORE_QUERY_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reflect.h"
#include "store/database.h"

enum { UMX_GUARD_TABLES = 128 };

struct umx_query_guard {
    bool wanted[UMX_GUARD_TABLES]; /* tables of umx_reflect_tables that the statement reads */
    char refused[128];             /* what was not allowed, "" when nothing */
    int64_t until;                 /* monotonic clock */
    bool late;
    bool stopped;
    bool (*cancelled)(void *user);
    void *user;
};

/* Limits, authorizer and progress handler. The guard must live as long as the connection. */
void umx_query_guard_set(sqlite3 *db, struct umx_query_guard *guard);

#endif
