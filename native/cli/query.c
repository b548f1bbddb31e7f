#include "cli/commands.h"
#include "cli/value.h"

enum { COLUMNS_MAX = 64, SILENT_SHOWN = 10 };

/* Thousands of lines would push the answer off the screen; -o json has all of them. */
static void view_silent(struct umx_cli *cli, const json_t *silent)
{
    size_t count = json_array_size(silent);

    for (size_t i = 0; i < count && i < SILENT_SHOWN; i++) {
        const json_t *row = json_array_get(silent, i);
        fprintf(cli->err, "umx: no answer from %s: %s\n", umx_value_string(row, "agent"),
                umx_value_string(row, "reason"));
    }
    if (count > SILENT_SHOWN)
        fprintf(cli->err, "umx: no answer from %zu more; -o json names all of them\n", count - SILENT_SHOWN);
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

/* The options that a question has, saved or not. */
static int add_options(json_t *arguments, const struct umx_args *args, struct umx_error *err)
{
    if (umx_args_flag(args, "--live"))
        json_object_set_new(arguments, "live", json_true());
    umx_json_text(arguments, "where", umx_args_value(args, "--where"));
    return umx_json_number(arguments, "timeout", umx_args_value(args, "--timeout"), "--timeout", err);
}

/* Who did not answer comes last, after the rows, and in every format but JSON, which has it inside. */
static int ask(struct umx_cli *cli, const struct umx_args *args, json_t *arguments, struct umx_error *err)
{
    struct umx_document document = {0};
    int status = add_options(arguments, args, err);

    if (status != 0) {
        json_decref(arguments);
        return status;
    }
    status = umx_call(cli, "query", arguments, NULL, &document, err);
    if (status == 0)
        status = umx_output(cli, &document, view, err);
    if (status == 0 && cli->format != UMX_CLI_JSON) {
        const json_t *silent = umx_document_array(&document, "silent");
        view_silent(cli, silent);
        if (umx_args_flag(args, "--live"))
            fprintf(cli->err, "%lld of %lld agents answered\n", umx_value_integer(document.root, "answered"),
                    umx_value_integer(document.root, "asked"));
    }
    if (status == 0 && (document.partial || json_array_size(umx_document_array(&document, "silent")) > 0))
        status = UMX_EXIT_PARTIAL;
    umx_document_close(&document);
    return status;
}

UMX_COMMAND(query)
{
    json_t *arguments = json_object();

    umx_json_text(arguments, "sql", umx_args_operand(args, 0));
    return ask(cli, args, arguments, err);
}

UMX_COMMAND(query_run)
{
    json_t *arguments = json_object();

    umx_json_text(arguments, "name", umx_args_operand(args, 0));
    return ask(cli, args, arguments, err);
}

static void view_queries(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"name", "NAME", UMX_GRID_FIXED}, {"description", "ANSWERS", 0}};
    const json_t *queries = umx_document_array(document, "queries");
    json_t *shown = json_array();

    for (size_t i = 0; i < json_array_size(queries); i++) {
        const json_t *query = json_array_get(queries, i);
        const char *description = umx_value_string(query, "description");
        json_array_append_new(shown, json_pack("{s:s,s:s}", "name", umx_value_string(query, "name"), "description",
                                               description[0] != '\0' ? description : umx_value_string(query, "sql")));
    }
    umx_output_records(cli, shown, columns, 2);
    json_decref(shown);
}

UMX_COMMAND(query_list)
{
    (void)args;
    return umx_output_call(cli, "query.list", NULL, view_queries, err);
}

static void view_saved(struct umx_cli *cli, const struct umx_document *document)
{
    const json_t *query = json_array_get(umx_document_array(document, "queries"), 0);

    fprintf(cli->out, "saved: umx query run %s\n", umx_value_string(query, "name"));
}

UMX_COMMAND(query_save)
{
    json_t *arguments = json_object();

    umx_json_text(arguments, "name", umx_args_operand(args, 0));
    umx_json_text(arguments, "sql", umx_args_operand(args, 1));
    umx_json_text(arguments, "description", umx_args_value(args, "--description"));
    if (umx_args_flag(args, "--replace"))
        json_object_set_new(arguments, "replace", json_true());
    return umx_output_call(cli, "query.save", arguments, view_saved, err);
}

UMX_COMMAND(query_delete)
{
    json_t *arguments = json_object();

    umx_json_text(arguments, "name", umx_args_operand(args, 0));
    return umx_output_call(cli, "query.delete", arguments, umx_output_deleted, err);
}
