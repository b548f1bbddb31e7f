#include "store/query_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/query.h"
#include "store/query_views.h"
#include "store/state_table.h"

enum { STEPS_BETWEEN_LOOKS = 1000 };

/* Functions of a query, sorted. Missing on purpose: whatever makes large values out of nothing (zeroblob, randomblob),
 * reads files, loads code, or tells about the machine. */
static const char *const functions[] = {
    "->",
    "->>",
    "abs",
    "avg",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "coalesce",
    "count",
    "cume_dist",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "floor",
    "format",
    "glob",
    "group_concat",
    "hex",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_each",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_quote",
    "json_tree",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "percent_rank",
    "printf",
    "quote",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "strftime",
    "substr",
    "substring",
    "sum",
    "time",
    "total",
    "trim",
    "typeof",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
};

static const struct {
    int limit;
    int value;
} limits[] = {
    {SQLITE_LIMIT_LENGTH, UMX_QUERY_MAX_VALUE},
    {SQLITE_LIMIT_SQL_LENGTH, UMX_QUERY_MAX_SQL},
    {SQLITE_LIMIT_COLUMN, 256},
    {SQLITE_LIMIT_EXPR_DEPTH, 100},
    {SQLITE_LIMIT_COMPOUND_SELECT, 50},
    {SQLITE_LIMIT_VDBE_OP, 100000},
    {SQLITE_LIMIT_FUNCTION_ARG, 64},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 0},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 0},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

static int by_name(const void *key, const void *row)
{
    return strcmp(key, *(const char *const *)row);
}

static bool function_allowed(const char *name)
{
    char lower[32];
    size_t i;

    for (i = 0; i < sizeof lower - 1 && name[i] != '\0'; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    lower[i] = '\0';
    return name[i] == '\0' &&
           bsearch(lower, functions, sizeof functions / sizeof functions[0], sizeof functions[0], by_name) != NULL;
}

/* What the views themselves call. A view of the query's own cannot be made, so that this is one of ours. */
static bool view_function(const char *name, const char *view)
{
    return view != NULL && umx_reflect_table(view) != NULL &&
           (strcmp(name, UMX_VIEW_AGE) == 0 || strcmp(name, UMX_VIEW_STALE) == 0);
}

static int refuse(struct umx_query_guard *guard, const char *what, const char *name)
{
    if (guard->refused[0] == '\0')
        snprintf(guard->refused, sizeof guard->refused, "%s%s%s", what, name != NULL ? " " : "",
                 name != NULL ? name : "");
    return SQLITE_DENY;
}

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* A visible table, its stored half behind the view of the same name, or a table of JSON's elements. A table of which no
 * column is read, as in count(*), is told without column and without view; it may then also be a WITH of the query. */
static int read_table(struct umx_query_guard *guard, const char *table, const char *column, const char *view)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    const char *name = table;

    if (table[0] == '_' && (column[0] == '\0' || (view != NULL && strcmp(table + 1, view) == 0)) &&
        strcmp(column, "_record") != 0)
        name++;
    for (size_t t = 0; t < count; t++) {
        if (strcmp(tables[t].name, name) == 0) {
            guard->wanted[t] = true;
            return SQLITE_OK;
        }
    }
    if (view != NULL && strcmp(table, UMX_VIEW_PICKED) == 0)
        return SQLITE_OK;
    if (strcmp(table, "json_each") == 0 || strcmp(table, "json_tree") == 0)
        return SQLITE_OK;
    if (column[0] == '\0' && table[0] != '_' && !begins(table, "sqlite_") && !begins(table, "pragma_"))
        return SQLITE_OK;
    return refuse(guard, "table", table);
}

static int authorize(void *user, int action, const char *first, const char *second, const char *database,
                     const char *view)
{
    struct umx_query_guard *guard = user;

    (void)database;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_READ:
        return read_table(guard, first, second, view);
    case SQLITE_FUNCTION:
        return function_allowed(second) || view_function(second, view) ? SQLITE_OK : refuse(guard, "function", second);
    case SQLITE_PRAGMA:
        return refuse(guard, "PRAGMA", first);
    case SQLITE_ATTACH:
        return refuse(guard, "ATTACH", NULL);
    default:
        return refuse(guard, "anything but SELECT", NULL);
    }
}

static int look(void *user)
{
    struct umx_query_guard *guard = user;

    guard->late = umx_clock_monotonic() >= guard->until;
    guard->stopped = !guard->late && guard->cancelled != NULL && guard->cancelled(guard->user);
    return guard->late || guard->stopped;
}

void umx_query_guard_set(sqlite3 *db, struct umx_query_guard *guard)
{
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(db, limits[i].limit, limits[i].value);
    sqlite3_set_authorizer(db, authorize, guard);
    sqlite3_progress_handler(db, STEPS_BETWEEN_LOOKS, look, guard);
}
