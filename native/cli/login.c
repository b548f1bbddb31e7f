/* `umx login`: from a forest's certificate to an identity of the deployment (design 7). */
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/session.h"

/* The default place may not be there yet: ~/.config/umx. Only the last two directories are made. */
static void make_directories(const char *path)
{
    struct umx_text text = {0};
    size_t ends[2] = {0, 0};

    for (size_t i = 1; path[0] != '\0' && path[i] != '\0'; i++)
        if (path[i] == '/') {
            ends[0] = ends[1];
            ends[1] = i;
        }
    for (int i = 0; i < 2; i++) {
        text.length = 0;
        umx_text_add(&text, path, ends[i]);
        if (ends[i] > 0 && !text.failed)
            (void)mkdir(umx_text_string(&text), 0700); /* an error shows when the file is written */
    }
    umx_text_free(&text);
}

static void view(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const members[][2] = {
        {"identity", "identity"}, {"forest", "forest"}, {"expires_at", "expires"}, {"file", "file"}};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, document->root, members[i][0], members[i][1]);
}

UMX_COMMAND(login)
{
    const char *out = umx_args_value(args, "--out") != NULL ? umx_args_value(args, "--out") : cli->identity;
    const char *ca = umx_args_value(args, "--ca"), *fingerprint = umx_args_value(args, "--fingerprint");
    struct umx_document document = {0};

    if ((ca == NULL) == (fingerprint == NULL))
        return umx_fail(err, UMX_ERR_USAGE, "--ca", "one of --ca and --fingerprint says who the controller has to be");
    json_t *request = json_pack("{s:s,s:s,s:s,s:s,s:s}", "controller", cli->controller, "forest",
                                umx_args_value(args, "--forest"), "certificate", umx_args_value(args, "--certificate"),
                                "key", umx_args_value(args, "--key"), "out", out);
    umx_json_text(request, "ca", ca);
    umx_json_text(request, "fingerprint", fingerprint);
    make_directories(out);
    int status = umx_cli_session_login(request, &document.root, err);
    if (status == 0)
        status = umx_output(cli, &document, view, err);
    umx_document_close(&document);
    return status;
}
