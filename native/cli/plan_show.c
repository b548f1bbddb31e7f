#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/plan_view.h"
#include "cli/value.h"
#include "cli/width.h"

static void view_strings(struct umx_cli *cli, const char *title, const json_t *lines)
{
    if (json_array_size(lines) == 0)
        return;
    fprintf(cli->out, "\n%s\n", title);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const char *line = json_string_value(json_array_get(lines, i));
        umx_grid_paragraph(cli->out, &cli->style, 2, line != NULL ? line : "");
    }
}

static void view_approvals(struct umx_cli *cli, const json_t *approvals)
{
    static const struct umx_output_column columns[] = {{"decision", "DECISION", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"forest", "FOREST", UMX_GRID_FIXED},
                                                       {"name", "WHO", UMX_GRID_FIXED},
                                                       {"expires_at", "EXPIRES", UMX_GRID_FIXED},
                                                       {"ticket", "TICKET", 0},
                                                       {"comment", "COMMENT", 0}};

    if (json_array_size(approvals) == 0)
        return;
    fputs("\nAPPROVALS\n", cli->out);
    umx_output_records(cli, approvals, columns, 6);
}

static json_t *steps_of(const json_t *steps, const char *forest)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < json_array_size(steps); i++)
        if (strcmp(umx_value_string(json_array_get(steps, i), "forest"), forest) == 0)
            json_array_append(rows, json_array_get(steps, i));
    return rows;
}

/* "denied" of "denied: the writer may not create gateways". */
static size_t first_word(const char *text)
{
    return strcspn(text, " :,;");
}

/* The steps that the writer account may not do, or where that is not known: once for each reason. */
static void view_permissions(struct umx_cli *cli, const json_t *steps)
{
    json_t *reasons = json_object(); /* reason -> ids */
    const char *reason;
    json_t *ids;

    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *permission = umx_value_string(step, "permission");
        if (permission[0] == '\0' || strcmp(permission, "allowed") == 0)
            continue;
        if (json_object_get(reasons, permission) == NULL)
            json_object_set_new(reasons, permission, json_array());
        json_array_append(json_object_get(reasons, permission), json_object_get(step, "id"));
    }
    json_object_foreach(reasons, reason, ids)
    {
        struct umx_text line = {0};
        umx_value_add_text(&line, ids);
        umx_text_addf(&line, ": writer account %s", reason);
        umx_grid_paragraph(cli->out, &cli->style, 2, umx_text_string(&line));
        umx_text_free(&line);
    }
    json_decref(reasons);
}

