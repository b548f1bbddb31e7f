#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/terminal.h"
#include "cli/width.h"

static const struct umx_option global_options[] = {
    {"--controller", "HOST:PORT", false, false,
     "the controller (default 127.0.0.1:7444, or the variable UMX_CONTROLLER)"},
    {"--identity", "FILE", false, false,
     "key, certificate and chain in PEM (default ~/.config/umx/identity.pem, or UMX_IDENTITY)"},
    {"-o", "FORMAT", false, false, "table (default), json, jsonl or csv"},
    {"--progress", NULL, false, false, "progress as lines on standard error, on a terminal or not"},
    {"--help", NULL, false, false, "help for the command"},
    {"--version", NULL, false, false, "version of this program"},
    {0},
};

static const struct {
    const char *word;
    enum umx_cli_format format;
} formats[] = {{"table", UMX_CLI_TABLE}, {"json", UMX_CLI_JSON}, {"jsonl", UMX_CLI_JSONL}, {"csv", UMX_CLI_CSV}};

const struct umx_option *umx_global_options(void)
{
    return global_options;
}

static void print_json_error(struct umx_cli *cli, const struct umx_error *err)
{
    char id[24];

    snprintf(id, sizeof id, "UMX-%d", err->id);
    struct umx_text remedy = {0};
    if (err->id == UMX_ERR_USAGE && cli->command != NULL)
        umx_text_addf(&remedy, "see `umx help %s`", cli->command->words);
    else
        umx_text_adds(&remedy, umx_error_text(err->id)->remedy);
    json_t *root = json_pack("{s:{s:s,s:s,s:s,s:s}}", "error", "id", id, "what", err->what, "why", umx_error_why(err),
                             "remedy", umx_text_string(&remedy));
    umx_text_free(&remedy);
    if (root != NULL && json_dumpf(root, cli->err, JSON_COMPACT) == 0)
        fputc('\n', cli->err);
    json_decref(root);
}

void umx_cli_print_error(struct umx_cli *cli, const struct umx_error *err)
{
    char text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 512];
    struct umx_text clean = {0};

    umx_progress_clear(cli);
    if (cli->format == UMX_CLI_JSON || cli->format == UMX_CLI_JSONL) {
        print_json_error(cli, err);
        return;
    }
    umx_width_add_printable(&clean, umx_error_format(err, text, sizeof text));
    if (err->id == UMX_ERR_USAGE && cli->command != NULL) { /* the command's own help knows more than the overview */
        const char *remedy = umx_error_text(err->id)->remedy;
        size_t tail = strlen(remedy);
        if (clean.length > tail && strcmp(clean.data + clean.length - tail, remedy) == 0)
            clean.data[clean.length - tail] = '\0';
        fprintf(cli->err, "umx: error %ssee `umx help %s`\n", umx_text_string(&clean), cli->command->words);
    } else {
        fprintf(cli->err, "umx: error %s\n", umx_text_string(&clean));
    }
    umx_text_free(&clean);
}

/* Words of a command end where the operands begin: the longest row of the table that fits. */
const struct umx_command *umx_command_find(const char *const *words, size_t count, size_t *used)
{
    const struct umx_command *best = NULL;

    *used = 0;
    for (const struct umx_command *row = umx_commands(); row->words != NULL; row++) {
        const char *at = row->words;
        size_t n = 0;
        while (n < count && *at != '\0') {
            size_t length = strcspn(at, " ");
            if (strlen(words[n]) != length || memcmp(words[n], at, length) != 0)
                break;
            at += length + strspn(at + length, " ");
            n++;
        }
        if (*at == '\0' && n > *used) {
            best = row;
            *used = n;
        }
    }
    return best;
}

/* Global options may stand before the command: words up to the first that is neither an option nor its value. */
static size_t leading_options(const char *const *words, size_t count)
{
    size_t i = 0;

    while (i < count && words[i][0] == '-') {
        const struct umx_option *option = umx_args_option(global_options, words[i]);
        i += option != NULL && option->value != NULL && strchr(words[i], '=') == NULL ? 2 : 1;
    }
    return i < count ? i : count;
}

static int take_format(struct umx_cli *cli, const char *word, struct umx_error *err)
{
    if (word == NULL)
        return 0;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].word, word) == 0) {
            cli->format = formats[i].format;
            return 0;
        }
    return umx_fail(err, UMX_ERR_USAGE, "-o", "`%s` is none of table, json, jsonl, csv", word);
}

