/* Files that commands write on request: whole, or not at all. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/open.h"
#include "cli/cli.h"

void umx_output_parts(const struct umx_document *document, const char *type, struct umx_text *out)
{
    const json_t *parts = umx_document_array(document, type);

    for (size_t i = 0; i < json_array_size(parts); i++)
        umx_text_adds(out, json_string_value(json_array_get(parts, i)));
}

int umx_output_file(struct umx_cli *cli, const char *path, const struct umx_text *text, struct umx_error *err)
{
    struct umx_text beside = {0};
    FILE *out = cli->out;
    bool failed;

    if (text->failed)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
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