/* The table with one column more where something is known about the writer account. */
static void view_table(struct umx_cli *cli, const json_t *steps)
{
    static const struct umx_output_column columns[] = {{"id", "STEP", UMX_GRID_FIXED},
                                                       {"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"phase", "PHASE", 0},
                                                       {"kind", "KIND", UMX_GRID_FIXED},
                                                       {"summary", "SUMMARY", 0}},
                                          with_writer[] = {{"id", "STEP", UMX_GRID_FIXED},
                                                           {"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                           {"writer", "WRITER", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                           {"phase", "PHASE", 0},
                                                           {"kind", "KIND", UMX_GRID_FIXED},
                                                           {"summary", "SUMMARY", 0}};
    json_t *rows = json_array();
    bool known = false;

    for (size_t i = 0; i < json_array_size(steps); i++) {
        json_t *row = json_copy(json_array_get(steps, i));
        const char *permission = umx_value_string(row, "permission");
        known = known || permission[0] != '\0';
        json_object_set_new(row, "writer", json_stringn(permission, first_word(permission)));
        json_array_append_new(rows, row);
    }
    if (known)
        umx_output_records(cli, rows, with_writer, 6);
    else
        umx_output_records(cli, steps, columns, 5);
    json_decref(rows);
}

static void view_steps(struct umx_cli *cli, const json_t *steps, bool diff)
{
    if (diff) {
        for (size_t i = 0; i < json_array_size(steps); i++)
            umx_plan_diff_step(cli, json_array_get(steps, i));
        return;
    }
    view_table(cli, steps);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        struct umx_text line = {0};
        if (umx_value_string(step, "error")[0] == '\0')
            continue;
        umx_text_addf(&line, "%s: %s", umx_value_string(step, "id"), umx_value_string(step, "error"));
        umx_grid_paragraph(cli->out, &cli->style, 2, umx_text_string(&line));
        umx_text_free(&line);
    }
    view_permissions(cli, steps);
}

/* Commands stand unwrapped on lines of their own: they are there to be copied. Who plans a step does not know the
 * plan's name: the word PLAN stands for it in commands of umx. */
static void put_command(struct umx_cli *cli, const char *before, const char *plan, const char *command)
{
    static const char own[] = "umx plan ";
    struct umx_text line = {0};
    const char *word = strncmp(command, own, sizeof own - 1) == 0 ? strstr(command, " PLAN ") : NULL;

    if (word != NULL) {
        struct umx_text named = {0};
        umx_text_addf(&named, "%.*s %s%s", (int)(word - command), command, plan, word + strlen(" PLAN"));
        umx_width_add_printable(&line, umx_text_string(&named));
        umx_text_free(&named);
    } else {
        umx_width_add_printable(&line, command);
    }
    for (size_t i = 0; i < line.length; i++)
        if (line.data[i] == '\n')
            line.data[i] = ' ';
    fprintf(cli->out, "%s%s\n", before, umx_text_string(&line));
    umx_text_free(&line);
}

/* Options of `plan confirm` for what later steps take from the gate: somewhere in them stands "@s9.certificate". */
static void add_wanted(struct umx_text *out, const json_t *steps, const char *gate)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    json_t *names = json_object();
    struct umx_text reference = {0};

    umx_text_addf(&reference, "\"@%s.", gate);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        char *text = json_dumps(json_array_get(steps, i), JSON_COMPACT);
        for (const char *at = text; at != NULL && (at = strstr(at, umx_text_string(&reference))) != NULL;) {
            at += reference.length;
            json_t *name = json_stringn(at, strspn(at, letters));
            if (json_string_length(name) > 0 && json_object_get(names, json_string_value(name)) == NULL) {
                bool file = strcmp(json_string_value(name), "certificate") == 0;
                umx_text_addf(out, file ? " --file %s=PATH" : " --value %s=TEXT", json_string_value(name));
                json_object_set_new(names, json_string_value(name), json_true());
            }
            json_decref(name);
        }
        free(text);
    }
    umx_text_free(&reference);
    json_decref(names);
}

void umx_plan_view_gate(struct umx_cli *cli, const char *plan, const json_t *steps, const json_t *step)
{
    const json_t *gate = json_object_get(json_object_get(step, "change"), "gate");
    const json_t *commands = json_object_get(gate, "command");
    struct umx_text line = {0};

    umx_text_addf(&line, "%s (%s): %s", umx_value_string(step, "id"), umx_value_string(step, "forest"),
                  umx_value_string(step, "summary"));
    umx_grid_paragraph(cli->out, &cli->style, 2, umx_text_string(&line));
    if (umx_value_string(gate, "reason")[0] != '\0' &&
        strcmp(umx_value_string(gate, "reason"), umx_value_string(step, "summary")) != 0)
        umx_grid_paragraph(cli->out, &cli->style, 4, umx_value_string(gate, "reason"));
    bool said = false;
    for (size_t i = 0; i < json_array_size(commands); i++) {
        const char *command = json_string_value(json_array_get(commands, i));
        put_command(cli, "      ", plan, command);
        said = said || strncmp(command, "umx plan confirm ", strlen("umx plan confirm ")) == 0;
    }
    line.length = 0;
    umx_text_addf(&line, "umx plan confirm %s %s", plan, umx_value_string(step, "id"));
    add_wanted(&line, steps, umx_value_string(step, "id"));
    umx_text_adds(&line, " --comment TEXT");
    if (!said)
        put_command(cli, "    then: ", plan, umx_text_string(&line));
    umx_text_free(&line);
}

