#include "rpc/outbox.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <stdlib.h>
#include <string.h>

struct umx_rpc_packet {
    struct umx_rpc_packet *next;
    grpc_byte_buffer *buffer;
    size_t length;
};

bool umx_rpc_outbox_add(struct umx_rpc_outbox *box, const void *bytes, size_t length)
{
    struct umx_rpc_packet *packet = calloc(1, sizeof *packet);

    if (packet == NULL)
        return false;
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes != NULL ? bytes : "", length);
    packet->buffer = grpc_raw_byte_buffer_create(&slice, 1);
    packet->length = length;
    grpc_slice_unref(slice);
    if (box->last != NULL)
        box->last->next = packet;
    else
        box->first = packet;
    box->last = packet;
    box->count++;
    box->bytes += length;
    return true;
}

static struct umx_rpc_packet *take(struct umx_rpc_outbox *box)
{
    struct umx_rpc_packet *packet = box->first;

    box->first = packet->next;
    if (box->first == NULL)
        box->last = NULL;
    box->count--;
    box->bytes -= packet->length;
    return packet;
}

static void release(struct umx_rpc_packet *packet)
{
    grpc_byte_buffer_destroy(packet->buffer);
    free(packet);
}

bool umx_rpc_outbox_start(struct umx_rpc_outbox *box, grpc_call *call, void *tag)
{
    if (box->sending || box->first == NULL)
        return false;
    struct umx_rpc_packet *packet = take(box);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = packet->buffer};
    box->sending = grpc_call_start_batch(call, &op, 1, tag, NULL) == GRPC_CALL_OK;
    release(packet);
    return box->sending;
}

void umx_rpc_outbox_clear(struct umx_rpc_outbox *box)
{
    while (box->first != NULL)
        release(take(box));
}

uint8_t *umx_rpc_gather(grpc_byte_buffer *buffer, size_t *length)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    size_t total = grpc_byte_buffer_length(buffer);
    uint8_t *bytes = malloc(total + 1);
    size_t used = 0;

    if (bytes == NULL || !grpc_byte_buffer_reader_init(&reader, buffer)) {
        free(bytes);
        return NULL;
    }
    while (grpc_byte_buffer_reader_next(&reader, &slice)) {
        size_t part = GRPC_SLICE_LENGTH(slice);
        if (part > total - used)
            part = total - used;
        memcpy(bytes + used, GRPC_SLICE_START_PTR(slice), part);
        used += part;
        grpc_slice_unref(slice);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    bytes[used] = '\0';
    *length = used;
    return bytes;
}
