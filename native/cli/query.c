#include "cli/commands.h"
#include "cli/value.h"

enum { COLUMNS_MAX = 64 };

static void view_silent(struct umx_cli *cli, const json_t *silent)
{
    for (size_t i = 0; i < json_array_size(silent); i++) {
        const json_t *row = json_array_get(silent, i);
        fprintf(cli->err, "umx: no answer from %s: %s\n", umx_value_string(row, "agent"),
                umx_value_string(row, "reason"));
    }
}

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    const json_t *rows = umx_document_array(document, "rows");
    struct umx_output_column columns[COLUMNS_MAX];
    size_t count = 0;
    const char *key;
    json_t *value;

    json_object_foreach(json_array_get(rows, 0), key, value)
    {
        if (count == COLUMNS_MAX)
            break;
        columns[count++] = (struct umx_output_column){key, key, json_is_number(value) ? (unsigned)UMX_GRID_RIGHT : 0U};
    }
    umx_output_records(cli, rows, columns, count);
    fprintf(cli->err, "%zu row%s\n", json_array_size(rows), json_array_size(rows) == 1 ? "" : "s");
}

UMX_COMMAND(query)
{
    json_t *arguments = json_object();
    struct umx_document document = {0};
    int status;

    umx_json_text(arguments, "sql", umx_args_operand(args, 0));
    status = umx_json_number(arguments, "timeout", umx_args_value(args, "--timeout"), "--timeout", err);
    if (status != 0) {
        json_decref(arguments);
        return status;
    }
    status = umx_call(cli, "query", arguments, NULL, &document, err);
    if (status == 0)
        status = umx_output(cli, &document, view, err);
    if (status == 0 && cli->format != UMX_CLI_JSON)
        view_silent(cli, umx_document_array(&document, "silent"));
    if (status == 0 && (document.partial || json_array_size(umx_document_array(&document, "silent")) > 0))
        status = UMX_EXIT_PARTIAL;
    umx_document_close(&document);
    return status;
}
