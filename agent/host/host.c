#include "agent/host/host.h"

#include <string.h>

#include "agent/host/shell.h"

int umx_host_open(const char *where, struct umx_host **out, struct umx_error *err)
{
    static const char recorded[] = "recorded:";

    if (strcmp(where, "local") == 0)
        return umx_host_open_local(out, err);
    if (strncmp(where, recorded, sizeof recorded - 1) == 0 && where[sizeof recorded - 1] != '\0')
        return umx_host_open_recorded(where + sizeof recorded - 1, out, err);
    return umx_fail(err, UMX_ERR_CONFIG_INVALID, where, "host is `local` or `recorded:DIRECTORY`");
}

void umx_host_close(struct umx_host *host)
{
    if (host != NULL)
        host->platform->close(host);
}

int umx_host_registry(struct umx_host *host, const char *const *roots, struct umx_arena *arena,
                      struct umx_registry *out, struct umx_error *err)
{
    *out = (struct umx_registry){.arena = arena, .roots = roots};
    return host->platform->registry(host, out, err);
}

int umx_host_services(struct umx_host *host, struct umx_arena *arena, struct umx_host_service **list, size_t *count,
                      struct umx_error *err)
{
    *count = 0;
    return host->platform->services(host, arena, list, count, err);
}

int umx_host_certificates(struct umx_host *host, struct umx_arena *arena, struct umx_host_certificate **list,
                          size_t *count, struct umx_error *err)
{
    *count = 0;
    return host->platform->certificates(host, arena, list, count, err);
}

int umx_host_listeners(struct umx_host *host, struct umx_arena *arena, struct umx_host_listener **list, size_t *count,
                       struct umx_error *err)
{
    *count = 0;
    return host->platform->listeners(host, arena, list, count, err);
}

int umx_host_events(struct umx_host *host, struct umx_arena *arena, const struct umx_host_event_filter *filters,
                    size_t filter_count, struct umx_host_event **list, size_t *count, struct umx_error *err)
{
    *count = 0;
    return host->platform->events(host, arena, filters, filter_count, list, count, err);
}

int umx_host_administrators(struct umx_host *host, struct umx_arena *arena, struct umx_host_administrator **list,
                            size_t *count, struct umx_error *err)
{
    *count = 0;
    return host->platform->administrators(host, arena, list, count, err);
}

int umx_host_set_shell_account(struct umx_host *host, const char *account, const char *password_file,
                               struct umx_error *err)
{
    host->shell_account = umx_arena_string(host->arena, account);
    host->shell_password_file = umx_arena_string(host->arena, password_file);
    return host->shell_account != NULL && host->shell_password_file != NULL
               ? 0
               : umx_fail(err, UMX_ERR_ARENA_FULL, "shell_account", NULL);
}

int umx_host_restart(struct umx_host *host, const char *service, int64_t timeout, struct umx_error *err)
{
    int status = umx_host_shell_stopped(host->stop, err);

    return status != 0 ? status : host->platform->restart(host, service, timeout, err);
}

int umx_host_tls_identity(struct umx_host *host, struct umx_arena *arena, char **pem, size_t *length,
                          struct umx_error *err)
{
    *length = 0;
    return host->platform->tls_identity != NULL ? host->platform->tls_identity(host, arena, pem, length, err)
                                                : UMX_E_UNSUPPORTED;
}

uint64_t umx_host_stamp(struct umx_host *host)
{
    return host->platform->stamp(host);
}