static int take_globals(struct umx_cli *cli, const struct umx_args *args, struct umx_error *err)
{
    cli->progress = umx_args_flag(args, "--progress");
    if (umx_args_value(args, "--controller") != NULL)
        cli->controller = umx_args_value(args, "--controller");
    if (umx_args_value(args, "--identity") != NULL)
        cli->identity = umx_args_value(args, "--identity");
    return take_format(cli, umx_args_value(args, "-o"), err);
}

/* After the commands of a family the word that is none of them. */
static int unknown_command(struct umx_cli *cli, const char *const *words, size_t count, struct umx_error *err)
{
    char both[128];

    if (cli->format != UMX_CLI_TABLE || !umx_help_family(cli, cli->err, words[0]))
        return umx_fail(err, UMX_ERR_USAGE, words[0], "there is no such command");
    if (count < 2 || words[1][0] == '-')
        return UMX_EXIT_USAGE;
    fputc('\n', cli->err);
    snprintf(both, sizeof both, "%s %s", words[0], words[1]);
    return umx_fail(err, UMX_ERR_USAGE, both, "there is no such command");
}

/* The command's own words, with global options that stood before it put behind them. */
static int dispatch(struct umx_cli *cli, const char *const *words, size_t count, struct umx_args *args,
                    struct umx_error *err)
{
    const char *rest[UMX_ARGS_MAX];
    size_t lead = leading_options(words, count), used = 0, n = 0;
    const struct umx_command *command = umx_command_find(words + lead, count - lead, &used);

    if (command == NULL) {
        int status = umx_args_parse(NULL, global_options, NULL, words, lead, false, args, err);
        if (status == 0)
            status = take_globals(cli, args, err);
        if (status != 0)
            return status;
        if (umx_args_flag(args, "--version")) {
            fprintf(cli->out, "umx %s\n", UMX_VERSION);
            return UMX_EXIT_GOOD;
        }
        if (lead == count) {
            bool asked = umx_args_flag(args, "--help");
            umx_help_overview(cli, asked ? cli->out : cli->err);
            return asked ? UMX_EXIT_GOOD : UMX_EXIT_USAGE;
        }
        if (count - lead == 2 && strcmp(words[lead + 1], "--help") == 0 && umx_help_family(cli, cli->out, words[lead]))
            return UMX_EXIT_GOOD;
        return unknown_command(cli, words + lead, count - lead, err);
    }
    cli->command = command;
    for (size_t i = 0; i < count; i++)
        if (i < lead || i >= lead + used)
            rest[n++] = words[i];
    int status = umx_args_parse(command->options, global_options, command->operands, rest, n, false, args, err);
    if (status == 0)
        status = take_globals(cli, args, err);
    if (status != 0)
        return status;
    if (umx_args_flag(args, "--help")) {
        umx_help_command(cli, cli->out, command);
        return UMX_EXIT_GOOD;
    }
    status = umx_args_parse(command->options, global_options, command->operands, rest, n, true, args, err);
    return status != 0 ? status : command->run(cli, args, err);
}

/* JSON was asked for even when the line is wrong elsewhere: its error then is JSON too. */
static void peek_format(struct umx_cli *cli, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count && strcmp(words[i], "--") != 0; i++)
        if (strcmp(words[i], "-o") == 0 && i + 1 < count)
            take_format(cli, words[i + 1], NULL);
        else if (strncmp(words[i], "-o=", 3) == 0)
            take_format(cli, words[i] + 3, NULL);
}

int umx_cli_run(struct umx_cli *cli, const char *const *words, size_t count)
{
    struct umx_args *args = calloc(1, sizeof *args);
    struct umx_error err = {0};
    int result;

    if (args == NULL)
        result = umx_fail(&err, UMX_ERR_MEMORY, "command line", NULL);
    else if (count > UMX_ARGS_MAX)
        result = umx_fail(&err, UMX_ERR_USAGE, "", "more than %d words", UMX_ARGS_MAX);
    else {
        peek_format(cli, words, count);
        result = dispatch(cli, words, count, args, &err);
    }
    if (result < 0 && err.id == UMX_ERR_FILE_UNWRITABLE && umx_terminal_gone(cli->out)) {
        result = UMX_EXIT_GOOD; /* whoever read has seen enough */
    } else if (result < 0) {
        umx_cli_print_error(cli, &err);
        result = umx_status_exit(err.status);
    }
    umx_progress_clear(cli);
    free(args);
    return result;
}
