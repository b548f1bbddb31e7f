/* A plan as a file: JSON for machines, or the controller's page of HTML for a change ticket. */
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/value.h"

static void add_json(struct umx_text *text, const json_t *export)
{
    char *json = json_dumps(export, JSON_INDENT(2));

    umx_text_addf(text, "%s\n", json != NULL ? json : "");
    text->failed = text->failed || json == NULL;
    free(json);
}

UMX_COMMAND(plan_export)
{
    bool html = umx_args_flag(args, "--html");
    json_t *arguments = json_pack("{s:s,s:s}", "name", umx_args_operand(args, 0), "format", html ? "html" : "json");
    struct umx_document document = {0};
    struct umx_text text = {0};
    int status = umx_call(cli, "plan.export", arguments, NULL, &document, err);
    const json_t *export = json_object_get(document.root, "export");

    if (status == 0 && html)
        umx_output_parts(&document, "html", &text);
    else if (status == 0 && json_is_object(export))
        add_json(&text, export);
    if (status == 0 && text.length == 0)
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "plan.export", NULL);
    if (status == 0)
        status = umx_output_file(cli, umx_args_value(args, "--out"), &text, err);
    umx_text_free(&text);
    umx_document_close(&document);
    return status;
}
