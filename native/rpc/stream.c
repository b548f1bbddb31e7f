/*
 * A stream on the server: messages to its handler as they come, messages from any thread through a bounded queue.
 * A peer that does not take them in time loses the stream, never the server's memory.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "rpc/server.h"

#define CROWDED (UMX_SECOND / 10)

struct umx_rpc_stream {
    struct umx_rpc_served served; /* first: a stream is a served RPC */
    struct umx_rpc_stream_handler handler;
    void *state;
    bool opened;
    int64_t pause; /* wanted by the handler of the message that is being served; 0: none */
};

static struct umx_rpc_stream *stream_of(struct umx_rpc_served *served)
{
    return (struct umx_rpc_stream *)served;
}

/* A peer is asked for more when what answers it is on its way: its questions never fill the queue of the answers. */
static bool is_crowded(struct umx_rpc_served *served)
{
    pthread_mutex_lock(&served->mutex);
    bool crowded = served->box.count >= UMX_RPC_STREAM_MESSAGES / 2 || served->box.bytes >= UMX_RPC_STREAM_BYTES / 2;
    pthread_mutex_unlock(&served->mutex);
    return crowded;
}

static bool received(struct umx_rpc_served *served, uint8_t *bytes, size_t length)
{
    struct umx_rpc_stream *stream = stream_of(served);

    stream->pause = 0;
    stream->handler.message(stream->state, bytes, length);
    if (stream->pause == 0 && is_crowded(served))
        stream->pause = CROWDED;
    if (stream->pause == 0)
        return true;
    umx_rpc_served_pause(served, stream->pause);
    return false;
}

static void half_closed(struct umx_rpc_served *served)
{
    umx_rpc_served_finish(served, NULL);
}

static void progress(struct umx_rpc_served *served)
{
    (void)served;
}

static void ended(struct umx_rpc_served *served)
{
    struct umx_rpc_stream *stream = stream_of(served);

    if (stream->opened)
        stream->handler.closed(stream->state);
    umx_rpc_served_clear(served);
    free(stream);
}

static const struct umx_rpc_served_kind kind = {
    .received = received, .half_closed = half_closed, .progress = progress, .ended = ended};

void umx_rpc_stream_accept(struct umx_rpc_server *server, const struct umx_rpc_method *method, grpc_call *call,
                           const struct umx_identity *peer, const char *address)
{
    const struct umx_rpc_stream_handler *handler = &method->stream;
    struct umx_rpc_stream *stream = calloc(1, sizeof *stream);
    struct umx_error err = {0};

    if (stream == NULL || umx_rpc_served_open(&stream->served, &kind, server, call, peer, address) != 0) {
        grpc_call_unref(call);
        free(stream);
        return;
    }
    stream->handler = *handler;
    stream->served.path = method->path;
    stream->served.max_request = server->max_message;
    if (handler->opened(handler->user, stream, &stream->served.peer, stream->served.address, &stream->state, &err) !=
        0) {
        umx_rpc_server_tell(server, peer, address, method->path, &err);
        umx_rpc_served_finish(&stream->served, &err);
        return;
    }
    stream->opened = true;
    umx_rpc_served_receive(&stream->served);
}

int umx_rpc_stream_send(struct umx_rpc_stream *stream, const void *bytes, size_t length)
{
    struct umx_rpc_served *served = &stream->served;
    struct umx_rpc_outbox *box = &served->box;
    struct umx_error why;
    int status = 0;

    if (length > served->server->max_message)
        return UMX_E_ARGUMENT;
    pthread_mutex_lock(&served->mutex);
    bool full = box->count >= UMX_RPC_STREAM_MESSAGES || (box->count > 0 && box->bytes + length > UMX_RPC_STREAM_BYTES);
    if (served->over || served->finishing) {
        status = UMX_E_CANCELLED;
    } else if (full) {
        status = umx_fail(&why, UMX_ERR_PEER_TOO_SLOW, served->peer.uri, NULL);
        umx_rpc_served_abort(served, &why);
    } else if (!umx_rpc_outbox_add(box, bytes, length)) {
        status = UMX_E_MEMORY;
    } else {
        umx_rpc_served_kick(served);
    }
    pthread_mutex_unlock(&served->mutex);
    return status;
}

void umx_rpc_stream_pause(struct umx_rpc_stream *stream, int64_t duration)
{
    if (duration > stream->pause)
        stream->pause = duration;
}

void umx_rpc_stream_close(struct umx_rpc_stream *stream, const struct umx_error *why)
{
    umx_rpc_served_finish(&stream->served, why);
}
