/*
 * An RPC that only learns why it is not served.
 */
#include <stdlib.h>

#include "rpc/server.h"

static bool received(struct umx_rpc_served *served, uint8_t *bytes, size_t length)
{
    (void)served;
    (void)bytes;
    (void)length;
    return false;
}

static void nothing(struct umx_rpc_served *served)
{
    (void)served;
}

static void ended(struct umx_rpc_served *served)
{
    umx_rpc_served_clear(served);
    free(served);
}

static const struct umx_rpc_served_kind kind = {
    .received = received, .half_closed = nothing, .progress = nothing, .ended = ended};

void umx_rpc_refuse(struct umx_rpc_server *server, grpc_call *call, const struct umx_error *why)
{
    static const struct umx_identity nobody;
    struct umx_rpc_served *served = calloc(1, sizeof *served);

    if (served == NULL || umx_rpc_served_open(served, &kind, server, call, &nobody, "") != 0) {
        grpc_call_unref(call);
        free(served);
        return;
    }
    umx_rpc_served_finish(served, why);
}
