#include "agent/service.h"

static int elsewhere(const char *what, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_USAGE, what,
                    "it is for Windows: here systemd's unit umx-agent.service starts the agent");
}

int umx_service_run(const char *config, umx_service_work *work, void *user, struct umx_error *err)
{
    (void)config;
    (void)work;
    (void)user;
    return elsewhere("--service", err);
}

void umx_service_ready(void)
{
}

/* systemd's unit leaves it none. */
int umx_service_give_up_privileges(bool shell_account, struct umx_error *err)
{
    (void)shell_account;
    (void)err;
    return 0;
}

int umx_service_install(const char *config, const char *account, struct umx_error *err)
{
    (void)config;
    (void)account;
    return elsewhere("--install", err);
}

int umx_service_uninstall(struct umx_error *err)
{
    return elsewhere("--uninstall", err);
}
