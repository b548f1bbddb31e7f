/*
 * What the table of commands refers to: one function and one table of options a command, by the file that has them.
 */
#ifndef UMX_CLI_COMMANDS_H
#define UMX_CLI_COMMANDS_H

#include "cli/cli.h"

#define UMX_COMMAND(name)                                                                                              \
    int umx_command_##name(struct umx_cli *cli, const struct umx_args *args, struct umx_error *err)

UMX_COMMAND(status);
UMX_COMMAND(agents);
UMX_COMMAND(agents_held);
UMX_COMMAND(agents_accept);
UMX_COMMAND(agents_reject);
UMX_COMMAND(agents_revoke);
UMX_COMMAND(agents_forget);
UMX_COMMAND(agents_update);
UMX_COMMAND(agents_update_status);
UMX_COMMAND(agents_update_pause);
UMX_COMMAND(agents_update_resume);
UMX_COMMAND(agents_update_stop);
UMX_COMMAND(agents_package);
UMX_COMMAND(token_create);
UMX_COMMAND(token_list);
UMX_COMMAND(token_revoke);
UMX_COMMAND(query);
UMX_COMMAND(query_delete);
UMX_COMMAND(query_list);
UMX_COMMAND(query_run);
UMX_COMMAND(query_save);
UMX_COMMAND(tables);
UMX_COMMAND(check);
UMX_COMMAND(snapshot_save);
UMX_COMMAND(snapshot_diff);
UMX_COMMAND(plan_template);
UMX_COMMAND(plan_create);
UMX_COMMAND(plan_list);
UMX_COMMAND(plan_show);
UMX_COMMAND(plan_submit);
UMX_COMMAND(plan_approve);
UMX_COMMAND(plan_deny);
UMX_COMMAND(plan_withdraw);
UMX_COMMAND(plan_start);
UMX_COMMAND(plan_confirm);
UMX_COMMAND(plan_watch);
UMX_COMMAND(plan_suspend);
UMX_COMMAND(plan_resume);
UMX_COMMAND(plan_cancel);
UMX_COMMAND(plan_undo);
UMX_COMMAND(plan_result);
UMX_COMMAND(plan_export);
UMX_COMMAND(plan_delete);
UMX_COMMAND(audit);
UMX_COMMAND(audit_verify);
UMX_COMMAND(grants_show);
UMX_COMMAND(ca_status);
UMX_COMMAND(ca_rotate_begin);
UMX_COMMAND(ca_rotate_complete);
UMX_COMMAND(ca_rotate_rollback);
UMX_COMMAND(phases);
UMX_COMMAND(login);
UMX_COMMAND(logout);
UMX_COMMAND(whoami);
UMX_COMMAND(help);
UMX_COMMAND(docs_checks);
UMX_COMMAND(docs_errors);
UMX_COMMAND(docs_tables);

#endif
