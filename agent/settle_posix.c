#include "agent/settle.h"

int umx_settle(const char *config, const char *controller, struct umx_error *err)
{
    (void)config;
    (void)controller;
    return umx_fail(err, UMX_ERR_USAGE, "--install", "it is for Windows: here the package makes the configuration");
}