/* What people have to do by hand, as long as it is not done. */
static void view_gates(struct umx_cli *cli, const char *plan, const json_t *steps)
{
    bool titled = false;

    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *state = umx_value_string(step, "state");
        if (strcmp(umx_value_string(step, "kind"), "gate") != 0 || strcmp(state, "verified") == 0 ||
            strcmp(state, "skipped") == 0)
            continue;
        if (!titled)
            fputs("\nBY HAND\n", cli->out);
        titled = true;
        umx_plan_view_gate(cli, plan, steps, step);
    }
}

/* "12 user, 3 contact" */
static void view_rows(struct umx_cli *cli, const json_t *rows)
{
    struct umx_text line = {0};
    const char *table;
    json_t *count;

    json_object_foreach((json_t *)(uintptr_t)rows, table, count) if (json_integer_value(count) > 0)
        umx_text_addf(&line, "%s%lld %s", line.length > 0 ? ", " : "", (long long)json_integer_value(count), table);
    json_t *shown = json_pack("{s:s}", "rows", umx_text_string(&line));
    umx_output_member(cli, shown, "rows", "input rows");
    json_decref(shown);
    umx_text_free(&line);
}

static void view(struct umx_cli *cli, const struct umx_document *document, bool diff)
{
    const char *author = umx_value_string(document->root, "author_name")[0] != '\0' ? "author_name" : "author";
    const char *const members[][2] = {
        {"name", "plan"},
        {"state", "state"},
        {"hash", "hash"},
        {author, "author"},
        {"created_at", "created"},
        {"ticket", "ticket"},
        {"not_before_at", "not before"},
        {"not_after_at", "not after"},
        {"undo_of", "undoes"},
        {"phases", "phases"},
        {"options", "options"},
        {"forests", "forests"},
    };
    const json_t *steps = umx_document_array(document, "steps");
    json_t *forests = json_object(); /* in the order of their first step */
    const char *forest;
    json_t *unused;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, document->root, members[i][0], members[i][1]);
    view_rows(cli, json_object_get(document->root, "rows"));
    view_strings(cli, "STILL NEEDED", umx_document_array(document, "missing"));
    view_approvals(cli, umx_document_array(document, "approvals"));
    for (size_t i = 0; i < json_array_size(steps); i++)
        json_object_set_new(forests, umx_value_string(json_array_get(steps, i), "forest"), json_true());
    json_object_foreach(forests, forest, unused)
    {
        struct umx_text title = {0};
        json_t *rows = steps_of(steps, forest);
        (void)unused;
        umx_width_add_printable(&title, forest);
        fprintf(cli->out, "\nFOREST %s\n", umx_text_string(&title));
        view_steps(cli, rows, diff);
        json_decref(rows);
        umx_text_free(&title);
    }
    if (json_array_size(steps) == 0)
        fputs("\nno steps: what the phases ask for is already there\n", cli->out);
    if (!diff)
        view_gates(cli, umx_value_string(document->root, "name"), steps);
    view_strings(cli, "NOTES", umx_document_array(document, "notes"));
    json_decref(forests);
}

void umx_plan_view(struct umx_cli *cli, const struct umx_document *document)
{
    view(cli, document, false);
}

void umx_plan_view_diff(struct umx_cli *cli, const struct umx_document *document)
{
    view(cli, document, true);
}

UMX_COMMAND(plan_show)
{
    json_t *arguments = json_pack("{s:s}", "name", umx_args_operand(args, 0));

    return umx_output_call(cli, "plan.show", arguments,
                           umx_args_flag(args, "--diff") ? umx_plan_view_diff : umx_plan_view, err);
}
