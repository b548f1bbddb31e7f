/*
 * A call or stream of a client. It has a completion queue of its own, and gRPC moves its bytes only while somebody
 * waits in umx_rpc_call_next: no thread of ours is needed.
 */
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/channel.h"
#include "rpc/outbox.h"
#include "rpc/platform.h"
#include "rpc/status.h"

enum {
    BACKLOG_MESSAGES = 4096,
    BACKLOG_BYTES = 16 * 1024 * 1024,
};

/* Signals wait while a thread is inside gRPC; never longer than this. */
#define SLICE (50 * UMX_MILLISECOND)

/* What a completion queue hands back. */
enum event { STATUS, OPENED, METADATA, RECEIVED, SENT, CLOSED, EVENTS };

struct umx_rpc_client_call {
    struct umx_rpc_channel *channel;
    grpc_completion_queue *queue;
    grpc_call *call;
    char tags[EVENTS]; /* only their addresses matter */

    pthread_mutex_t mutex; /* guards what follows */
    struct umx_rpc_outbox box;
    int pending;
    bool half_close; /* wanted once everything is sent */
    bool closing;    /* ours was started, or cannot be any more */
    bool receiving;
    bool over; /* the status has come */

    /* Written by gRPC, read after the event. */
    grpc_byte_buffer *incoming;
    grpc_metadata_array metadata;
    grpc_metadata_array trailing;
    grpc_status_code code;
    grpc_slice details;
};

static bool start(struct umx_rpc_client_call *call, const grpc_op *op, enum event event)
{
    if (grpc_call_start_batch(call->call, op, 1, &call->tags[event], NULL) != GRPC_CALL_OK)
        return false;
    call->pending++;
    return true;
}

/* Starts what can be sent now; the mutex is held. */
static void push(struct umx_rpc_client_call *call)
{
    if (call->over)
        return;
    if (umx_rpc_outbox_start(&call->box, call->call, &call->tags[SENT]))
        call->pending++;
    if (call->half_close && !call->closing && !call->box.sending && call->box.count == 0) {
        grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
        call->closing = true;
        start(call, &op, CLOSED);
    }
}

static void receive(struct umx_rpc_client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->incoming};

    if (!call->receiving && !call->over && call->incoming == NULL)
        call->receiving = start(call, &op, RECEIVED);
}

static void open(struct umx_rpc_client_call *call)
{
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    grpc_op opening = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    grpc_op metadata = {.op = GRPC_OP_RECV_INITIAL_METADATA};

    status.data.recv_status_on_client.trailing_metadata = &call->trailing;
    status.data.recv_status_on_client.status = &call->code;
    status.data.recv_status_on_client.status_details = &call->details;
    metadata.data.recv_initial_metadata.recv_initial_metadata = &call->metadata;
    start(call, &status, STATUS);
    start(call, &opening, OPENED);
    start(call, &metadata, METADATA);
    push(call);
    receive(call);
}

static gpr_timespec after(int64_t microseconds)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(microseconds, GPR_TIMESPAN));
}

int umx_rpc_call_start(struct umx_rpc_channel *channel, const char *path, const void *request, size_t length,
                       bool half_close, int64_t deadline, struct umx_rpc_client_call **out, struct umx_error *err)
{
    struct umx_rpc_mask before;

    *out = NULL;
    if (length > channel->max_message)
        return umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, path, NULL);
    struct umx_rpc_client_call *call = calloc(1, sizeof *call);
    if (call == NULL || (request != NULL && !umx_rpc_outbox_add(&call->box, request, length))) {
        free(call);
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    }
    call->channel = channel;
    call->half_close = half_close;
    call->details = grpc_empty_slice();
    pthread_mutex_init(&call->mutex, NULL);
    grpc_metadata_array_init(&call->metadata);
    grpc_metadata_array_init(&call->trailing);
    umx_rpc_mask(&before);
    grpc_slice method = grpc_slice_from_copied_string(path);
    call->queue = grpc_completion_queue_create_for_next(NULL);
    call->call = grpc_channel_create_call(channel->channel, NULL, GRPC_PROPAGATE_DEFAULTS, call->queue, method, NULL,
                                          deadline > 0 ? after(deadline) : gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_slice_unref(method);
    pthread_mutex_lock(&call->mutex);
    open(call);
    pthread_mutex_unlock(&call->mutex);
    umx_rpc_unmask(&before);
    *out = call;
    return 0;
}

static void handle(struct umx_rpc_client_call *call, const grpc_event *got)
{
    enum event event = (enum event)((char *)got->tag - call->tags);

    pthread_mutex_lock(&call->mutex);
    call->pending--;
    if (event == STATUS) {
        call->over = true;
        umx_rpc_outbox_clear(&call->box);
    } else if (event == RECEIVED) {
        call->receiving = false;
    } else if (event == SENT) {
        call->box.sending = false;
        push(call);
    }
    pthread_mutex_unlock(&call->mutex);
}

/* Handles at most one event; false when none came in time. */
static bool pump(struct umx_rpc_client_call *call, int64_t timeout)
{
    struct umx_rpc_mask before;

    umx_rpc_mask(&before);
    grpc_event got = grpc_completion_queue_next(call->queue, after(timeout), NULL);
    if (got.type == GRPC_OP_COMPLETE)
        handle(call, &got);
    umx_rpc_unmask(&before);
    return got.type == GRPC_OP_COMPLETE;
}

