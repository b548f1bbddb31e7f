/* `umx token`: one-time tokens with which agents enrol. */
#include <string.h>

#include "cli/commands.h"
#include "cli/value.h"
#include "rpc/identity_file.h"

/* The token alone on standard output, so that it can go into a file; what is worth knowing of it beside that. */
static void view_created(struct umx_cli *cli, const struct umx_document *document)
{
    const json_t *token = json_array_get(umx_document_array(document, "tokens"), 0);
    const char *server = umx_value_string(token, "server");

    if (umx_value_string(token, "token")[0] != '\0')
        fprintf(cli->out, "%s\n", umx_value_string(token, "token"));
    fprintf(cli->err, "umx: token %s for %s in %s, %lld use(s) until %s; it is not shown again\n",
            umx_value_string(token, "id"), server[0] != '\0' ? server : umx_value_string(token, "pattern"),
            umx_value_string(token, "forest"), umx_value_integer(token, "uses"), umx_value_string(token, "expires_at"));
}

/* Into a file that only its owner reads, and out of the answer. */
static int keep(const struct umx_document *document, const char *path, struct umx_error *err)
{
    json_t *token = json_array_get(umx_document_array(document, "tokens"), 0);
    char line[512];
    int length = snprintf(line, sizeof line, "%s\n", umx_value_string(token, "token"));
    int status = length > 1 && (size_t)length < sizeof line
                     ? umx_private_file_write(path, line, (size_t)length, err)
                     : umx_fail(err, UMX_ERR_ANSWER_INVALID, "token.create", "there is no token in it");

    memset(line, 0, sizeof line);
    json_object_set_new(token, "token", json_null());
    return status;
}

UMX_COMMAND(token_create)
{
    const char *server = umx_args_value(args, "--fqdn"), *pattern = umx_args_value(args, "--pattern");
    const char *out = umx_args_value(args, "--out");
    struct umx_document document = {0};
    json_t *arguments = json_object();
    int status = 0;

    if ((server == NULL) == (pattern == NULL))
        status = umx_fail(err, UMX_ERR_USAGE, "--fqdn", "one of --fqdn and --pattern says for which servers it is");
    umx_json_text(arguments, "server", server);
    umx_json_text(arguments, "pattern", pattern);
    umx_json_text(arguments, "forest", umx_args_value(args, "--forest"));
    if (status == 0)
        status = umx_json_time(arguments, "expires_at", umx_args_value(args, "--expires"), "--expires", err);
    if (status == 0)
        status = umx_json_number(arguments, "uses", umx_args_value(args, "--uses"), "--uses", err);
    if (status != 0) {
        json_decref(arguments);
        return status;
    }
    status = umx_call(cli, "token.create", arguments, NULL, &document, err);
    if (status == 0 && out != NULL)
        status = keep(&document, out, err);
    if (status == 0)
        status = umx_output(cli, &document, view_created, err);
    umx_document_close(&document);
    return status;
}

static void view_list(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"id", "ID", UMX_GRID_FIXED},
                                                       {"for", "FOR", 0},
                                                       {"forest", "FOREST", 0},
                                                       {"used", "USED", UMX_GRID_RIGHT | UMX_GRID_FIXED},
                                                       {"uses", "OF", UMX_GRID_RIGHT | UMX_GRID_FIXED},
                                                       {"expires_at", "EXPIRES", UMX_GRID_FIXED}};
    const json_t *tokens = umx_document_array(document, "tokens");
    json_t *rows = json_array();

    for (size_t i = 0; i < json_array_size(tokens); i++) {
        json_t *row = json_copy(json_array_get(tokens, i));
        const char *server = umx_value_string(row, "server");
        json_object_set_new(row, "for", json_string(server[0] != '\0' ? server : umx_value_string(row, "pattern")));
        json_array_append_new(rows, row);
    }
    if (json_array_size(rows) == 0)
        fputs("no tokens; `umx token create` makes one\n", cli->out);
    else
        umx_output_records(cli, rows, columns, 7);
    json_decref(rows);
}

UMX_COMMAND(token_list)
{
    (void)args;
    return umx_output_call(cli, "token.list", NULL, view_list, err);
}

static void view_revoked(struct umx_cli *cli, const struct umx_document *document)
{
    umx_output_member(cli, document->root, "revoked", "revoked");
}

UMX_COMMAND(token_revoke)
{
    json_t *arguments = json_object();

    umx_json_text(arguments, "id", umx_args_operand(args, 0));
    return umx_output_call(cli, "token.revoke", arguments, view_revoked, err);
}
