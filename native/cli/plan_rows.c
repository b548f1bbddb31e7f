#include "cli/plan_rows.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/value.h"
#include "phases/phases.h"

enum { VALUE_FILE_MAX = 64 * 1024, NAME_MAX_LENGTH = 64, FILES_MAX = 32 };

/* ---- --input */

static void show_problems(struct umx_cli *cli, const struct umx_input *input)
{
    for (size_t i = 0; i < json_array_size(input->problems); i++) {
        const json_t *problem = json_array_get(input->problems, i);
        json_t *body =
            json_pack("{s:s,s:s,s:s,s:s,s:i}", "id", "UMX-1313", "what", umx_value_string(problem, "place"), "why",
                      umx_value_string(problem, "why"), "remedy", "correct the row", "status", UMX_E_ARGUMENT);
        umx_progress_problem(cli, "error", body);
        json_decref(body);
    }
}

int umx_plan_rows_read(struct umx_cli *cli, const struct umx_args *args, struct umx_input *input, struct umx_error *err)
{
    const char *table = umx_args_value(args, "--table"), *path;
    int status = 0;

    if (table != NULL && umx_input_type(table) == NULL)
        return umx_fail(err, UMX_ERR_USAGE, "--table", "`%s` is none of dial_plan, auto_attendant, user, contact",
                        table);
    for (size_t i = 0; status == 0 && (path = umx_args_nth(args, "--input", i)) != NULL; i++) {
        status = i < FILES_MAX ? umx_input_read(input, path, table, err)
                               : umx_fail(err, UMX_ERR_USAGE, "--input", "more than %d files", FILES_MAX);
        if (input->root == NULL && status == 0)
            input->root = json_object();
    }
    if (status != 0 || input->problem_count == 0)
        return status;
    show_problems(cli, input);
    return umx_fail(err, UMX_ERR_INPUT_INVALID, "--input", "%zu cell%s or row%s cannot be used%s", input->problem_count,
                    input->problem_count == 1 ? "" : "s", input->problem_count == 1 ? "" : "s",
                    input->problem_count > json_array_size(input->problems) ? "; the first are named above" : "");
}

void umx_plan_rows_name(struct umx_cli *cli, const struct umx_input *input)
{
    for (size_t i = 0; cli->format == UMX_CLI_TABLE && umx_input_table(i) != NULL; i++)
        if (input->files[i] != NULL)
            fprintf(cli->err, "umx: rows of %s are those of %s\n", umx_input_table(i), input->files[i]);
}

/* ---- --value, --file */

static int add_value(json_t *list, const char *text, struct umx_text *value, struct umx_error *err)
{
    size_t name = strcspn(text, "=");
    struct umx_text whole = {0};

    umx_text_add(&whole, text, name);
    umx_text_addf(&whole, "=%s", umx_text_string(value));
    int status = whole.failed || json_array_append_new(list, json_string(umx_text_string(&whole))) != 0
                     ? umx_fail(err, UMX_ERR_USAGE, text, "it is not UTF-8")
                     : 0;
    umx_text_free(&whole);
    return status;
}

static int check_name(const char *option, const char *text, struct umx_error *err)
{
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz_") /* as the references to it are written */;

    if (name == 0 || name > NAME_MAX_LENGTH || text[name] != '=')
        return umx_fail(err, UMX_ERR_USAGE, option, "`%s` is not of the form NAME=%s", text,
                        strcmp(option, "--file") == 0 ? "PATH" : "TEXT");
    return 0;
}

static int read_value(const char *path, struct umx_text *value, struct umx_error *err)
{
    struct umx_text bytes = {0};
    int status = umx_input_file(path, VALUE_FILE_MAX, &bytes, err);

    if (status == 0 && bytes.length == 0)
        status = umx_fail(err, UMX_ERR_INPUT_INVALID, path, "it is empty");
    else if (status == 0 && umx_text_valid(bytes.data, bytes.length))
        umx_text_add(value, bytes.data, bytes.length);
    else if (status == 0) {
        unsigned char *encoded = calloc(1, bytes.length * 4 / 3 + 8);
        if (encoded == NULL)
            status = umx_fail(err, UMX_ERR_MEMORY, path, NULL);
        else
            umx_text_add(value, encoded,
                         (size_t)EVP_EncodeBlock(encoded, (const unsigned char *)bytes.data, (int)bytes.length));
        free(encoded);
    }
    umx_text_free(&bytes);
    return status;
}

int umx_plan_values(json_t *arguments, const struct umx_args *args, struct umx_error *err)
{
    static const char *const options[] = {"--value", "--file"};
    json_t *list = json_array();
    const char *text;
    int status = list != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, "--value", NULL);

    for (size_t o = 0; o < 2; o++)
        for (size_t i = 0; status == 0 && (text = umx_args_nth(args, options[o], i)) != NULL; i++) {
            struct umx_text value = {0};
            status = check_name(options[o], text, err);
            if (status == 0 && o == 1)
                status = read_value(strchr(text, '=') + 1, &value, err);
            else if (status == 0)
                umx_text_adds(&value, strchr(text, '=') + 1);
            if (status == 0)
                status = add_value(list, text, &value, err);
            umx_text_free(&value);
        }
    if (status == 0 && json_array_size(list) > 0)
        json_object_set(arguments, "value", list);
    json_decref(list);
    return status;
}

