#include "store/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/heap.h"
#include "store/query_guard.h"
#include "store/query_views.h"
#include "store/state.h"
#include "store/state_table.h"

static const char what[] = "query";

/* One query while it runs. */
struct run {
    const struct umx_query *query;
    sqlite3 *db;
    sqlite3_stmt *statement;
    struct umx_query_guard guard;
    struct umx_text names; /* the columns as JSON keys, each with its colon and a NUL behind */
    struct umx_text json;
    size_t rows;
    size_t output;
};

struct umx_query_sink {
    sqlite3 *db;
    sqlite3_stmt *insert;
    const struct umx_table *table;
    struct umx_text scratch;
};

/* SQLite's code as an error: forbidden, over a limit, or wrong SQL. */
static int refuse(struct run *run, int rc, struct umx_error *err)
{
    const char *message = sqlite3_errmsg(run->db);

    if (run->guard.refused[0] != '\0')
        return umx_fail_code(err, UMX_ERR_SQL_FORBIDDEN, rc, what, "%s is not allowed", run->guard.refused);
    switch (rc & 0xff) {
    case SQLITE_AUTH:
        return umx_fail_code(err, UMX_ERR_SQL_FORBIDDEN, rc, what, "%s", message);
    case SQLITE_INTERRUPT:
        if (run->guard.stopped)
            return umx_fail_code(err, UMX_ERR_CANCELLED, rc, what, NULL);
        return umx_fail_code(err, UMX_ERR_SQL_LIMIT, rc, what, "its time was over");
    case SQLITE_TOOBIG:
        return umx_fail_code(err, UMX_ERR_SQL_LIMIT, rc, what, "a value or row is longer than %d bytes",
                             UMX_QUERY_MAX_VALUE);
    case SQLITE_NOMEM:
        if (umx_heap_refused())
            return umx_fail_code(err, UMX_ERR_SQL_LIMIT, rc, what, "it needs more memory than its maximum");
        return umx_fail_code(err, UMX_ERR_MEMORY, rc, what, NULL);
    case SQLITE_ERROR:
        return umx_fail_code(err, UMX_ERR_SQL_INVALID, rc, what, "%s", message);
    default:
        return umx_database_fail(run->db, rc, UMX_ERR_STORE_OPEN, err);
    }
}

static int connect_to(const char *path, sqlite3 **db, struct umx_error *err)
{
    int rc = sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

    if (rc != SQLITE_OK)
        return umx_fail_code(err, UMX_ERR_STORE_OPEN, rc, path, "%s",
                             *db != NULL ? sqlite3_errmsg(*db) : sqlite3_errstr(rc));
    sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(*db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    /* The tables of JSON's elements come into being at their first use, which the authorizer would take for a write. */
    return umx_database_run(*db,
                            "PRAGMA temp_store=MEMORY;PRAGMA busy_timeout=2000;"
                            "SELECT 1 FROM json_each('[]'), json_tree('[]')",
                            err);
}

static bool is_live(const struct umx_query *query, const struct umx_table *table)
{
    for (size_t i = 0; i < query->live_count; i++)
        if (query->live[i] == table)
            return true;
    return false;
}

/* Empty tables in the connection's own memory for what state.db has not, the servers that were picked, and what the
 * query sees of all: the views. */
static int make_tables(struct run *run, struct umx_error *err)
{
    const struct umx_query *query = run->query;
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    struct umx_text sql = {0};

    int status = umx_query_views_begin(run->db, query, err);
    umx_text_adds(&sql, "BEGIN;");
    for (size_t t = 0; t < count; t++) {
        bool own = tables[t].derived || is_live(query, &tables[t]);
        if (own) {
            umx_state_add_definition(&sql, "CREATE TEMP TABLE _", &tables[t], "");
            umx_text_adds(&sql, ";");
        }
        umx_query_views_add(&sql, query, &tables[t], t, own);
    }
    umx_text_adds(&sql, "COMMIT");
    if (status == UMX_OK)
        status = sql.failed ? umx_fail(err, UMX_ERR_MEMORY, what, NULL)
                            : umx_database_run(run->db, umx_text_string(&sql), err);
    umx_text_free(&sql);
    return status;
}

int umx_query_add(struct umx_query_sink *sink, const ProtobufCMessage *record, struct umx_error *err)
{
    if (record->descriptor != sink->table->record)
        return umx_fail(err, UMX_ERR_INTERNAL, sink->table->name, "a record of another table");
    int rc = umx_state_bind(sink->insert, record, &sink->scratch);
    if (rc == SQLITE_OK)
        return umx_database_finish(sink->db, sink->insert, err);
    return umx_database_fail(sink->db, rc, UMX_ERR_SQL_LIMIT, err);
}

static int fill_table(struct run *run, const struct umx_table *table, struct umx_error *err)
{
    struct umx_query_sink sink = {.db = run->db, .table = table};
    struct umx_text sql = {0};

    umx_text_addf(&sql, "INSERT INTO temp._%s VALUES(", table->name);
    for (unsigned i = 0; i < table->record->n_fields; i++)
        umx_text_adds(&sql, i > 0 ? ", ?" : "?");
    umx_text_adds(&sql, ")");
    int status = sql.failed ? umx_fail(err, UMX_ERR_MEMORY, what, NULL)
                            : umx_database_prepare(run->db, umx_text_string(&sql), &sink.insert, err);
    if (status == UMX_OK)
        status = run->query->fill(run->query->user, table, &sink, err);
    sqlite3_finalize(sink.insert);
    umx_text_free(&sink.scratch);
    umx_text_free(&sql);
    if (status != UMX_OK && umx_heap_refused())
        return umx_fail(err, UMX_ERR_SQL_LIMIT, table->name, "it needs more memory than its maximum");
    return status;
}

/* The statement is prepared once to learn which tables it reads; those get their rows before it runs. Filling is not
 * the user's work: the guard steps aside meanwhile. */
static int fill_tables(struct run *run, struct umx_error *err)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    int status = UMX_OK;

    sqlite3_set_authorizer(run->db, NULL, NULL);
    sqlite3_progress_handler(run->db, 0, NULL, NULL);
    sqlite3_limit(run->db, SQLITE_LIMIT_VARIABLE_NUMBER, UMX_GUARD_TABLES);
    sqlite3_limit(run->db, SQLITE_LIMIT_LENGTH, UMX_MAX_RECORD);
    if (run->query->fill != NULL)
        status = umx_database_run(run->db, "BEGIN", err);
    for (size_t t = 0; status == UMX_OK && run->query->fill != NULL && t < count && t < UMX_GUARD_TABLES; t++)
        if (run->guard.wanted[t] && is_live(run->query, &tables[t]))
            status = fill_table(run, &tables[t], err);
    if (run->query->fill != NULL)
        umx_database_run(run->db, "COMMIT", NULL);
    umx_query_guard_set(run->db, &run->guard);
    return status;
}

