#include "cli/commands.h"

static const struct umx_command commands[] = {
    {"tables", "[NAME]", umx_command_tables, "tables and columns for queries", NULL,
     "Without NAME all tables; with NAME its columns and what they mean. Needs no controller.", "umx tables hunt_group",
     false},
    {"snapshot diff", "A B", umx_command_snapshot_diff, "what changed between two saved worlds", NULL,
     "Compares record by record. What changes with every reading (times of the read, process ids, update sequence "
     "numbers) is left out. Needs no controller.",
     "umx snapshot diff before.umx after.umx", false},
    {"help", "[COMMAND...]", umx_command_help, "this overview, or help for a command", NULL, NULL,
     "umx help plan approve", false},
    {"docs errors", "", umx_command_docs_errors, "docs/errors.md", NULL, NULL, "umx docs errors > docs/errors.md",
     true},
    {"docs tables", "", umx_command_docs_tables, "docs/tables.md", NULL, NULL, "umx docs tables > docs/tables.md",
     true},
    {0},
};

const struct umx_command *umx_commands(void)
{
    return commands;
}
