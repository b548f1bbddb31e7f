/* A recorded host on Windows is looked at every few seconds: it serves tests, not servers. */
#include "agent/host/watch.h"

int umx_recorded_watch(struct umx_host *host, struct umx_host_watch **out, struct umx_error *err)
{
    (void)host;
    (void)err;
    *out = NULL;
    return UMX_E_UNSUPPORTED;
}