/* Nothing but space, semicolons and comments may follow. */
static int prepare(struct run *run, struct umx_error *err)
{
    const char *tail;
    sqlite3_stmt *more = NULL;
    int rc = sqlite3_prepare_v3(run->db, run->query->sql, -1, 0, &run->statement, &tail);

    if (rc != SQLITE_OK)
        return refuse(run, rc, err);
    if (run->statement == NULL)
        return umx_fail(err, UMX_ERR_SQL_INVALID, what, "there is no statement");
    if (sqlite3_stmt_isexplain(run->statement) != 0)
        return umx_fail(err, UMX_ERR_SQL_FORBIDDEN, what, "EXPLAIN is not allowed");
    if (!sqlite3_stmt_readonly(run->statement) || sqlite3_column_count(run->statement) == 0)
        return umx_fail(err, UMX_ERR_SQL_FORBIDDEN, what, "anything but SELECT is not allowed");
    while (*tail != '\0' && strchr(" \t\r\n;", *tail) != NULL)
        tail++;
    rc = sqlite3_prepare_v3(run->db, tail, -1, 0, &more, NULL);
    bool second = more != NULL || rc != SQLITE_OK;
    sqlite3_finalize(more);
    return second ? umx_fail(err, UMX_ERR_SQL_INVALID, what, "one statement at a time") : UMX_OK;
}

static bool named_before(sqlite3_stmt *statement, int column, const char *name)
{
    for (int i = 0; i < column; i++)
        if (strcmp(sqlite3_column_name(statement, i), name) == 0)
            return true;
    return false;
}

static int read_names(struct run *run, struct umx_error *err)
{
    int columns = sqlite3_column_count(run->statement);

    for (int i = 0; i < columns; i++) {
        const char *name = sqlite3_column_name(run->statement, i);
        struct umx_text unique = {0};
        if (name == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, what, NULL);
        umx_text_adds(&unique, name);
        if (named_before(run->statement, i, name))
            umx_text_addf(&unique, "_%d", i + 1);
        umx_reflect_json_string(&run->names, umx_text_string(&unique));
        umx_text_add(&run->names, ":", 2);
        run->names.failed |= unique.failed;
        umx_text_free(&unique);
    }
    return run->names.failed ? umx_fail(err, UMX_ERR_MEMORY, what, NULL) : UMX_OK;
}

