/*
 * Messages waiting for their turn: gRPC takes one send at a time. And the way between its buffers and plain bytes.
 * Not thread-safe: the owner's lock guards it. Inside the module only.
 */
#ifndef UMX_RPC_OUTBOX_H
#define UMX_RPC_OUTBOX_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct umx_rpc_packet;

struct umx_rpc_outbox {
    struct umx_rpc_packet *first;
    struct umx_rpc_packet *last;
    size_t count; /* waiting, without the one on its way */
    size_t bytes;
    bool sending; /* one is on its way */
};

/* Copies the bytes to the end; false: out of memory. */
bool umx_rpc_outbox_add(struct umx_rpc_outbox *box, const void *bytes, size_t length);
/* Starts the first one unless one is on its way or none waits. True when a batch was started: tag will come back. */
bool umx_rpc_outbox_start(struct umx_rpc_outbox *box, grpc_call *call, void *tag);
void umx_rpc_outbox_clear(struct umx_rpc_outbox *box);

/* Copies a received message out of gRPC's buffers (which are larger than it) into malloc'ed memory, with a NUL behind;
 * NULL: out of memory. */
uint8_t *umx_rpc_gather(grpc_byte_buffer *buffer, size_t *length);

#endif
