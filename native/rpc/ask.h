/* One request, one answer. */
#ifndef UMX_RPC_ASK_H
#define UMX_RPC_ASK_H

#include "rpc/rpc.h"

/* Calls, and waits for the end of the call. *reply is malloc'ed. The error is the server's; UMX_ERR_DEADLINE, or
 * UMX_ERR_ANSWER_INVALID when there was not exactly one answer. deadline: microseconds. */
int umx_rpc_ask(struct umx_rpc_channel *channel, const char *path, const void *request, size_t length, int64_t deadline,
                uint8_t **reply, size_t *reply_length, struct umx_error *err);

#endif
