/*
 * The Windows service umx-agent-update, as which the updater (updater.h) begins: started on demand, by the agent when
 * it has staged a package, and with the system while an update is under way. It is SYSTEM, has a SID of its own, and of
 * the agent's account takes a start and nothing else.
 *
 * The service copies its program into the updater's folder, has the copy do the work, and ends: an installation
 * replaces the program that the service is. A copy that an unfinished update has left does it then, as it began it.
 *
 * Elsewhere systemd's units do this, and these refuse or do nothing.
 */
#ifndef UMX_AGENT_UPDATER_SERVICE_H
#define UMX_AGENT_UPDATER_SERVICE_H

#include "base/error.h"

#define UMX_UPDATER_SERVICE_NAME "umx-agent-update"
/* In the updater's folder while one works there. */
#define UMX_UPDATER_LOCK "lock"

/* What the service manager has started. */
int umx_updater_service_run(const char *config, struct umx_error *err);

/* One that is registered is changed. Makes the updater's folder, before an ordinary user does. */
int umx_updater_service_install(const char *config, struct umx_error *err);
/* None being there is no error. An update that is under way ends, unless it is what removes the service. */
void umx_updater_service_uninstall(void);

#endif
