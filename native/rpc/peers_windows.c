#include "rpc/peers.h"

/* The controller runs on Linux; a server on Windows is one of the tests. */
void umx_rpc_peers_limit(int connections)
{
    (void)connections;
}

int64_t umx_rpc_peers_refused(void)
{
    return 0;
}
