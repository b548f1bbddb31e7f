/* Rows of state.db: writing one, replacing those of a key. */
#include <stdlib.h>

#include "store/state_internal.h"
#include "store/state_table.h"

int umx_state_write(struct umx_state *state, sqlite3_stmt *statement, const ProtobufCMessage *record,
                    const uint8_t *bytes, size_t length, struct umx_error *err)
{
    int rc = umx_state_bind(statement, record, &state->scratch);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_blob64(statement, (int)record->descriptor->n_fields + 1, bytes, length, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        return umx_database_finish(state->db, statement, err);
    sqlite3_clear_bindings(statement);
    return umx_database_fail(state->db, rc, UMX_ERR_STORE_WRITE, err);
}

int umx_state_insert(struct umx_state *state, const struct umx_table *table, const ProtobufCMessage *record,
                     struct umx_error *err)
{
    sqlite3_stmt *insert = state->insert[table - umx_reflect_tables(&(size_t){0})];
    uint8_t *bytes;
    size_t length;
    int status = umx_reflect_pack(record, &bytes, &length, err);

    if (status == UMX_OK)
        status = umx_state_write(state, insert, record, bytes, length, err);
    free(bytes);
    return status;
}

static int delete_rows(struct umx_state *state, const struct umx_table *table, const char *column, const char *value,
                       struct umx_error *err)
{
    struct umx_text sql = {0};
    sqlite3_stmt *statement = NULL;

    if (column != NULL && protobuf_c_message_descriptor_get_field_by_name(table->record, column) == NULL)
        return umx_fail(err, UMX_ERR_INTERNAL, table->name, "there is no column %s", column);
    umx_text_addf(&sql, "DELETE FROM _%s", table->name);
    if (column != NULL)
        umx_text_addf(&sql, " WHERE %s IS ?", column);
    int status = sql.failed ? umx_fail(err, UMX_ERR_MEMORY, "state", NULL)
                            : umx_database_prepare(state->db, umx_text_string(&sql), &statement, err);
    if (status == UMX_OK) {
        if (column != NULL)
            sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
        status = umx_database_finish(state->db, statement, err);
    }
    sqlite3_finalize(statement);
    umx_text_free(&sql);
    return status;
}

int umx_state_replace(struct umx_state *state, const struct umx_table *table, const char *key_column,
                      const char *key_value, ProtobufCMessage *const *records, size_t count, struct umx_error *err)
{
    bool own = false;
    int status = UMX_OK;

    if (table->derived)
        return umx_fail(err, UMX_ERR_INTERNAL, table->name, "a derived table is not stored");
    pthread_mutex_lock(&state->mutex);
    if (!state->in_transaction) {
        status = umx_state_begin(state, err);
        own = status == UMX_OK;
    }
    if (status == UMX_OK)
        status = delete_rows(state, table, key_column, key_value, err);
    for (size_t i = 0; status == UMX_OK && i < count; i++)
        status = records[i]->descriptor == table->record
                     ? umx_state_insert(state, table, records[i], err)
                     : umx_fail(err, UMX_ERR_INTERNAL, table->name, "a record of another table");
    if (own && status == UMX_OK)
        status = umx_state_commit(state, err);
    else if (own)
        umx_state_rollback(state);
    pthread_mutex_unlock(&state->mutex);
    return status;
}
