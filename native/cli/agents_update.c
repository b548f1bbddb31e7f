/* `umx agents update ...`: new versions for the agents, in waves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/open.h"
#include "base/release.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/value.h"

/* A whole file of at most cap bytes; the caller frees. */
static int read_file(const char *path, size_t cap, char **out, size_t *length, struct umx_error *err)
{
    FILE *file = umx_open(path, "rb");
    char *bytes = malloc(cap + 2);
    int status = 0;

    *out = NULL;
    *length = 0;
    if (file == NULL)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    else if (bytes == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    if (status == 0) {
        *length = fread(bytes, 1, cap + 1, file);
        bytes[*length] = '\0';
        if (ferror(file))
            status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
        else if (*length > cap)
            status = umx_fail(err, UMX_ERR_FILE_UNREADABLE, path, "it has more than %zu bytes", cap);
    }
    if (file != NULL)
        fclose(file);
    if (status != 0) {
        free(bytes);
        return status;
    }
    *out = bytes;
    return 0;
}

/* The package fits the signed text: said before it travels. */
static int add_package(json_t *arguments, const char *package, const char *signature, struct umx_error *err)
{
    struct umx_text beside = {0}, hex = {0};
    struct umx_release release;
    char *bytes = NULL, *text = NULL;
    size_t length = 0, text_length = 0;

    umx_text_addf(&beside, "%s.umxsig", package);
    int status = read_file(package, UMX_RELEASE_PACKAGE_MAX, &bytes, &length, err);
    if (status == 0)
        status = read_file(signature != NULL ? signature : umx_text_string(&beside), UMX_RELEASE_TEXT_MAX, &text,
                           &text_length, err);
    if (status == 0)
        status = umx_release_parse(text, text_length, &release, err);
    if (status == 0)
        status = umx_release_check_bytes(&release, bytes, length, err);
    if (status == 0) {
        umx_text_add_hex(&hex, bytes, length);
        if (hex.failed || json_object_set_new(arguments, "package", json_stringn(hex.data, hex.length)) != 0)
            status = umx_fail(err, UMX_ERR_MEMORY, package, NULL);
        umx_json_text(arguments, "release", text);
    }
    umx_text_free(&beside);
    umx_text_free(&hex);
    free(bytes);
    free(text);
    return status;
}

static void view_begun(struct umx_cli *cli, const struct umx_document *document)
{
    umx_output_member(cli, document->root, "update", "update");
    fputs("`umx agents update status` tells how far it is\n", cli->out);
}

UMX_COMMAND(agents_update)
{
    json_t *arguments = json_object();
    int status = add_package(arguments, umx_args_value(args, "--package"), umx_args_value(args, "--signature"), err);

    if (status == 0)
        status = umx_json_number(arguments, "canary", umx_args_value(args, "--canary"), "--canary", err);
    if (status == 0)
        status = umx_json_number(arguments, "percent", umx_args_value(args, "--wave"), "--wave", err);
    if (status == 0)
        status = umx_json_number(arguments, "trial", umx_args_value(args, "--trial"), "--trial", err);
    if (status != 0) {
        json_decref(arguments);
        return status;
    }
    umx_json_list(arguments, "server", args, "--server");
    if (umx_args_flag(args, "--downgrade"))
        json_object_set_new(arguments, "downgrade", json_true());
    return umx_output_call(cli, "agents.update", arguments, view_begun, err);
}

static void view_status(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const members[][2] = {{"state", "state"},       {"version", "version"}, {"reason", "reason"},
                                             {"begun_at", "begun at"}, {"author", "by"},       {"package", "package"},
                                             {"wave", "wave"},         {"waves", "of"}};
    static const struct umx_output_column columns[] = {{"wave", "WAVE", UMX_GRID_FIXED},
                                                       {"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"server", "SERVER", 0},
                                                       {"version", "VERSION", 0},
                                                       {"changed_at", "SINCE", UMX_GRID_FIXED},
                                                       {"reason", "REASON", 0}};
    const json_t *servers = umx_document_array(document, "servers");

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        umx_output_member(cli, document->root, members[i][0], members[i][1]);
    if (json_array_size(servers) > 0)
        umx_output_records(cli, servers, columns, sizeof columns / sizeof columns[0]);
}

UMX_COMMAND(agents_update_status)
{
    (void)args;
    return umx_output_call(cli, "agents.update.status", NULL, view_status, err);
}

static void view_state(struct umx_cli *cli, const struct umx_document *document)
{
    umx_output_member(cli, document->root, "state", "state");
}

UMX_COMMAND(agents_update_pause)
{
    (void)args;
    return umx_output_call(cli, "agents.update.pause", NULL, view_state, err);
}

UMX_COMMAND(agents_update_resume)
{
    (void)args;
    return umx_output_call(cli, "agents.update.resume", NULL, view_state, err);
}

UMX_COMMAND(agents_update_stop)
{
    (void)args;
    return umx_output_call(cli, "agents.update.stop", NULL, view_state, err);
}
