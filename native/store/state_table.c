#include "store/state_table.h"

#include <stdio.h>
#include <string.h>

void umx_state_add_columns(struct umx_text *sql, const struct umx_table *table)
{
    for (unsigned i = 0; i < table->record->n_fields; i++)
        umx_text_addf(sql, "%s%s", i > 0 ? ", " : "", table->record->fields[i].name);
}

void umx_state_add_definition(struct umx_text *sql, const char *prefix, const struct umx_table *table, const char *more)
{
    umx_text_addf(sql, "%s%s(", prefix, table->name);
    for (unsigned i = 0; i < table->record->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &table->record->fields[i];
        umx_text_addf(sql, "%s%s %s", i > 0 ? ", " : "", field->name, umx_reflect_column_type(field));
    }
    umx_text_addf(sql, "%s)", more);
}

/* A text that is too long, shortened into buf. */
static const char *shorten(const ProtobufCFieldDescriptor *field, const struct umx_cell *cell, char *buf, size_t size)
{
    static const char ellipsis[] = "\xE2\x80\xA6";

    if (field->label == PROTOBUF_C_LABEL_REPEATED || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        snprintf(buf, size, "\"%zu bytes are too long to show\"", cell->length);
    } else {
        umx_text_copy(buf, size - sizeof ellipsis, cell->text);
        memcpy(buf + strlen(buf), ellipsis, sizeof ellipsis);
    }
    return buf;
}

int umx_state_bind(sqlite3_stmt *insert, const ProtobufCMessage *record, struct umx_text *scratch)
{
    int rc = SQLITE_OK;

    for (unsigned i = 0; i < record->descriptor->n_fields && rc == SQLITE_OK; i++) {
        const ProtobufCFieldDescriptor *field = &record->descriptor->fields[i];
        struct umx_cell cell = umx_reflect_cell(record, field, scratch);
        char shorter[UMX_STATE_MAX_COLUMN];
        int column = (int)i + 1;
        if (scratch->failed)
            return SQLITE_NOMEM;
        if (cell.type == UMX_CELL_INTEGER)
            rc = sqlite3_bind_int64(insert, column, cell.integer);
        else if (cell.type == UMX_CELL_REAL)
            rc = sqlite3_bind_double(insert, column, cell.real);
        else if (cell.type == UMX_CELL_NULL)
            rc = sqlite3_bind_null(insert, column);
        else if (cell.length < sizeof shorter)
            rc = sqlite3_bind_text(insert, column, cell.text, (int)cell.length,
                                   cell.text == umx_text_string(scratch) ? SQLITE_TRANSIENT : SQLITE_STATIC);
        else
            rc =
                sqlite3_bind_text(insert, column, shorten(field, &cell, shorter, sizeof shorter), -1, SQLITE_TRANSIENT);
    }
    return rc;
}
