#include "agent/shell_password.h"

int umx_shell_password_store(const struct umx_agent_config *config, struct umx_error *err)
{
    (void)config;
    return umx_fail(err, UMX_ERR_USAGE, "--store-shell-password", "it is for Windows, where the products' shell is");
}
