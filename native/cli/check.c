#include "cli/commands.h"
#include "cli/findings.h"
#include "cli/value.h"

static int ask(struct umx_cli *cli, const struct umx_args *args, struct umx_document *document, struct umx_error *err)
{
    json_t *arguments = json_object();

    umx_json_list(arguments, "phase", args, "--phase");
    umx_json_list(arguments, "pair", args, "--pair");
    umx_json_list(arguments, "set", args, "--set");
    return umx_call(cli, "check", arguments, NULL, document, err);
}

UMX_COMMAND(check)
{
    const char *snapshot = umx_args_value(args, "--snapshot");
    struct umx_document document = {0};
    int status =
        snapshot != NULL ? umx_findings_of_file(cli, snapshot, args, &document, err) : ask(cli, args, &document, err);

    if (status == 0)
        status =
            umx_output(cli, &document, umx_args_flag(args, "--all") ? umx_findings_view_all : umx_findings_view, err);
    if (status == 0 && umx_value_integer(json_object_get(document.root, "counts"), "fail") > 0)
        status = UMX_EXIT_NO;
    else if (status == 0 && document.partial)
        status = UMX_EXIT_PARTIAL;
    umx_document_close(&document);
    return status;
}
