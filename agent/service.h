/*
 * The agent as a Windows service. Decided by --service, never by asking whether the service manager is there: that
 * takes ten seconds on a console, and is not reliable. Elsewhere systemd is the service manager, and these refuse.
 */
#ifndef UMX_AGENT_SERVICE_H
#define UMX_AGENT_SERVICE_H

#include <stdbool.h>

#include "base/error.h"

#define UMX_SERVICE_NAME "umx-agent"

/* What the service does, from its start to umx_agent_stopping. */
typedef int umx_service_work(void *user, struct umx_error *err);

/* Hands this thread to the service manager, which has started the program, and works until it asks to stop. The log
 * goes to umx-agent.log beside the configuration file; beyond 4 MiB an old one is kept beside it. */
int umx_service_run(const char *config, umx_service_work *work, void *user, struct umx_error *err);

/* The work has all it needs and begins: until then the service manager sees a service that starts, and one that ends
 * before has failed to start, which an installation takes back. Nothing happens where no service runs. */
void umx_service_ready(void);

/* Before anything comes from the network: the service gives up, for good, every privilege that it does not need. Those
 * for starting a process of another account stay where the shell has one. Nothing happens where no service runs, nor
 * for LocalSystem. */
int umx_service_give_up_privileges(bool shell_account, struct umx_error *err);

/* Registers this program, and its updater (updater_service.h), with an absolute path of their configuration, which from
 * then on only administrators may change unless it has an access list of its own; account NULL: NT SERVICE\umx-agent,
 * an account that exists for this service only and is the machine on the network. Restarts after failures; starts after
 * the services of the boot. An agent that is registered is changed. */
int umx_service_install(const char *config, const char *account, struct umx_error *err);

/* Stops and removes both services; none being there is no error. Files stay. */
int umx_service_uninstall(struct umx_error *err);

#ifdef _WIN32
#include <wchar.h>

enum { UMX_SERVICE_LINE_MAX = 4160 };

/* What the service manager runs: this program, the option and the configuration, absolute and quoted. */
int umx_service_line(const char *option, const char *config, wchar_t out[UMX_SERVICE_LINE_MAX], struct umx_error *err);
#endif

#endif
