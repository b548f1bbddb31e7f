/*
 * `umx-agent --store-shell-password`: takes the shell account's password from standard input (on a console unseen, and
 * twice) and keeps it where the configuration says (shell_password_file), as Windows protects it. Elsewhere it refuses.
 */
#ifndef UMX_AGENT_SHELL_PASSWORD_H
#define UMX_AGENT_SHELL_PASSWORD_H

#include "agent/config.h"

int umx_shell_password_store(const struct umx_agent_config *config, struct umx_error *err);

#endif
