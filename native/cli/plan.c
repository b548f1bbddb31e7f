/* A plan's life, but its approval. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/plan_rows.h"
#include "cli/plan_view.h"
#include "cli/value.h"

/* Exit code for the state that a plan ended up in: has it failed, or is it on its way? */
static int exit_of_state(const struct umx_document *document)
{
    return strcmp(umx_value_string(document->root, "state"), "failed") == 0 ? UMX_EXIT_NO : UMX_EXIT_GOOD;
}

/* Runs an operation that answers with the plan. */
static int act(struct umx_cli *cli, const char *operation, json_t *arguments, umx_view *view, struct umx_error *err)
{
    struct umx_document document = {0};
    int status = umx_call(cli, operation, arguments, NULL, &document, err);

    if (status == 0)
        status = umx_output(cli, &document, view, err);
    if (status == 0)
        status = exit_of_state(&document);
    if (status == 0 && document.partial)
        status = UMX_EXIT_PARTIAL;
    umx_document_close(&document);
    return status;
}

void umx_plan_view_state(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const members[][2] = {
        {"name", "plan"}, {"state", "state"}, {"hash", "hash"}, {"forests", "forests"}};
    const json_t *missing = json_object_get(document->root, "missing");

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, document->root, members[i][0], members[i][1]);
    /* One line each: the items have commas and "and" of their own. */
    for (size_t i = 0; i < json_array_size(missing); i++) {
        json_t *item = json_pack("{s:O}", "missing", json_array_get(missing, i));
        umx_output_member(cli, item, "missing", i == 0 ? "still needed" : "");
        json_decref(item);
    }
}

static json_t *named(const struct umx_args *args)
{
    return json_pack("{s:s}", "name", umx_args_operand(args, 0));
}

UMX_COMMAND(plan_create)
{
    json_t *arguments = named(args);
    struct umx_input input = {0};
    int status;

    umx_json_list(arguments, "phase", args, "--phase");
    umx_json_list(arguments, "pair", args, "--pair");
    umx_json_list(arguments, "set", args, "--set");
    status = umx_plan_rows_read(cli, args, &input, err);
    if (status == 0 && input.root != NULL)
        json_object_set(arguments, "input", input.root);
    umx_json_text(arguments, "ticket", umx_args_value(args, "--ticket"));
    if (status == 0)
        status = umx_json_time(arguments, "not_before_at", umx_args_value(args, "--not-before"), "--not-before", err);
    if (status == 0)
        status = umx_json_time(arguments, "not_after_at", umx_args_value(args, "--not-after"), "--not-after", err);
    if (status == 0)
        status =
            umx_json_number(arguments, "max_failures", umx_args_value(args, "--max-failures"), "--max-failures", err);
    if (status == 0)
        status = act(cli, "plan.create", arguments, umx_plan_view, err);
    else
        json_decref(arguments);
    if (status < 0 && err->id == UMX_ERR_INPUT_ROWS)
        umx_plan_rows_name(cli, &input);
    umx_input_close(&input);
    return status;
}

static void view_list(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"name", "PLAN", 0},
                                                       {"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"steps", "STEPS", UMX_GRID_RIGHT | UMX_GRID_FIXED},
                                                       {"verified", "VERIFIED", UMX_GRID_RIGHT | UMX_GRID_FIXED},
                                                       {"failed", "FAILED", UMX_GRID_RIGHT | UMX_GRID_FIXED},
                                                       {"phase", "PHASES", 0},
                                                       {"ticket", "TICKET", 0},
                                                       {"created_at", "CREATED", UMX_GRID_SHORTEN}};

    if (json_array_size(umx_document_array(document, "plans")) == 0)
        fputs("no plans; `umx plan create NAME --phase P` makes one\n", cli->out);
    umx_output_records(cli, umx_document_array(document, "plans"), columns, 8);
}

UMX_COMMAND(plan_list)
{
    (void)args;
    return umx_output_call(cli, "plan.list", NULL, view_list, err);
}

UMX_COMMAND(plan_submit)
{
    return act(cli, "plan.submit", named(args), umx_plan_view_state, err);
}

UMX_COMMAND(plan_start)
{
    json_t *arguments = named(args);

    umx_json_list(arguments, "phase", args, "--phase");
    return act(cli, "plan.start", arguments, umx_plan_view_state, err);
}

UMX_COMMAND(plan_confirm)
{
    json_t *arguments = json_pack("{s:s,s:s}", "name", umx_args_operand(args, 0), "step", umx_args_operand(args, 1));

    umx_json_text(arguments, "comment", umx_args_value(args, "--comment"));
    int status = umx_plan_values(arguments, args, err);
    if (status != 0) {
        json_decref(arguments);
        return status;
    }
    return act(cli, "plan.confirm", arguments, umx_plan_view_state, err);
}

UMX_COMMAND(plan_suspend)
{
    return act(cli, "plan.suspend", named(args), umx_plan_view_state, err);
}

UMX_COMMAND(plan_resume)
{
    return act(cli, "plan.resume", named(args), umx_plan_view_state, err);
}

UMX_COMMAND(plan_cancel)
{
    return act(cli, "plan.cancel", named(args), umx_plan_view_state, err);
}

UMX_COMMAND(plan_undo)
{
    json_t *arguments = named(args);

    umx_json_text(arguments, "undo_name", umx_args_value(args, "--name"));
    umx_json_text(arguments, "to_phase", umx_args_value(args, "--to-phase"));
    return act(cli, "plan.undo", arguments, umx_plan_view, err);
}

UMX_COMMAND(plan_delete)
{
    return umx_output_call(cli, "plan.delete", named(args), umx_output_deleted, err);
}
