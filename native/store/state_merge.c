/* What a server reports of a table: only the rows that differ are written, in their places, so that indexes and the
 * rest of the file stay as they are. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/state_internal.h"
#include "store/state_table.h"

enum { SERVER = 1 };
enum column { ROWID, COLLECTED_AT, FOREST, RECORD };

static const char *const indexed[] = {"server", "forest"};

void umx_state_merge_end(struct umx_state_merge *merge)
{
    sqlite3_finalize(merge->stored);
    sqlite3_finalize(merge->update);
    sqlite3_finalize(merge->remove);
    *merge = (struct umx_state_merge){0};
}

static const ProtobufCFieldDescriptor *field_of(const struct umx_table *table, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(table->record, name);
}

static bool is_indexed(const char *name)
{
    for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++)
        if (strcmp(indexed[i], name) == 0)
            return true;
    return false;
}

/* Parameters have the numbers of the fields, as for an insert; those of indexed columns are bound and not used. */
static void add_update(struct umx_text *sql, const struct umx_table *table)
{
    unsigned fields = table->record->n_fields;

    umx_text_addf(sql, "UPDATE _%s SET _record = ?%u", table->name, fields + 1);
    for (unsigned i = 0; i < fields; i++)
        if (!is_indexed(table->record->fields[i].name))
            umx_text_addf(sql, ", %s = ?%u", table->record->fields[i].name, i + 1);
    umx_text_addf(sql, " WHERE rowid = ?%u", fields + 2);
}

static int prepare(struct umx_state *state, struct umx_text *sql, sqlite3_stmt **out, struct umx_error *err)
{
    int status = sql->failed ? umx_fail(err, UMX_ERR_MEMORY, "state", NULL)
                             : umx_database_prepare(state->db, umx_text_string(sql), out, err);

    umx_text_free(sql);
    return status;
}

static int prepare_all(struct umx_state *state, const struct umx_table *table, struct umx_state_merge *merge,
                       struct umx_error *err)
{
    struct umx_text sql = {0};

    if (merge->remove != NULL)
        return UMX_OK;
    umx_text_addf(&sql, "SELECT rowid, %s, %s, _record FROM _%s WHERE server = ? ORDER BY rowid",
                  field_of(table, "collected_at") != NULL ? "collected_at" : "NULL",
                  field_of(table, "forest") != NULL ? "forest" : "NULL", table->name);
    int status = prepare(state, &sql, &merge->stored, err);
    add_update(&sql, table);
    status = status == UMX_OK ? prepare(state, &sql, &merge->update, err) : status;
    umx_text_free(&sql);
    umx_text_addf(&sql, "DELETE FROM _%s WHERE rowid = ?", table->name);
    status = status == UMX_OK ? prepare(state, &sql, &merge->remove, err) : status;
    umx_text_free(&sql);
    if (status != UMX_OK)
        umx_state_merge_end(merge);
    return status;
}

/* ---- the rows that are stored, and the records that take their places */

struct row {
    int64_t id;
    bool stays; /* a record takes its place, and its columns with an index are that one's too */
    bool same;  /* it is that record, but for the time */
};

struct rows {
    struct row *list;
    size_t count;
    size_t room;
};

static bool same_forest(const struct umx_table *table, sqlite3_stmt *stored, const ProtobufCMessage *record)
{
    const ProtobufCFieldDescriptor *field = field_of(table, "forest");
    const char *was = (const char *)sqlite3_column_text(stored, FOREST);
    const char *is = NULL;

    if (field == NULL)
        return true;
    memcpy(&is, (const char *)record + field->offset, sizeof is);
    return was != NULL && is != NULL ? strcmp(was, is) == 0 : was == is;
}

/* Packs the record as it would be had it been collected when the stored row was. */
static int compare(const struct umx_table *table, sqlite3_stmt *stored, ProtobufCMessage *record, bool *same,
                   struct umx_error *err)
{
    const ProtobufCFieldDescriptor *field = field_of(table, "collected_at");
    const char *text = (const char *)sqlite3_column_text(stored, COLLECTED_AT);
    uint8_t *bytes;
    size_t length;
    int64_t now = 0, then;

