/*
 * Settings of the agent that an administrator of the domain has set for many machines: on Windows the values of
 * HKEY_LOCAL_MACHINE\SOFTWARE\Policies\umx\Agent, which group policy writes. They override the file's. Elsewhere there
 * are none.
 */
#ifndef UMX_AGENT_POLICY_H
#define UMX_AGENT_POLICY_H

#include "base/error.h"

#define UMX_POLICY_PLACE "HKLM\\SOFTWARE\\Policies\\umx\\Agent"

/* One setting; a number as text. 0, or why it is not taken. */
typedef int umx_policy_take(void *user, const char *name, const char *value, struct umx_error *err);

/* Each value that is there, until one is not taken. A value of another kind than REG_SZ and REG_DWORD is
 * UMX_ERR_CONFIG_INVALID. */
int umx_policy_read(umx_policy_take *take, void *user, struct umx_error *err);

#endif
