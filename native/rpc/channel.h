/*
 * The dialler's inside, for channel.c and client_call.c.
 */
#ifndef UMX_RPC_CHANNEL_H
#define UMX_RPC_CHANNEL_H

#include <grpc/grpc.h>
#include <pthread.h>

#include "rpc/rpc.h"

struct umx_rpc_channel {
    grpc_channel *channel;
    struct umx_rpc_peer_check *check; /* shared with gRPC, which frees it with the credentials */
    char target[UMX_FQDN_MAX + 8];
    size_t max_message;
};

/* Why the last server was refused though TLS accepted it; false: it was not. */
bool umx_rpc_channel_refused(struct umx_rpc_channel *channel, struct umx_error *err);

#endif
