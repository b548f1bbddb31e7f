#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/value.h"
#include "cli/world_diff.h"
#include "cli/world_words.h"

static void put_line(struct umx_cli *cli, const json_t *change)
{
    struct umx_text line = {0};
    const char *name = umx_value_string(change, "name"), *field = umx_value_string(change, "field");

    umx_world_words_label(&line, umx_value_string(change, "table"));
    umx_text_addf(&line, "%s%s: ", name[0] != '\0' ? " " : "", name);
    if (field[0] == '\0') { /* whole records are for machines */
        umx_text_adds(&line, umx_value_string(change, "change"));
    } else {
        umx_world_words_label(&line, field);
        umx_text_adds(&line, " ");
        umx_world_words_change(&line, json_object_get(change, "before"), json_object_get(change, "after"));
    }
    umx_grid_paragraph(cli->out, &cli->style, 2, umx_text_string(&line));
    umx_text_free(&line);
}

/* By forest or server, each in the order of the tables. */
void umx_snapshot_diff_view(struct umx_cli *cli, const struct umx_document *document)
{
    const json_t *counts = json_object_get(document->root, "counts");
    const json_t *changes = umx_document_array(document, "changes");
    json_t *places = json_object(), *lines;
    const char *place;

    fprintf(cli->out, "from %s to %s: %lld added, %lld removed, %lld changed\n",
            umx_value_string(document->root, "from_at"), umx_value_string(document->root, "to_at"),
            umx_value_integer(counts, "added"), umx_value_integer(counts, "removed"),
            umx_value_integer(counts, "changed"));
    for (size_t i = 0; i < json_array_size(changes); i++) {
        json_t *change = json_array_get(changes, i);
        place = umx_value_string(change, "place");
        if (json_object_get(places, place) == NULL)
            json_object_set_new(places, place, json_array());
        json_array_append(json_object_get(places, place), change);
    }
    json_object_foreach(places, place, lines)
    {
        fputc('\n', cli->out);
        umx_grid_paragraph(cli->out, &cli->style, 0, place);
        for (size_t i = 0; i < json_array_size(lines); i++)
            put_line(cli, json_array_get(lines, i));
    }
    json_decref(places);
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
        status = umx_output(cli, &document, umx_snapshot_diff_view, err);
    umx_document_close(&document);
    umx_world_free(a);
    umx_world_free(b);
    return status;
}
