/*
 * Channel arguments: the measured table of both sides. Inside the module only.
 */
#ifndef UMX_RPC_ARGUMENTS_H
#define UMX_RPC_ARGUMENTS_H

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdbool.h>
#include <stddef.h>

enum { UMX_RPC_ARGUMENTS_MAX = 32 };

struct umx_rpc_arguments {
    grpc_arg list[UMX_RPC_ARGUMENTS_MAX];
    grpc_channel_args args; /* points into list */
};

/* streams: the server's methods are long streams, one or two a connection; otherwise calls, many a connection.
 * handshake_timeout in seconds, 0: 60. */
void umx_rpc_arguments_server(struct umx_rpc_arguments *out, size_t max_message, bool streams, int handshake_timeout,
                              grpc_resource_quota *quota);
/* server_name may be NULL; cache may be NULL. connect_timeout in milliseconds. */
void umx_rpc_arguments_client(struct umx_rpc_arguments *out, size_t max_message, const char *server_name,
                              int connect_timeout, grpc_ssl_session_cache *cache);

#endif
