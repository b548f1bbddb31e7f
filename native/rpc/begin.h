/*
 * Process-wide state of the transport. Inside the module only.
 */
#ifndef UMX_RPC_BEGIN_H
#define UMX_RPC_BEGIN_H

#include <stdint.h>

/* Handshakes that any server of this process refused; counted from umx_rpc_count_refusals on. */
void umx_rpc_count_refusals(void);
int64_t umx_rpc_refusals(void);

#endif
