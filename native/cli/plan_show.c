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

static void view_steps(struct umx_cli *cli, const json_t *steps, bool diff)
{
    static const struct umx_output_column columns[] = {{"id", "STEP", UMX_GRID_FIXED},
                                                       {"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"phase", "PHASE", 0},
                                                       {"kind", "KIND", UMX_GRID_FIXED},
                                                       {"summary", "SUMMARY", 0}};

    if (diff) {
        for (size_t i = 0; i < json_array_size(steps); i++)
            umx_plan_diff_step(cli, json_array_get(steps, i));
        return;
    }
    umx_output_records(cli, steps, columns, 5);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        struct umx_text line = {0};
        if (umx_value_string(step, "error")[0] == '\0')
            continue;
        umx_text_addf(&line, "%s: %s", umx_value_string(step, "id"), umx_value_string(step, "error"));
        umx_grid_paragraph(cli->out, &cli->style, 2, umx_text_string(&line));
        umx_text_free(&line);
    }
}

static void view(struct umx_cli *cli, const struct umx_document *document, bool diff)
{
    static const char *const members[][2] = {
        {"name", "plan"},
        {"state", "state"},
        {"hash", "hash"},
        {"author", "author"},
        {"created_at", "created"},
        {"ticket", "ticket"},
        {"not_before_at", "not before"},
        {"not_after_at", "not after"},
        {"undo_of", "undoes"},
        {"forests", "forests"},
    };
    const json_t *steps = umx_document_array(document, "steps");
    json_t *forests = json_object(); /* in the order of their first step */
    const char *forest;
    json_t *unused;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, document->root, members[i][0], members[i][1]);
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
