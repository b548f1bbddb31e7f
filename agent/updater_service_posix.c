#include "agent/updater_service.h"

int umx_updater_service_run(const char *config, struct umx_error *err)
{
    (void)config;
    return umx_fail(err, UMX_ERR_USAGE, "--update-service",
                    "it is for Windows: here systemd's unit umx-agent-update.service runs `umx-agent apply`");
}
