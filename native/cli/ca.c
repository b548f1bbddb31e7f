/* `umx ca`: the deployment's own certificates, and their rotation. */
#include <string.h>

#include "cli/commands.h"
#include "cli/value.h"

static void add_word(struct umx_text *line, const char *word, const char *value)
{
    if (value[0] != '\0')
        umx_text_addf(line, "%s%s", word, value);
}

/* One paragraph that says what is going on, and what to do next. */
static void view_rotation(struct umx_cli *cli, const struct umx_document *document)
{
    const json_t *rotation = json_object_get(document->root, "rotation");
    const char *state = umx_value_string(rotation, "state"), *of = umx_value_string(rotation, "of");
    struct umx_text line = {0};

    if (strcmp(state, "staged") == 0) {
        umx_text_addf(&line, "A new %s is staged: `umx ca rotate begin%s` begins to use it.", of,
                      strcmp(of, "root") == 0 ? " --root" : "");
        add_word(&line, " It cannot be used: ", umx_value_string(rotation, "error"));
    } else if (strcmp(state, "forward") == 0 || strcmp(state, "back") == 0) {
        long long agents = umx_value_integer(document->root, "agents");
        long long followed = umx_value_integer(document->root, "followed");
        umx_text_addf(&line, "Rotation of the %s%s: %lld of %lld agents have followed.", of,
                      strcmp(state, "back") == 0 ? ", being rolled back" : "", followed, agents);
        add_word(&line, " Begun ", umx_value_string(rotation, "begun_at"));
        add_word(&line, " by ", umx_value_string(rotation, "begun_by"));
        umx_text_adds(&line, agents == followed ? ". `umx ca rotate complete` ends it." : ".");
    } else {
        umx_text_adds(&line, "No rotation is under way.");
    }
    umx_grid_paragraph(cli->out, &cli->style, 0, umx_text_string(&line));
    umx_text_free(&line);
}

static void view_missing(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {
        {"server", "AGENT", 0}, {"state", "STATE", UMX_GRID_STATUS | UMX_GRID_FIXED}, {"reason", "WHAT IS MISSING", 0}};
    const json_t *missing = umx_document_array(document, "missing");

    if (json_array_size(missing) == 0)
        return;
    fputc('\n', cli->out);
    umx_output_records(cli, missing, columns, 3);
}

static void view_status(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"kind", "CERTIFICATE", UMX_GRID_FIXED},
                                                       {"state", "STATE", UMX_GRID_FIXED},
                                                       {"not_after_at", "UNTIL", UMX_GRID_FIXED},
                                                       {"days_left", "DAYS", UMX_GRID_FIXED},
                                                       {"agents", "AGENTS", UMX_GRID_FIXED},
                                                       {"operators", "OPERATORS", UMX_GRID_FIXED},
                                                       {"serial", "SERIAL", 0}};
    const json_t *certificates = umx_document_array(document, "certificates");

    umx_output_records(cli, certificates, columns, 7);
    for (size_t i = 0; i < json_array_size(certificates); i++) {
        const json_t *one = json_array_get(certificates, i);
        const char *state = umx_value_string(one, "state");
        if (strcmp(umx_value_string(one, "kind"), "root") == 0)
            fprintf(cli->out, "\n%s root, SHA-256: %s\n", state, umx_value_string(one, "fingerprint"));
    }
    fputc('\n', cli->out);
    view_rotation(cli, document);
    view_missing(cli, document);
}

static void view_moved(struct umx_cli *cli, const struct umx_document *document)
{
    view_rotation(cli, document);
    view_missing(cli, document);
}

static void view_completed(struct umx_cli *cli, const struct umx_document *document)
{
    umx_grid_paragraph(cli->out, &cli->style, 0,
                       "Completed: certificates of the authority that was replaced are refused from now on. Operators "
                       "whose identity is of it, perhaps you too, run `umx login` again.");
    view_moved(cli, document);
}

UMX_COMMAND(ca_status)
{
    (void)args;
    return umx_output_call(cli, "ca.status", NULL, view_status, err);
}

UMX_COMMAND(ca_rotate_begin)
{
    json_t *arguments = umx_args_flag(args, "--root") ? json_pack("{s:b}", "root", 1) : NULL;

    return umx_output_call(cli, "ca.rotate.begin", arguments, view_moved, err);
}

UMX_COMMAND(ca_rotate_complete)
{
    json_t *names = json_array();

    for (size_t i = 0; umx_args_nth(args, "--leave-behind", i) != NULL; i++)
        json_array_append_new(names, json_string(umx_args_nth(args, "--leave-behind", i)));
    return umx_output_call(cli, "ca.rotate.complete", json_pack("{s:o}", "leave_behind", names), view_completed, err);
}

UMX_COMMAND(ca_rotate_rollback)
{
    (void)args;
    return umx_output_call(cli, "ca.rotate.rollback", NULL, view_moved, err);
}
