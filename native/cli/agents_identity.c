/* `umx agents held|accept|reject|revoke|forget`: whose identity counts. */
#include <string.h>

#include "cli/commands.h"
#include "cli/value.h"

/* One below the other: two fingerprints have to be compared, digit by digit. */
static void view_held(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const members[][2] = {
        {"server", "server"},           {"forest", "forest"},   {"key", "new key"},       {"known_key", "known key"},
        {"known_state", "known agent"}, {"peer", "asked from"}, {"asked_at", "asked at"}, {"token", "token"}};
    const json_t *held = umx_document_array(document, "held");

    if (json_array_size(held) == 0)
        fputs("nothing is held\n", cli->out);
    for (size_t i = 0; i < json_array_size(held); i++) {
        if (i > 0)
            fputs("\n", cli->out);
        for (size_t m = 0; m < sizeof members / sizeof members[0]; m++)
            umx_output_member(cli, json_array_get(held, i), members[m][0], members[m][1]);
    }
}

UMX_COMMAND(agents_held)
{
    (void)args;
    return umx_output_call(cli, "agents.held", NULL, view_held, err);
}

static void view_done(struct umx_cli *cli, const struct umx_document *document)
{
    static const char *const words[] = {"accepted", "rejected", "revoked", "forgotten"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        umx_output_member(cli, document->root, words[i], words[i]);
}

static int change(struct umx_cli *cli, const struct umx_args *args, const char *operation, struct umx_error *err)
{
    json_t *arguments = json_object();

    umx_json_text(arguments, "agent", umx_args_operand(args, 0));
    umx_json_text(arguments, "key", umx_args_value(args, "--key"));
    return umx_output_call(cli, operation, arguments, view_done, err);
}

UMX_COMMAND(agents_accept)
{
    return change(cli, args, "agents.accept", err);
}

UMX_COMMAND(agents_reject)
{
    return change(cli, args, "agents.reject", err);
}

UMX_COMMAND(agents_revoke)
{
    return change(cli, args, "agents.revoke", err);
}

UMX_COMMAND(agents_forget)
{
    return change(cli, args, "agents.forget", err);
}
