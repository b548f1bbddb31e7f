/*
 * The read-only shell commands: one table of fixed texts. Nothing from outside is ever put into them.
 * They are written in the language of PowerShell 2.0 (Exchange 2007 and 2010 hosts have nothing newer) and write the
 * records of collect/shell_text.h.
 */
#ifndef UMX_AGENT_SHELL_SCRIPT_H
#define UMX_AGENT_SHELL_SCRIPT_H

#include "agent/collect/collect.h"
#include "agent/collect/shell_text.h"

struct umx_shell_script {
    const char *command;          /* the recorded file is shell/<command>.txt */
    Umx__Server__Product product; /* whose shell has it */
    const char *text;             /* without the common first part */
};

extern const struct umx_shell_script umx_shell_scripts[];
extern const size_t umx_shell_script_count;

const struct umx_shell_script *umx_shell_script_find(const char *command); /* NULL: none */

/* Runs a command (or reads its record). No records, and 0, when the host does not have it. */
int umx_shell_read(struct umx_host *host, struct umx_arena *arena, const char *command,
                   struct umx_shell_record **records, size_t *count, struct umx_error *err);

/* All values of a name as a repeated field of a row. */
char **umx_shell_list(struct umx_rows *rows, const struct umx_shell_record *record, const char *name, size_t *count);

#endif
