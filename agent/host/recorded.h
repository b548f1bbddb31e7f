/* The parts of a recorded host, each from its file below `directory`. */
#ifndef UMX_AGENT_RECORDED_H
#define UMX_AGENT_RECORDED_H

#include "agent/file.h"
#include "agent/host/host.h"

struct umx_recorded {
    struct umx_host host; /* first */
    char directory[UMX_AGENT_PATH_MAX];
};

/* directory/name into path; UMX_E_LIMIT when it does not fit. */
int umx_recorded_path(const struct umx_recorded *recorded, const char *name, char path[UMX_AGENT_PATH_MAX],
                      struct umx_error *err);

int umx_recorded_services(struct umx_host *host, struct umx_arena *arena, struct umx_host_service **list, size_t *count,
                          struct umx_error *err);
int umx_recorded_listeners(struct umx_host *host, struct umx_arena *arena, struct umx_host_listener **list,
                           size_t *count, struct umx_error *err);
int umx_recorded_events(struct umx_host *host, struct umx_arena *arena, const struct umx_host_event_filter *filters,
                        size_t filter_count, struct umx_host_event **list, size_t *count, struct umx_error *err);
int umx_recorded_administrators(struct umx_host *host, struct umx_arena *arena, struct umx_host_administrator **list,
                                size_t *count, struct umx_error *err);
int umx_recorded_restart(struct umx_host *host, const char *service, int64_t timeout, struct umx_error *err);
int umx_recorded_certificates(struct umx_host *host, struct umx_arena *arena, struct umx_host_certificate **list,
                              size_t *count, struct umx_error *err);
int umx_recorded_tls_identity(struct umx_host *host, struct umx_arena *arena, char **pem, size_t *length,
                              struct umx_error *err);

#endif
