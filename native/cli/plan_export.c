/* A plan as a file: JSON for machines, or the controller's page of HTML for a change ticket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/open.h"
#include "cli/commands.h"
#include "cli/value.h"

/* To a file beside it that takes its name when it is whole, or to standard output. */
static int put(struct umx_cli *cli, const char *path, const struct umx_text *text, struct umx_error *err)
{
    struct umx_text beside = {0};
    FILE *out = cli->out;
    bool failed;

    if (text->failed)
        return umx_fail(err, UMX_ERR_MEMORY, "plan.export", NULL);
    if (path != NULL) {
        umx_text_addf(&beside, "%s.part", path);
        out = umx_open(umx_text_string(&beside), "wb");
    }
    failed = out == NULL || fwrite(umx_text_string(text), 1, text->length, out) != text->length || fflush(out) != 0;
    if (path != NULL) {
        failed = failed || umx_sync(out) != 0;
        failed = (out != NULL && fclose(out) != 0) || failed;
        failed = failed || umx_rename(umx_text_string(&beside), path) != 0;
    }
    int status = failed ? umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path != NULL ? path : "standard output",
                                        "%s", strerror(errno))
                        : 0;
    if (failed && path != NULL)
        umx_remove(umx_text_string(&beside));
    umx_text_free(&beside);
    return status;
}

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
    const json_t *export = json_object_get(document.root, "export"), *parts = json_object_get(document.root, "html");

    if (status == 0 && html)
        for (size_t i = 0; i < json_array_size(parts); i++)
            umx_text_adds(&text, json_string_value(json_array_get(parts, i)));
    else if (status == 0 && json_is_object(export))
        add_json(&text, export);
    if (status == 0 && text.length == 0)
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, "plan.export", NULL);
    if (status == 0)
        status = put(cli, umx_args_value(args, "--out"), &text, err);
    umx_text_free(&text);
    umx_document_close(&document);
    return status;
}
