#include <string.h>

#include "base/added.h"
#include "base/reflect.h"
#include "cli/commands.h"

static int add_tables(struct umx_document *document, struct umx_error *err)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    struct umx_added_column added[UMX_ADDED_MAX];
    int status = 0;

    for (size_t i = 0; status == 0 && i < count; i++)
        status = umx_document_item(document, "tables",
                                   json_pack("{s:s,s:i,s:s}", "name", tables[i].name, "columns",
                                             (int)(tables[i].record->n_fields + umx_added_columns(&tables[i], added)),
                                             "comment", umx_reflect_comment(tables[i].record->short_name, NULL)),
                                   err);
    return status;
}

static int add_column(struct umx_document *document, const char *name, const char *type, const char *kind,
                      const char *comment, struct umx_error *err)
{
    return umx_document_item(
        document, "columns",
        json_pack("{s:s,s:s,s:s,s:s}", "name", name, "type", type, "kind", kind, "comment", comment), err);
}

/* Of a column that is in no record: `stale` is 1 or 0. */
static const char *added_kind(const struct umx_added_column *column)
{
    if (strcmp(column->name, "stale") == 0)
        return "truth";
    if (strcmp(column->name, "collected_at") == 0)
        return "time";
    return strcmp(column->type, "INTEGER") == 0 ? "integer" : "text";
}

static int add_columns(struct umx_document *document, const struct umx_table *table, struct umx_error *err)
{
    struct umx_added_column added[UMX_ADDED_MAX];
    size_t count = umx_added_columns(table, added);
    int status = umx_document_set(document, "name", json_string(table->name), err);

    if (status == 0)
        status = umx_document_set(document, "comment",
                                  json_string(umx_reflect_comment(table->record->short_name, NULL)), err);
    for (unsigned i = 0; status == 0 && i < table->record->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &table->record->fields[i];
        struct umx_text meaning = {0};
        umx_column_meaning(table, field, &meaning);
        status = add_column(document, field->name, umx_reflect_column_type(field), umx_reflect_column_kind(field),
                            umx_text_string(&meaning), err);
        umx_text_free(&meaning);
    }
    for (size_t i = 0; status == 0 && i < count; i++)
        status = add_column(document, added[i].name, added[i].type, added_kind(&added[i]), added[i].comment, err);
    return status;
}

static void view_tables(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"name", "TABLE", UMX_GRID_FIXED}, {"comment", "HOLDS", 0}};

    umx_output_records(cli, umx_document_array(document, "tables"), columns, 2);
}

static void view_columns(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {
        {"name", "COLUMN", UMX_GRID_FIXED}, {"type", "TYPE", UMX_GRID_FIXED}, {"comment", "MEANING", 0}};

    umx_grid_paragraph(cli->out, &cli->style, 0, json_string_value(json_object_get(document->root, "comment")));
    fputc('\n', cli->out);
    umx_output_records(cli, umx_document_array(document, "columns"), columns, 3);
}

UMX_COMMAND(tables)
{
    const char *name = umx_args_operand(args, 0);
    const struct umx_table *table = name != NULL ? umx_reflect_table(name) : NULL;
    struct umx_document document;

    if (name != NULL && table == NULL)
        return umx_fail(err, UMX_ERR_TABLE_UNKNOWN, name, NULL);
    int status = umx_document_open(&document, table != NULL ? "table" : "tables", err);
    if (status == 0)
        status = table != NULL ? add_columns(&document, table, err) : add_tables(&document, err);
    if (status == 0)
        status = umx_output(cli, &document, table != NULL ? view_columns : view_tables, err);
    umx_document_close(&document);
    return status;
}
