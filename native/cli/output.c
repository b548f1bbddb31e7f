#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/csv.h"
#include "cli/value.h"

enum { COLUMNS_MAX = 64 };

static int put_json(struct umx_cli *cli, const json_t *value, size_t flags)
{
    if (json_dumpf(value, cli->out, flags) != 0)
        return -1;
    return fputc('\n', cli->out) == EOF ? -1 : 0;
}

static int put_jsonl(struct umx_cli *cli, const struct umx_document *document)
{
    const json_t *records = document->primary != NULL ? umx_document_array(document, document->primary) : NULL;

    if (document->primary == NULL)
        return put_json(cli, document->root, JSON_COMPACT);
    for (size_t i = 0; i < json_array_size(records); i++)
        if (put_json(cli, json_array_get(records, i), JSON_COMPACT) != 0)
            return -1;
    return 0;
}

static int put_csv(struct umx_cli *cli, const struct umx_document *document)
{
    if (document->primary != NULL)
        return umx_csv_print(cli->out, umx_document_array(document, document->primary));
    json_t *one = json_pack("[O]", document->root);
    int result = one != NULL ? umx_csv_print(cli->out, one) : -1;
    json_decref(one);
    return result;
}

int umx_output(struct umx_cli *cli, const struct umx_document *document, umx_view *view, struct umx_error *err)
{
    int result = 0;

    umx_progress_clear(cli);
    switch (cli->format) {
    case UMX_CLI_JSON:
        result = put_json(cli, document->root, JSON_INDENT(2));
        break;
    case UMX_CLI_JSONL:
        result = put_jsonl(cli, document);
        break;
    case UMX_CLI_CSV:
        result = put_csv(cli, document);
        break;
    case UMX_CLI_TABLE:
        view(cli, document);
        break;
    }
    if (result != 0 || fflush(cli->out) != 0 || ferror(cli->out))
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, "standard output", NULL);
    return 0;
}

void umx_output_deleted(struct umx_cli *cli, const struct umx_document *document)
{
    fprintf(cli->out, "deleted: %s\n", umx_value_string(document->root, "name"));
}

void umx_output_records(struct umx_cli *cli, const json_t *records, const struct umx_output_column *columns,
                        size_t count)
{
    struct umx_grid_column heads[COLUMNS_MAX];
    struct umx_text cells[COLUMNS_MAX] = {{0}};
    const char *texts[COLUMNS_MAX];

    count = count < COLUMNS_MAX ? count : COLUMNS_MAX;
    for (size_t c = 0; c < count; c++)
        heads[c] = (struct umx_grid_column){columns[c].title, columns[c].flags};
    struct umx_grid *grid = umx_grid_new(heads, count);
    for (size_t r = 0; grid != NULL && r < json_array_size(records); r++) {
        for (size_t c = 0; c < count; c++) {
            cells[c].length = 0;
            if (cells[c].data != NULL)
                cells[c].data[0] = '\0';
            umx_value_add_text(&cells[c], json_object_get(json_array_get(records, r), columns[c].key));
            texts[c] = umx_text_string(&cells[c]);
        }
        umx_grid_add(grid, texts);
    }
    if (grid == NULL || umx_grid_print(grid, cli->out, &cli->style) != 0)
        fputs("umx: out of memory\n", cli->err);
    umx_grid_free(grid);
    for (size_t c = 0; c < count; c++)
        umx_text_free(&cells[c]);
}

void umx_output_member(struct umx_cli *cli, const json_t *object, const char *key, const char *label)
{
    enum { VALUES_AT = 13 };
    struct umx_text text = {0};

    umx_value_add_text(&text, json_object_get(object, key));
    if (text.length > 0)
        umx_grid_labelled(cli->out, &cli->style, label, VALUES_AT, umx_text_string(&text));
    umx_text_free(&text);
}
