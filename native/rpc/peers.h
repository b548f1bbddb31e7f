/*
 * How many connections one address may hold. gRPC has no such limit, and a connection costs a hundred kilobytes before
 * anybody knows whose it is. Inside the module only.
 */
#ifndef UMX_RPC_PEERS_H
#define UMX_RPC_PEERS_H

#include <stdint.h>

/* For all listeners of the process together; 0: any number. An IPv6 address counts by its first 64 bits. */
void umx_rpc_peers_limit(int connections);
/* Connections that were closed for it since the start. */
int64_t umx_rpc_peers_refused(void);

#endif
