#include "cli/commands.h"
#include "cli/plan_view.h"
#include "cli/value.h"

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"sequence", "NO", UMX_GRID_RIGHT | UMX_GRID_FIXED},
                                                       {"written_at", "AT", UMX_GRID_FIXED},
                                                       {"kind", "KIND", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"plan", "PLAN", 0},
                                                       {"step", "STEP", 0},
                                                       {"actor", "ACTOR", 0},
                                                       {"detail", "DETAIL", 0}};

    umx_output_records(cli, umx_document_array(document, "entries"), columns, 7);
}

UMX_COMMAND(audit)
{
    json_t *arguments = json_object();
    int status = umx_json_number(arguments, "limit", umx_args_value(args, "--limit"), "--limit", err);

    umx_json_text(arguments, "plan", umx_args_value(args, "--plan"));
    if (status == 0)
        status = umx_json_number(arguments, "after", umx_args_value(args, "--after"), "--after", err);
    if (status != 0) {
        json_decref(arguments);
        return status;
    }
    return umx_output_call(cli, "audit", arguments, view, err);
}

static void view_verify(struct umx_cli *cli, const struct umx_document *document)
{
    if (json_is_true(json_object_get(document->root, "intact")))
        fprintf(cli->out, "intact: %lld entries\n", umx_value_integer(document->root, "entries"));
    else
        fprintf(cli->out, "BROKEN at entry %lld of %lld\n", umx_value_integer(document->root, "first_bad"),
                umx_value_integer(document->root, "entries"));
    const json_t *witnesses = umx_document_array(document, "witnesses");
    for (size_t i = 0; i < json_array_size(witnesses); i++)
        fprintf(cli->out, "  %s\n", json_string_value(json_array_get(witnesses, i)));
}

UMX_COMMAND(audit_verify)
{
    struct umx_document document = {0};
    int status = umx_call(cli, "audit.verify", NULL, NULL, &document, err);

    (void)args;
    if (status == 0)
        status = umx_output(cli, &document, view_verify, err);
    if (status == 0 && !json_is_true(json_object_get(document.root, "intact")))
        status = UMX_EXIT_NO;
    umx_document_close(&document);
    return status;
}