static void add_value(struct umx_text *json, sqlite3_stmt *statement, int column)
{
    char real[40];

    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        umx_text_addf(json, "%lld", (long long)sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        sqlite3_snprintf(sizeof real, real, "%!.17g", sqlite3_column_double(statement, column));
        umx_text_adds(json, strpbrk(real, "IN") == NULL ? real : "null");
        break;
    case SQLITE_TEXT:
        umx_reflect_json_string(json, (const char *)sqlite3_column_text(statement, column));
        break;
    case SQLITE_BLOB:
        umx_text_adds(json, "\"");
        umx_text_add_hex(json, sqlite3_column_blob(statement, column), (size_t)sqlite3_column_bytes(statement, column));
        umx_text_adds(json, "\"");
        break;
    default:
        umx_text_adds(json, "null");
    }
}

static int give_row(struct run *run, struct umx_error *err)
{
    const char *name = umx_text_string(&run->names);
    int columns = sqlite3_column_count(run->statement);
    size_t max_rows = run->query->max_rows != 0 ? run->query->max_rows : UMX_QUERY_MAX_ROWS;

    if (run->rows++ == max_rows)
        return umx_fail(err, UMX_ERR_SQL_LIMIT, what, "more than %zu rows", max_rows);
    run->json.length = 0;
    for (int i = 0; i < columns; i++) {
        umx_text_adds(&run->json, i == 0 ? "{" : ",");
        umx_text_adds(&run->json, name);
        name += strlen(name) + 1;
        add_value(&run->json, run->statement, i);
    }
    umx_text_adds(&run->json, "}");
    if (run->json.failed)
        return umx_fail(err, UMX_ERR_MEMORY, what, NULL);
    run->output += run->json.length;
    if (run->output > UMX_QUERY_MAX_OUTPUT)
        return umx_fail(err, UMX_ERR_SQL_LIMIT, what, "more than %d bytes of rows", UMX_QUERY_MAX_OUTPUT);
    return run->query->row(run->query->user, run->json.data, run->json.length);
}

static int step_all(struct run *run, struct umx_error *err)
{
    for (;;) {
        int rc = sqlite3_step(run->statement);
        if (rc == SQLITE_DONE)
            return UMX_OK;
        if (rc != SQLITE_ROW)
            return refuse(run, rc, err);
        int status = give_row(run, err);
        if (status != UMX_OK)
            return status;
        /* A slow reader of rows does not enter SQLite often enough for the progress handler to look. */
        if (umx_clock_monotonic() >= run->guard.until)
            return umx_fail(err, UMX_ERR_SQL_LIMIT, what, "its time was over");
    }
}

/* What the statement reads, to whoever wants to make it fresh first. */
static int before(struct run *run)
{
    const struct umx_table *wanted[UMX_GUARD_TABLES];
    size_t count;
    size_t n = 0;
    const struct umx_table *tables = umx_reflect_tables(&count);

    if (run->query->before == NULL)
        return UMX_OK;
    for (size_t t = 0; t < count && t < UMX_GUARD_TABLES; t++)
        if (run->guard.wanted[t])
            wanted[n++] = &tables[t];
    return run->query->before(run->query->user, wanted, n);
}

int umx_query_run(struct umx_state *state, const struct umx_query *query, struct umx_error *err)
{
    struct run run = {.query = query};
    int64_t deadline = query->deadline > 0 ? query->deadline : 30 * UMX_SECOND;

    run.guard.until = umx_clock_monotonic() + deadline;
    run.guard.cancelled = query->cancelled;
    run.guard.user = query->user;
    if (strlen(query->sql) > UMX_QUERY_MAX_SQL)
        return umx_fail(err, UMX_ERR_SQL_LIMIT, what, "more than %d bytes of SQL", UMX_QUERY_MAX_SQL);
    umx_heap_begin(query->max_heap != 0 ? query->max_heap : UMX_QUERY_MAX_HEAP);
    int status = connect_to(umx_state_path(state), &run.db, err);
    if (status == UMX_OK)
        status = make_tables(&run, err);
    if (status == UMX_OK) {
        umx_query_guard_set(run.db, &run.guard);
        status = prepare(&run, err);
    }
    if (status == UMX_OK) {
        status = before(&run);
        run.guard.until = umx_clock_monotonic() + deadline;
    }
    if (status == UMX_OK)
        status = fill_tables(&run, err);
    if (status == UMX_OK)
        status = read_names(&run, err);
    if (status == UMX_OK)
        status = step_all(&run, err);
    sqlite3_finalize(run.statement);
    sqlite3_close(run.db);
    umx_heap_end();
    umx_text_free(&run.names);
    umx_text_free(&run.json);
    return status;
}
