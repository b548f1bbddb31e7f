#include "cli/commands.h"
#include "cli/findings.h"
#include "cli/value.h"

static int ask(struct umx_cli *cli, const struct umx_args *args, struct umx_document *document, struct umx_error *err)
{
    json_t *arguments = json_object();

    umx_json_list(arguments, "phase", args, "--phase");
    umx_json_list(arguments, "pair", args, "--pair");
    umx_json_list(arguments, "set", args, "--set");
    if (umx_args_flag(args, "--html"))
        json_object_set_new(arguments, "format", json_string("html"));
    return umx_call(cli, "check", arguments, NULL, document, err);
}

/* The page instead of what -o says. */
static int write_page(struct umx_cli *cli, const char *path, const struct umx_document *document, struct umx_error *err)
{
    struct umx_text page = {0};

    umx_output_parts(document, "html", &page);
    int status = page.length == 0 ? umx_fail(err, UMX_ERR_ANSWER_INVALID, "check", "there is no page in it")
                                  : umx_output_file(cli, path, &page, err);
    umx_text_free(&page);
    return status;
}

UMX_COMMAND(check)
{
    const char *snapshot = umx_args_value(args, "--snapshot"), *out = umx_args_value(args, "--out");
    bool html = umx_args_flag(args, "--html");
    struct umx_document document = {0};

    if (out != NULL && !html)
        return umx_fail(err, UMX_ERR_USAGE, "--out", "it is for the page of --html");
    if (snapshot != NULL && html)
        return umx_fail(err, UMX_ERR_USAGE, "--html", "the controller makes the page: not with --snapshot");
    int status =
        snapshot != NULL ? umx_findings_of_file(cli, snapshot, args, &document, err) : ask(cli, args, &document, err);

    if (status == 0 && html)
        status = write_page(cli, out, &document, err);
    else if (status == 0)
        status =
            umx_output(cli, &document, umx_args_flag(args, "--all") ? umx_findings_view_all : umx_findings_view, err);
    if (status == 0 && umx_value_integer(json_object_get(document.root, "counts"), "fail") > 0)
        status = UMX_EXIT_NO;
    else if (status == 0 && document.partial)
        status = UMX_EXIT_PARTIAL;
    umx_document_close(&document);
    return status;
}
