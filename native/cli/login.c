/* `umx login`: from a Kerberos ticket or a forest's certificate to an identity of the deployment (design 7). */
#include <errno.h>
#include <string.h>

#include "base/open.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/value.h"
#include "rpc/identity_file.h"

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
            umx_make_folder(umx_text_string(&text));
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
    const char *certificate = umx_args_value(args, "--certificate"), *key = umx_args_value(args, "--key");
    struct umx_document document = {0};

    if (ca != NULL && fingerprint != NULL)
        return umx_fail(err, UMX_ERR_USAGE, "--ca", "one of --ca and --fingerprint says who the controller has to be");
    if (ca == NULL && fingerprint == NULL && !umx_exists(out))
        return umx_fail(err, UMX_ERR_USAGE, "--ca",
                        "the first time --ca or --fingerprint says who the controller has to be");
    if ((certificate == NULL) != (key == NULL))
        return umx_fail(err, UMX_ERR_USAGE, "--key", "--certificate and --key come together");
    if (certificate != NULL && umx_args_value(args, "--forest") == NULL)
        return umx_fail(err, UMX_ERR_USAGE, "--forest", "a certificate needs the forest whose CA it is of");
    json_t *request = json_pack("{s:s,s:s}", "controller", cli->controller, "out", out);
    umx_json_text(request, "forest", umx_args_value(args, "--forest"));
    umx_json_text(request, "service", umx_args_value(args, "--service"));
    umx_json_text(request, "certificate", certificate);
    umx_json_text(request, "key", key);
    umx_json_text(request, "ca", ca);
    umx_json_text(request, "fingerprint", fingerprint);
    make_directories(out);
    int status = umx_cli_session_login(request, &document.root, err);
    if (status == 0)
        status = umx_output(cli, &document, view, err);
    umx_document_close(&document);
    return status;
}

/* Only what is an operator's identity is removed: the path may name anything. */
UMX_COMMAND(logout)
{
    struct umx_identity_file file = {0};
    struct umx_document document = {0};
    struct umx_text trust = {0};

    (void)args;
    if (!umx_exists(cli->identity))
        return umx_fail(err, UMX_ERR_NO_IDENTITY, cli->identity, "there is no such file");
    int status = umx_identity_file_load(cli->identity, &file, err);
    if (status == 0 && file.identity.role != UMX_ROLE_OPERATOR)
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, cli->identity, "it is not an operator's");
    if (status == 0 && umx_remove(cli->identity) != 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, cli->identity, "%s", strerror(errno));
    umx_text_addf(&trust, "%s.trust", cli->identity); /* whom it trusted: of no use without it */
    if (status == 0 && !trust.failed)
        (void)umx_remove(umx_text_string(&trust));
    umx_text_free(&trust);
    if (status == 0) {
        document.root = json_pack("{s:s,s:s}", "identity", file.identity.uri, "file", cli->identity);
        status = umx_output(cli, &document, view, err);
    }
    umx_document_close(&document);
    umx_identity_file_free(&file);
    return status;
}

static void view_self(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const members[][2] = {{"name", "name"},
                                             {"principal", "principal"},
                                             {"forest", "forest"},
                                             {"identity", "identity"},
                                             {"expires_at", "expires"}};
    const json_t *roles = json_object_get(document->root, "roles");
    struct umx_text line = {0};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, document->root, members[i][0], members[i][1]);
    for (size_t i = 0; i < json_array_size(roles); i++)
        umx_text_addf(&line, "%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(roles, i)));
    fprintf(cli->out, "roles: %s\n", line.length > 0 ? umx_text_string(&line) : "none");
    umx_text_free(&line);
}

UMX_COMMAND(whoami)
{
    (void)args;
    return umx_output_call(cli, "whoami", NULL, view_self, err);
}
