#include <string.h>

#include "base/text.h"
#include "cli/commands.h"

static void print_commands(FILE *out, const char *family, int group)
{
    for (const struct umx_command *row = umx_commands(); row->words != NULL; row++) {
        struct umx_text left = {0};
        size_t length = strlen(family);
        if (row->hidden || (length > 0 && (strncmp(row->words, family, length) != 0 ||
                                           (row->words[length] != ' ' && row->words[length] != '\0'))))
            continue;
        if (group >= 0 && (strncmp(row->words, "plan ", 5) == 0) != (group == 1))
            continue;
        umx_text_addf(&left, "%s%s%s", row->words, row->operands[0] != '\0' ? " " : "", row->operands);
        fprintf(out, "  %-26s %s\n", umx_text_string(&left), row->help);
        umx_text_free(&left);
    }
}

static void print_options(FILE *out, const struct umx_style *style, const char *title, const struct umx_option *options)
{
    if (options == NULL || options->name == NULL)
        return;
    fprintf(out, "\n%s:\n", title);
    for (; options->name != NULL; options++) {
        fprintf(out, "  %s%s%s%s%s\n", options->name, options->value != NULL ? " " : "",
                options->value != NULL ? options->value : "", options->many ? " ..." : "",
                options->required ? "  (needed)" : "");
        umx_grid_paragraph(out, style, 6, options->help);
    }
}

void umx_help_overview(const struct umx_cli *cli, FILE *out)
{
    fputs("umx: Exchange Unified Messaging and Lync, connected across forests\n\n"
          "usage: umx [--controller HOST:PORT] [--identity FILE] [-o FORMAT] COMMAND\n\ncommands:\n",
          out);
    print_commands(out, "", 0);
    fputs("\nplans:\n", out);
    print_commands(out, "", 1);
    print_options(out, &cli->style, "options of every command", umx_global_options());
    fputs("\n`umx help COMMAND` tells more, with an example. The manual is umx(1).\n", out);
}

void umx_help_command(const struct umx_cli *cli, FILE *out, const struct umx_command *command)
{
    fprintf(out, "usage: umx %s%s%s%s\n\n", command->words, command->operands[0] != '\0' ? " " : "", command->operands,
            command->options != NULL ? " [OPTION]..." : "");
    umx_grid_paragraph(out, &cli->style, 0, command->help);
    if (command->details != NULL) {
        fputc('\n', out);
        umx_grid_paragraph(out, &cli->style, 0, command->details);
    }
    print_options(out, &cli->style, "options", command->options);
    fprintf(out, "\nexample:\n  %s\n", command->example);
}

bool umx_help_family(const struct umx_cli *cli, FILE *out, const char *word)
{
    size_t length = strlen(word);

    (void)cli;
    for (const struct umx_command *row = umx_commands(); row->words != NULL; row++)
        if (!row->hidden && strncmp(row->words, word, length) == 0 && row->words[length] == ' ') {
            fprintf(out, "usage: umx %s COMMAND\n\ncommands:\n", word);
            print_commands(out, word, -1);
            return true;
        }
    return false;
}

UMX_COMMAND(help)
{
    size_t used = 0;

    if (args->operand_count == 0) {
        umx_help_overview(cli, cli->out);
        return UMX_EXIT_GOOD;
    }
    const struct umx_command *command = umx_command_find(args->operands, args->operand_count, &used);
    if (command != NULL && used == args->operand_count) {
        umx_help_command(cli, cli->out, command);
        return UMX_EXIT_GOOD;
    }
    if (args->operand_count == 1 && umx_help_family(cli, cli->out, args->operands[0]))
        return UMX_EXIT_GOOD;
    return umx_fail(err, UMX_ERR_USAGE, args->operands[0], "there is no such command");
}
