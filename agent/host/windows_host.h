/* The parts of a Windows host, each in its file. */
#ifndef UMX_AGENT_WINDOWS_HOST_H
#define UMX_AGENT_WINDOWS_HOST_H

#include "agent/host/host.h"
#include "agent/host/windows_text.h"

int umx_windows_registry(struct umx_host *host, struct umx_registry *into, struct umx_error *err);
int umx_windows_services(struct umx_host *host, struct umx_arena *arena, struct umx_host_service **list, size_t *count,
                         struct umx_error *err);
int umx_windows_restart(struct umx_host *host, const char *service, int64_t timeout, struct umx_error *err);
int umx_windows_certificates(struct umx_host *host, struct umx_arena *arena, struct umx_host_certificate **list,
                             size_t *count, struct umx_error *err);
int umx_windows_listeners(struct umx_host *host, struct umx_arena *arena, struct umx_host_listener **list,
                          size_t *count, struct umx_error *err);
int umx_windows_events(struct umx_host *host, struct umx_arena *arena, const struct umx_host_event_filter *filters,
                       size_t filter_count, struct umx_host_event **list, size_t *count, struct umx_error *err);
int umx_windows_administrators(struct umx_host *host, struct umx_arena *arena, struct umx_host_administrator **list,
                               size_t *count, struct umx_error *err);
int umx_windows_shell_open(struct umx_host *host, const char *script, struct umx_host_shell **out,
                           struct umx_error *err);

#endif
