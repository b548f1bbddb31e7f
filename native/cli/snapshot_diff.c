#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/value.h"
#include "cli/world_diff.h"

/* Distinguished names are wider than any column: each record on lines of its own, its fields below it. */
static void view(struct umx_cli *cli, const struct umx_document *document)
{
    const json_t *counts = json_object_get(document->root, "counts");
    const json_t *changes = umx_document_array(document, "changes");
    struct umx_text last = {0};

    fprintf(cli->out, "from %s to %s: %lld added, %lld removed, %lld changed\n",
            umx_value_string(document->root, "from_at"), umx_value_string(document->root, "to_at"),
            umx_value_integer(counts, "added"), umx_value_integer(counts, "removed"),
            umx_value_integer(counts, "changed"));
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        struct umx_text record = {0}, field = {0};

        umx_text_addf(&record, "%s %s  %s", umx_value_string(change, "change"), umx_value_string(change, "table"),
                      umx_value_string(change, "key"));
        if (strcmp(umx_text_string(&record), umx_text_string(&last)) != 0) {
            fputc('\n', cli->out);
            umx_grid_paragraph(cli->out, &cli->style, 0, umx_text_string(&record));
        }
        /* Whole records are for machines. */
        if (!json_is_null(json_object_get(change, "field"))) {
            umx_text_addf(&field, "%s: ", umx_value_string(change, "field"));
            umx_value_add_text(&field, json_object_get(change, "before"));
            umx_text_adds(&field, " -> ");
            umx_value_add_text(&field, json_object_get(change, "after"));
            umx_grid_paragraph(cli->out, &cli->style, 4, umx_text_string(&field));
        }
        umx_text_free(&field);
        umx_text_free(&last);
        last = record;
    }
    umx_text_free(&last);
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