/* ---- plan template */

/* Whether one of the phases asked for takes rows of the table. */
static bool is_asked(const struct umx_args *args, const char *table)
{
    const char *slug;
    bool asked = false;

    for (size_t i = 0; (slug = umx_args_nth(args, "--phase", i)) != NULL; i++) {
        const struct umx_phase *phase = umx_phase(slug);
        const char *at = phase != NULL ? phase->rows : NULL;
        for (size_t length; at != NULL && *at != '\0'; at += length + strspn(at + length, " ")) {
            length = strcspn(at, " ");
            asked = asked || (strlen(table) == length && memcmp(at, table, length) == 0);
        }
    }
    return asked;
}

/* The one table of a CSV file: the one named, else the only one with rows, else the only one the phases take. */
static int choose_table(const json_t *root, const char *table, const struct umx_args *args, const char **chosen,
                        struct umx_error *err)
{
    struct umx_text tables = {0};
    size_t count = 0;

    *chosen = table;
    for (int with_rows = 1; table == NULL && count == 0 && with_rows >= 0; with_rows--)
        for (size_t i = 0; umx_input_table(i) != NULL; i++) {
            bool there = json_array_size(json_object_get(root, umx_input_table(i))) > 0;
            if (with_rows == 1 ? !there : !is_asked(args, umx_input_table(i)))
                continue;
            *chosen = umx_input_table(i);
            umx_text_addf(&tables, "%s%s", count++ > 0 ? ", " : "", umx_input_table(i));
        }
    int status = table != NULL || count == 1
                     ? 0
                     : umx_fail(err, UMX_ERR_TEMPLATE_TABLES, "plan template",
                                count > 0 ? "the rows are of %s" : "there is no row%s", umx_text_string(&tables));
    umx_text_free(&tables);
    return status;
}

int umx_plan_template_print(struct umx_cli *cli, const json_t *root, const char *table, char separator,
                            const struct umx_args *args, struct umx_error *err)
{
    struct umx_text text = {0};
    json_t *shown = json_object();
    int status = shown != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, "plan template", NULL);

    for (size_t i = 0; status == 0 && umx_input_table(i) != NULL; i++) {
        json_t *rows = json_object_get(root, umx_input_table(i));
        for (size_t r = 0; r < json_array_size(rows); r++)
            json_object_del(json_array_get(rows, r), "row"); /* the line is that of the file it is read from */
        if (table == NULL || strcmp(table, umx_input_table(i)) == 0)
            json_object_set(shown, umx_input_table(i), rows);
    }
    if (status == 0 && cli->format == UMX_CLI_CSV) {
        status = choose_table(shown, table, args, &table, err);
        if (status == 0)
            umx_input_write_csv(&text, table, separator, json_object_get(shown, table));
    } else if (status == 0) {
        char *json = json_dumps(shown, JSON_INDENT(2));
        umx_text_addf(&text, "%s\n", json != NULL ? json : "");
        text.failed = text.failed || json == NULL;
        free(json);
    }
    json_decref(shown);
    if (status == 0 && text.failed)
        status = umx_fail(err, UMX_ERR_MEMORY, "plan template", NULL);
    if (status == 0 && (fwrite(text.data, 1, text.length, cli->out) != text.length || fflush(cli->out) != 0))
        status = umx_fail(err, UMX_ERR_FILE_UNWRITABLE, "standard output", NULL);
    umx_text_free(&text);
    return status;
}

UMX_COMMAND(plan_template)
{
    const char *table = umx_args_value(args, "--table"), *separator = umx_args_value(args, "--separator");
    struct umx_document document = {0};
    json_t *arguments;

    if (table != NULL && umx_input_type(table) == NULL)
        return umx_fail(err, UMX_ERR_USAGE, "--table", "`%s` is none of dial_plan, auto_attendant, user, contact",
                        table);
    if (separator != NULL && strcmp(separator, ",") != 0 && strcmp(separator, ";") != 0)
        return umx_fail(err, UMX_ERR_USAGE, "--separator", "`%s` is neither , nor ;", separator);
    if (cli->format == UMX_CLI_JSONL)
        return umx_fail(err, UMX_ERR_USAGE, "-o", "a template is json or csv");
    arguments = json_object();
    umx_json_list(arguments, "phase", args, "--phase");
    umx_json_list(arguments, "pair", args, "--pair");
    umx_json_list(arguments, "set", args, "--set");
    int status = umx_call(cli, "plan.template", arguments, NULL, &document, err);
    if (status == 0)
        status = umx_plan_template_print(cli, document.root, table, separator != NULL ? separator[0] : ',', args, err);
    if (status == 0 && document.partial)
        status = UMX_EXIT_PARTIAL;
    umx_document_close(&document);
    return status;
}