    *same = false;
    if (field == NULL || text == NULL || umx_clock_parse(text, &then) != 0)
        return UMX_OK;
    memcpy(&now, (char *)record + field->offset, sizeof now);
    memcpy((char *)record + field->offset, &then, sizeof then);
    int status = umx_reflect_pack(record, &bytes, &length, err);
    memcpy((char *)record + field->offset, &now, sizeof now);
    if (status == UMX_OK)
        *same = length == (size_t)sqlite3_column_bytes(stored, RECORD) && length > 0 &&
                memcmp(bytes, sqlite3_column_blob(stored, RECORD), length) == 0;
    free(bytes);
    return status;
}

static int add_row(struct rows *rows, const struct umx_table *table, sqlite3_stmt *stored, ProtobufCMessage *record,
                   struct umx_error *err)
{
    if (rows->count == rows->room) {
        size_t larger = rows->room > 0 ? rows->room * 2 : 32;
        struct row *moved = realloc(rows->list, larger * sizeof *moved);
        if (moved == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, table->name, NULL);
        rows->list = moved;
        rows->room = larger;
    }
    struct row *row = &rows->list[rows->count++];
    *row = (struct row){.id = sqlite3_column_int64(stored, ROWID),
                        .stays = record != NULL && same_forest(table, stored, record)};
    return row->stays ? compare(table, stored, record, &row->same, err) : UMX_OK;
}

/* All of them before the first is changed: a statement must not walk over what others change. */
static int read_rows(struct umx_state *state, const struct umx_table *table, sqlite3_stmt *stored, const char *server,
                     ProtobufCMessage *const *records, size_t count, struct rows *rows, struct umx_error *err)
{
    int rc = sqlite3_bind_text(stored, SERVER, server, -1, SQLITE_STATIC);
    int status = UMX_OK;

    while (rc == SQLITE_OK && status == UMX_OK && (rc = sqlite3_step(stored)) == SQLITE_ROW) {
        status = add_row(rows, table, stored, rows->count < count ? records[rows->count] : NULL, err);
        rc = SQLITE_OK;
    }
    if (status == UMX_OK && rc != SQLITE_DONE)
        status = umx_database_fail(state->db, rc, UMX_ERR_STORE_WRITE, err);
    sqlite3_reset(stored);
    sqlite3_clear_bindings(stored);
    return status;
}

static int remove_row(struct umx_state *state, struct umx_state_merge *merge, int64_t id, struct umx_error *err)
{
    sqlite3_bind_int64(merge->remove, 1, id);
    return umx_database_finish(state->db, merge->remove, err);
}

static int change_row(struct umx_state *state, const struct umx_table *table, struct umx_state_merge *merge, int64_t id,
                      const ProtobufCMessage *record, struct umx_error *err)
{
    uint8_t *bytes;
    size_t length;
    int status = umx_reflect_pack(record, &bytes, &length, err);

    if (status == UMX_OK) {
        sqlite3_bind_int64(merge->update, (int)table->record->n_fields + 2, id);
        status = umx_state_write(state, merge->update, record, bytes, length, err);
    }
    free(bytes);
    return status;
}

int umx_state_merge(struct umx_state *state, const struct umx_table *table, const char *server,
                    ProtobufCMessage *const *records, size_t count, struct umx_error *err)
{
    struct umx_state_merge *merge = &state->merge[table - umx_reflect_tables(&(size_t){0})];
    struct rows rows = {0};

    if (table->derived || field_of(table, "server") == NULL)
        return umx_fail(err, UMX_ERR_INTERNAL, table->name, "no server reports it");
    for (size_t i = 0; i < count; i++)
        if (records[i]->descriptor != table->record)
            return umx_fail(err, UMX_ERR_INTERNAL, table->name, "a record of another table");
    int status = prepare_all(state, table, merge, err);
    if (status == UMX_OK)
        status = read_rows(state, table, merge->stored, server, records, count, &rows, err);
    /* From the first row on that belongs to another forest than before, all are written anew, behind the others: their
     * order is that of the records. */
    size_t kept = 0;
    while (kept < rows.count && kept < count && rows.list[kept].stays)
        kept++;
    for (size_t i = kept; status == UMX_OK && i < rows.count; i++)
        status = remove_row(state, merge, rows.list[i].id, err);
    for (size_t i = 0; status == UMX_OK && i < kept; i++)
        status = rows.list[i].same ? UMX_OK : change_row(state, table, merge, rows.list[i].id, records[i], err);
    for (size_t i = kept; status == UMX_OK && i < count; i++)
        status = umx_state_insert(state, table, records[i], err);
    free(rows.list);
    return status;
}
