/* What a step has answered: all of it, or one field as it is, to be put into a file (a certificate request). */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/value.h"
#include "cli/width.h"

static const json_t *find_step(const struct umx_document *plan, const char *id)
{
    const json_t *steps = umx_document_array(plan, "steps");

    for (size_t i = 0; i < json_array_size(steps); i++)
        if (strcmp(umx_value_string(json_array_get(steps, i), "id"), id) == 0)
            return json_array_get(steps, i);
    return NULL;
}

/* An action answers item by item, and the detail of each is JSON where it has fields; a gate has what it was given. A
 * new reference: an array of objects, of other things what they are. */
static json_t *answers_of(const json_t *step)
{
    json_t *result = json_loads(umx_value_string(step, "result"), 0, NULL);
    json_t *answers = json_array();
    size_t i;
    json_t *item;

    if (json_is_object(result))
        json_array_append(answers, result);
    json_array_foreach(result, i, item)
    {
        json_t *detail = json_loads(umx_value_string(item, "detail"), 0, NULL);
        if (detail == NULL)
            detail = json_object_get(item, "detail") != NULL ? json_incref(json_object_get(item, "detail")) : NULL;
        if (detail != NULL)
            json_array_append_new(answers, detail);
    }
    json_decref(result);
    return answers;
}

/* A text as it is, with its lines, but nothing that a terminal obeys; ends with a newline. */
static void put_text(struct umx_cli *cli, const char *text)
{
    struct umx_text clean = {0};

    umx_width_add_printable(&clean, text);
    fprintf(cli->out, "%s%s", umx_text_string(&clean),
            clean.length > 0 && clean.data[clean.length - 1] == '\n' ? "" : "\n");
    umx_text_free(&clean);
}

static int put_field(struct umx_cli *cli, const json_t *answers, const char *step, const char *field,
                     struct umx_error *err)
{
    bool found = false;

    for (size_t i = 0; i < json_array_size(answers); i++) {
        const char *value = json_string_value(json_object_get(json_array_get(answers, i), field));
        if (value != NULL)
            put_text(cli, value);
        found = found || value != NULL;
    }
    return found ? 0 : umx_fail(err, UMX_ERR_RESULT_MISSING, step, "no field %.60s", field);
}

static void put_all(struct umx_cli *cli, const json_t *answers)
{
    for (size_t i = 0; i < json_array_size(answers); i++) {
        const json_t *answer = json_array_get(answers, i);
        const char *key;
        json_t *value;
        if (json_is_string(answer))
            put_text(cli, json_string_value(answer));
        json_object_foreach((json_t *)(uintptr_t)answer, key, value)
        {
            struct umx_text line = {0};
            umx_text_addf(&line, "%s: ", key);
            umx_value_add_text(&line, value);
            put_text(cli, umx_text_string(&line));
            umx_text_free(&line);
        }
    }
}

UMX_COMMAND(plan_result)
{
    const char *id = umx_args_operand(args, 1), *field = umx_args_operand(args, 2);
    struct umx_document document = {0};
    json_t *answers = NULL;
    int status =
        umx_call(cli, "plan.show", json_pack("{s:s}", "name", umx_args_operand(args, 0)), NULL, &document, err);
    const json_t *step = status == 0 ? find_step(&document, id) : NULL;

    if (status == 0 && step == NULL)
        status = umx_fail(err, UMX_ERR_STEP_UNKNOWN, id, NULL);
    if (status == 0) {
        answers = answers_of(step);
        if (json_array_size(answers) == 0)
            status = umx_fail(err, UMX_ERR_RESULT_MISSING, id, "it is %s", umx_value_string(step, "state"));
        else if (field != NULL)
            status = put_field(cli, answers, id, field, err);
        else if (cli->format == UMX_CLI_TABLE)
            put_all(cli, answers);
        else
            status = json_dumpf(answers, cli->out, JSON_INDENT(2)) == 0 && fputc('\n', cli->out) != EOF
                         ? 0
                         : umx_fail(err, UMX_ERR_FILE_UNWRITABLE, "standard output", NULL);
    }
    json_decref(answers);
    umx_document_close(&document);
    return status;
}
