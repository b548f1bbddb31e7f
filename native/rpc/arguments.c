#include "rpc/arguments.h"

#include <grpc/compression.h>
#include <grpc/support/alloc.h>
#include <limits.h>

enum { HANDSHAKE_SECONDS = 60 }; /* a storm of thousands at once needs it */

/* Arguments are not const in gRPC's structure, though it only copies them. */
union text {
    const char *constant;
    char *variable;
};

static char *unconst(const char *constant)
{
    union text text = {.constant = constant};

    return text.variable;
}

struct integer {
    const char *key;
    int value;
};

/* A message is what it is on the wire: no compression, so that a small one cannot become a large one. */
static const struct integer both[] = {
    {GRPC_ARG_HTTP2_BDP_PROBE, 0}, /* half of the processor time of a fan-out, and back-pressure stays visible */
    {GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65536},
    {GRPC_ARG_ENABLE_CHANNELZ, 0},
    {GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0},
    {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
    {GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1},
    {GRPC_ARG_KEEPALIVE_TIME_MS, 60000},
    {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000},
    {GRPC_ARG_MAX_METADATA_SIZE, 8192},
};

static const struct integer server[] = {
    {GRPC_ARG_ALLOW_REUSEPORT, 0}, /* a taken port is an error */
    {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 15000},
    {GRPC_ARG_MAX_CONNECTION_IDLE_MS, 60000},
    {GRPC_ARG_MAX_CONNECTION_AGE_MS, 12 * 3600 * 1000}, /* everybody shows the certificate again */
    {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 60000},
};

static const struct integer client[] = {
    {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
    {GRPC_ARG_ENABLE_RETRIES, 0},
    {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
    {GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX},
    {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 1000},
    {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 10000}, /* the agent's own pauses come on top */
    {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0}, /* otherwise keepalive ends after two pings on a quiet stream */
    {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},    /* a new channel is a new connection with its own identity */
};

static void add(struct umx_rpc_arguments *out, grpc_arg argument)
{
    if (out->args.num_args < UMX_RPC_ARGUMENTS_MAX)
        out->list[out->args.num_args++] = argument;
}

static void add_integer(struct umx_rpc_arguments *out, const char *key, int value)
{
    add(out, (grpc_arg){.type = GRPC_ARG_INTEGER, .key = unconst(key), .value.integer = value});
}

static void add_string(struct umx_rpc_arguments *out, const char *key, const char *value)
{
    add(out, (grpc_arg){.type = GRPC_ARG_STRING, .key = unconst(key), .value.string = unconst(value)});
}

static void add_integers(struct umx_rpc_arguments *out, const struct integer *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_integer(out, rows[i].key, rows[i].value);
}

static void start(struct umx_rpc_arguments *out, size_t max_message)
{
    out->args = (grpc_channel_args){.num_args = 0, .args = out->list};
    add_integers(out, both, sizeof both / sizeof both[0]);
    add_integer(out, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, max_message < INT_MAX ? (int)max_message : INT_MAX);
}

void umx_rpc_arguments_server(struct umx_rpc_arguments *out, size_t max_message, bool streams, int handshake_timeout,
                              grpc_resource_quota *quota)
{
    start(out, max_message);
    add_integers(out, server, sizeof server / sizeof server[0]);
    add_integer(out, GRPC_ARG_MAX_CONCURRENT_STREAMS, streams ? 4 : 64);
    add_integer(out, GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                1000 * (handshake_timeout > 0 ? handshake_timeout : HANDSHAKE_SECONDS));
    if (quota != NULL)
        add(out, (grpc_arg){.type = GRPC_ARG_POINTER,
                            .key = unconst(GRPC_ARG_RESOURCE_QUOTA),
                            .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}});
}

void umx_rpc_arguments_client(struct umx_rpc_arguments *out, size_t max_message, const char *server_name,
                              int connect_timeout, grpc_ssl_session_cache *cache)
{
    start(out, max_message);
    add_integers(out, client, sizeof client / sizeof client[0]);
    add_integer(out, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect_timeout);
    if (server_name != NULL)
        add_string(out, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, server_name);
    if (cache != NULL)
        add(out, grpc_ssl_session_cache_create_channel_arg(cache));
}
