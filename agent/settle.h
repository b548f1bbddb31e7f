/*
 * What `umx-agent --install --controller HOST:PORT` makes before the service is registered, on Windows, where an MSI has
 * nobody to ask: the folder of the configuration, which only SYSTEM, the administrators and the agent's own service
 * can open, and a first configuration. Elsewhere it refuses: packages and systemd do this.
 */
#ifndef UMX_AGENT_SETTLE_H
#define UMX_AGENT_SETTLE_H

#include "base/error.h"

/* A configuration that is there stays as it is. A folder that is there has to be owned by SYSTEM, the administrators
 * or who runs this: %ProgramData% lets anybody make folders, and the configuration says whom the agent believes. */
int umx_settle(const char *config, const char *controller, struct umx_error *err);

#endif
