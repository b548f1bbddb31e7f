#include "base/clock.h"
#include "cli/commands.h"
#include "cli/value.h"
#include "cli/world_diff.h"

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"change", "CHANGE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"table", "TABLE", 0},
                                                       {"key", "RECORD", 0},
                                                       {"field", "FIELD", 0},
                                                       {"before", "BEFORE", 0},
                                                       {"after", "AFTER", 0}};
    const json_t *counts = json_object_get(document->root, "counts");
    json_t *shown = json_array();

    fprintf(cli->out, "from %s to %s: %lld added, %lld removed, %lld changed\n",
            umx_value_string(document->root, "from_at"), umx_value_string(document->root, "to_at"),
            umx_value_integer(counts, "added"), umx_value_integer(counts, "removed"),
            umx_value_integer(counts, "changed"));
    /* Whole records are for machines. */
    for (size_t i = 0; i < json_array_size(umx_document_array(document, "changes")); i++) {
        json_t *row = json_copy(json_array_get(umx_document_array(document, "changes"), i));
        if (json_is_null(json_object_get(row, "field"))) {
            json_object_set_new(row, "before", json_null());
            json_object_set_new(row, "after", json_null());
        }
        json_array_append_new(shown, row);
    }
    if (json_array_size(shown) > 0)
        fputc('\n', cli->out);
    umx_output_records(cli, shown, columns, 6);
    json_decref(shown);
}

static int set_time(struct umx_document *document, const char *key, int64_t at, struct umx_error *err)
{
    char text[UMX_CLOCK_TEXT];

    return umx_document_set(document, key, json_string(umx_clock_format(at, text)), err);
}

UMX_COMMAND(snapshot_diff)
{
    struct umx_world *a = NULL, *b = NULL;
    struct umx_document document = {0};
    int status = umx_world_load(umx_args_operand(args, 0), &a, err);

    if (status == 0)
        status = umx_world_load(umx_args_operand(args, 1), &b, err);
    if (status == 0)
        status = umx_document_open(&document, "snapshot.diff", err);
    if (status == 0)
        status = set_time(&document, "from_at", umx_world_records(a)->taken_at, err);
    if (status == 0)
        status = set_time(&document, "to_at", umx_world_records(b)->taken_at, err);
    if (status == 0)
        status = umx_world_diff(umx_world_records(a), umx_world_records(b), &document, err);
    if (status == 0)
        status = umx_output(cli, &document, view, err);
    umx_document_close(&document);
    umx_world_free(a);
    umx_world_free(b);
    return status;
}