/* Certificates that TLS accepted and we did not leave only "connection failed" in the status. */
static void explain(struct umx_rpc_client_call *call, struct umx_error *err)
{
    struct umx_error refused;
    char why[UMX_ERROR_WHY_MAX];

    if (umx_rpc_status_parse(call->code, (const char *)GRPC_SLICE_START_PTR(call->details),
                             GRPC_SLICE_LENGTH(call->details), call->channel->target, err) == 0 ||
        err == NULL || err->id != UMX_ERR_PEER_UNREACHABLE)
        return;
    if (umx_rpc_channel_refused(call->channel, &refused)) {
        *err = refused;
    } else if (strstr(err->why, "handshake") != NULL || strstr(err->why, "Peer name") != NULL) {
        memcpy(why, err->why, sizeof why);
        umx_fail_code(err, UMX_ERR_TLS_FAILED, err->foreign, call->channel->target, "%s", why);
    }
}

/* Under the lock: hands out what has come, or arms the next receive. 0: wait. */
static int take(struct umx_rpc_client_call *call, grpc_byte_buffer **buffer)
{
    int got = 0;

    pthread_mutex_lock(&call->mutex);
    if (!call->receiving && call->incoming != NULL) {
        *buffer = call->incoming;
        call->incoming = NULL;
        got = UMX_RPC_MESSAGE;
    } else if (call->over && !call->receiving) {
        got = UMX_RPC_END;
    }
    receive(call);
    pthread_mutex_unlock(&call->mutex);
    return got;
}

enum umx_rpc_next umx_rpc_call_next(struct umx_rpc_client_call *call, int64_t timeout, uint8_t **bytes, size_t *length,
                                    struct umx_error *err)
{
    int64_t until = umx_clock_monotonic() + timeout;
    grpc_byte_buffer *buffer = NULL;

    *bytes = NULL;
    *length = 0;
    for (;;) {
        int got = take(call, &buffer);
        if (got == UMX_RPC_END) {
            explain(call, err);
            return UMX_RPC_END;
        }
        if (got == UMX_RPC_MESSAGE) {
            *bytes = umx_rpc_gather(buffer, length);
            grpc_byte_buffer_destroy(buffer);
            if (*bytes != NULL)
                return UMX_RPC_MESSAGE;
            umx_rpc_call_cancel(call);
            umx_fail(err, UMX_ERR_MEMORY, call->channel->target, NULL);
            return UMX_RPC_END;
        }
        int64_t left = until - umx_clock_monotonic();
        if (!pump(call, left < 0 ? 0 : left < SLICE ? left : SLICE) && left <= 0)
            return UMX_RPC_TIMEOUT;
    }
}

int umx_rpc_call_send(struct umx_rpc_client_call *call, const void *bytes, size_t length)
{
    struct umx_rpc_mask before;
    int status = 0;

    if (length > call->channel->max_message)
        return UMX_E_ARGUMENT;
    umx_rpc_mask(&before);
    pthread_mutex_lock(&call->mutex);
    if (call->over || call->half_close)
        status = UMX_E_CANCELLED;
    else if (call->box.count >= BACKLOG_MESSAGES || call->box.bytes + length > BACKLOG_BYTES)
        status = UMX_E_LIMIT;
    else if (!umx_rpc_outbox_add(&call->box, bytes, length))
        status = UMX_E_MEMORY;
    else
        push(call);
    pthread_mutex_unlock(&call->mutex);
    umx_rpc_unmask(&before);
    return status;
}

size_t umx_rpc_call_backlog(struct umx_rpc_client_call *call)
{
    pthread_mutex_lock(&call->mutex);
    size_t bytes = call->box.bytes + call->box.sending;
    pthread_mutex_unlock(&call->mutex);
    return bytes;
}

void umx_rpc_call_finish(struct umx_rpc_client_call *call)
{
    struct umx_rpc_mask before;

    umx_rpc_mask(&before);
    pthread_mutex_lock(&call->mutex);
    call->half_close = true;
    push(call);
    pthread_mutex_unlock(&call->mutex);
    umx_rpc_unmask(&before);
}

void umx_rpc_call_cancel(struct umx_rpc_client_call *call)
{
    struct umx_rpc_mask before;

    umx_rpc_mask(&before);
    grpc_call_cancel(call->call, NULL);
    umx_rpc_unmask(&before);
}

void umx_rpc_call_close(struct umx_rpc_client_call *call)
{
    struct umx_rpc_mask before;

    if (call == NULL)
        return;
    umx_rpc_mask(&before);
    grpc_call_cancel(call->call, NULL);
    while (call->pending > 0)
        pump(call, SLICE);
    grpc_call_unref(call->call);
    grpc_completion_queue_shutdown(call->queue);
    while (grpc_completion_queue_next(call->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        ;
    grpc_completion_queue_destroy(call->queue);
    umx_rpc_unmask(&before);
    grpc_byte_buffer_destroy(call->incoming);
    grpc_metadata_array_destroy(&call->metadata);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->details);
    umx_rpc_outbox_clear(&call->box);
    pthread_mutex_destroy(&call->mutex);
    free(call);
}
