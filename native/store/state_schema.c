/* Tables of state.db follow the schema: made when missing, built anew when their columns changed. */
#include <stdlib.h>
#include <string.h>

#include "store/state_internal.h"
#include "store/state_table.h"

/* Statements built from names of the schema only. */
static int run_text(sqlite3 *db, struct umx_text *sql, struct umx_error *err)
{
    int status =
        sql->failed ? umx_fail(err, UMX_ERR_MEMORY, "state", NULL) : umx_database_run(db, umx_text_string(sql), err);

    umx_text_free(sql);
    return status;
}

static int create(sqlite3 *db, const struct umx_table *table, struct umx_error *err)
{
    static const char *const keys[] = {"server", "forest"};
    struct umx_text sql = {0};

    umx_state_add_definition(&sql, "CREATE TABLE _", table, ", _record BLOB");
    umx_text_addf(&sql, ";CREATE VIEW %s AS SELECT ", table->name);
    umx_state_add_columns(&sql, table);
    umx_text_addf(&sql, " FROM _%s", table->name);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (protobuf_c_message_descriptor_get_field_by_name(table->record, keys[i]) != NULL)
            umx_text_addf(&sql, ";CREATE INDEX _%s_%s ON _%s(%s)", table->name, keys[i], table->name, keys[i]);
    return run_text(db, &sql, err);
}

/* The text with which the table was made, compared with the one of today. */
static int is_current(sqlite3 *db, const struct umx_table *table, bool *exists, bool *current, struct umx_error *err)
{
    struct umx_text expected = {0};
    struct umx_text name = {0};
    sqlite3_stmt *row = NULL;
    int status = umx_database_prepare(db, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", &row, err);

    *exists = *current = false;
    umx_text_addf(&name, "_%s", table->name);
    umx_state_add_definition(&expected, "CREATE TABLE _", table, ", _record BLOB");
    if (status == UMX_OK && (name.failed || expected.failed))
        status = umx_fail(err, UMX_ERR_MEMORY, "state", NULL);
    if (status == UMX_OK) {
        sqlite3_bind_text(row, 1, umx_text_string(&name), -1, SQLITE_STATIC);
        int rc = sqlite3_step(row);
        *exists = rc == SQLITE_ROW;
        if (*exists) {
            const char *sql = (const char *)sqlite3_column_text(row, 0);
            *current = sql != NULL && strcmp(sql, umx_text_string(&expected)) == 0;
        } else if (rc != SQLITE_DONE) {
            status = umx_database_fail(db, rc, UMX_ERR_STORE_OPEN, err);
        }
    }
    sqlite3_finalize(row);
    umx_text_free(&name);
    umx_text_free(&expected);
    return status;
}

static int prepare_insert(struct umx_state *state, const struct umx_table *table, sqlite3_stmt **out,
                          struct umx_error *err)
{
    struct umx_text sql = {0};

    umx_text_addf(&sql, "INSERT INTO _%s VALUES(", table->name);
    for (unsigned i = 0; i < table->record->n_fields; i++)
        umx_text_adds(&sql, "?, ");
    umx_text_adds(&sql, "?)");
    int status = sql.failed ? umx_fail(err, UMX_ERR_MEMORY, "state", NULL)
                            : umx_database_prepare(state->db, umx_text_string(&sql), out, err);
    umx_text_free(&sql);
    return status;
}

/* A record that this schema cannot read any more is left out: it is reported again. */
static int move_records(struct umx_state *state, const struct umx_table *table, struct umx_error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = SQLITE_DONE;
    int status = umx_database_prepare(state->db, "SELECT _record FROM _old ORDER BY rowid", &row, err);

    while (status == UMX_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        struct umx_arena *arena = NULL;
        ProtobufCMessage *record;
        if (umx_state_unpack(table, row, 0, &arena, &record, NULL) == UMX_OK)
            status = umx_state_insert(state, table, record, err);
        umx_arena_free(arena);
    }
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = umx_database_fail(state->db, rc, UMX_ERR_STORE_OPEN, err);
    sqlite3_finalize(row);
    return status;
}

static int rebuild(struct umx_state *state, const struct umx_table *table, struct umx_error *err)
{
    struct umx_text sql = {0};
    sqlite3_stmt **insert = &state->insert[table - umx_reflect_tables(&(size_t){0})];

    /* What the records could not say before is asked for again: no digest is known any more. */
    umx_text_addf(&sql,
                  "DROP VIEW IF EXISTS %s;DROP INDEX IF EXISTS _%s_server;DROP INDEX IF EXISTS _%s_forest;"
                  "DELETE FROM _digest WHERE name = '%s';ALTER TABLE _%s RENAME TO _old",
                  table->name, table->name, table->name, table->name, table->name);
    int status = run_text(state->db, &sql, err);
    if (status == UMX_OK)
        status = create(state->db, table, err);
    if (status == UMX_OK)
        status = prepare_insert(state, table, insert, err);
    if (status == UMX_OK)
        status = move_records(state, table, err);
    if (status == UMX_OK)
        status = umx_database_run(state->db, "DROP TABLE _old", err);
    return status;
}

static int settle_table(struct umx_state *state, const struct umx_table *table, struct umx_error *err)
{
    sqlite3_stmt **insert = &state->insert[table - umx_reflect_tables(&(size_t){0})];
    bool exists;
    bool current;
    int status = is_current(state->db, table, &exists, &current, err);

    if (status == UMX_OK && !exists)
        status = create(state->db, table, err);
    else if (status == UMX_OK && !current)
        status = rebuild(state, table, err);
    if (status == UMX_OK && *insert == NULL)
        status = prepare_insert(state, table, insert, err);
    return status;
}

int umx_state_settle(struct umx_state *state, struct umx_error *err)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);

    state->insert = calloc(count, sizeof *state->insert);
    state->merge = calloc(count, sizeof *state->merge);
    if (state->insert == NULL || state->merge == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, state->path, NULL);
    int status = umx_state_begin(state, err);
    if (status == UMX_OK)
        status = umx_database_run(state->db,
                                  "CREATE TABLE IF NOT EXISTS _digest(agent TEXT, name TEXT, server TEXT, digest BLOB,"
                                  " PRIMARY KEY(agent, name)) WITHOUT ROWID",
                                  err);
    for (size_t t = 0; status == UMX_OK && t < count && !tables[t].derived; t++)
        status = settle_table(state, &tables[t], err);
    if (status == UMX_OK)
        return umx_state_commit(state, err);
    umx_state_rollback(state);
    return status;
}
