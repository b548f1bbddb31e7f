#include "rpc/served.h"

#include <grpc/slice.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "rpc/server.h"
#include "rpc/status.h"

enum {
    FLUSH_SECONDS = 10,   /* how long a decided end waits for a peer that does not read */
    REQUEST_SECONDS = 30, /* how long a call may take to bring its request */
};

/* Starts one operation; the mutex is held. */
static bool start(struct umx_rpc_served *served, const grpc_op *op, struct umx_rpc_event *event)
{
    if (grpc_call_start_batch(served->call, op, 1, event, NULL) != GRPC_CALL_OK)
        return false;
    served->pending++;
    return true;
}

/* Gives back one reason to stay; the mutex is held, and is not afterwards. */
static void drop(struct umx_rpc_served *served)
{
    bool last = --served->pending == 0;

    pthread_mutex_unlock(&served->mutex);
    if (last) {
        struct umx_rpc_server *server = served->server;
        umx_rpc_server_forget(server, served);
        served->kind->ended(served);
        umx_rpc_server_gone(server);
    }
}

static void send_status(struct umx_rpc_served *served)
{
    char details[UMX_RPC_DETAILS_MAX];

    if (served->status_sent || served->over || served->box.sending || served->box.count > 0)
        return;
    umx_rpc_status_details(&served->why, details);
    grpc_slice text = grpc_slice_from_copied_string(details);
    grpc_op op = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    op.data.send_status_from_server.status = umx_rpc_status_code(served->why.status);
    op.data.send_status_from_server.status_details = &text;
    served->status_sent = true;
    start(served, &op, &served->on_status);
    grpc_slice_unref(text);
}

void umx_rpc_served_push(struct umx_rpc_served *served)
{
    if (!served->over && umx_rpc_outbox_start(&served->box, served->call, &served->on_sent))
        served->pending++;
    if (served->finishing)
        send_status(served);
}

static void on_kick(void *owner, bool ok)
{
    struct umx_rpc_served *served = owner;

    (void)ok;
    pthread_mutex_lock(&served->mutex);
    served->kicked = false;
    umx_rpc_served_push(served);
    drop(served);
}

void umx_rpc_served_kick(struct umx_rpc_served *served)
{
    if (served->kicked || served->box.sending || served->over)
        return; /* whoever sends now goes on with what is queued */
    /* No operation: the event comes at once, to a thread of the queue. */
    served->kicked = grpc_call_start_batch(served->call, NULL, 0, &served->on_kick, NULL) == GRPC_CALL_OK;
    if (served->kicked)
        served->pending++;
    else
        umx_rpc_served_push(served);
}

void umx_rpc_served_pause(struct umx_rpc_served *served, int64_t duration)
{
    umx_rpc_served_hold(served);
    served->resume_at = umx_clock_monotonic() + duration;
    umx_rpc_server_pause(served->server, served);
}

static void on_close(void *owner, bool ok)
{
    struct umx_rpc_served *served = owner;

    (void)ok;
    pthread_mutex_lock(&served->mutex);
    served->over = true;
    umx_rpc_outbox_clear(&served->box);
    served->kind->progress(served);
    drop(served);
}

static void on_opened(void *owner, bool ok)
{
    struct umx_rpc_served *served = owner;

    (void)ok;
    pthread_mutex_lock(&served->mutex);
    drop(served);
}

static void on_status(void *owner, bool ok)
{
    on_opened(owner, ok);
}

static void on_sent(void *owner, bool ok)
{
    struct umx_rpc_served *served = owner;

    pthread_mutex_lock(&served->mutex);
    served->box.sending = false;
    if (!ok)
        umx_rpc_outbox_clear(&served->box);
    umx_rpc_served_push(served);
    served->kind->progress(served);
    drop(served);
}

static void on_received(void *owner, bool ok)
{
    struct umx_rpc_served *served = owner;
    grpc_byte_buffer *buffer = served->incoming;
    struct umx_error why;
    size_t length = 0;
    uint8_t *bytes = NULL;
    bool more = false, large = false;

    served->incoming = NULL;
    if (ok && buffer != NULL)
        large = served->max_request > 0 && grpc_byte_buffer_length(buffer) > served->max_request;
    if (ok && buffer != NULL && !large)
        bytes = umx_rpc_gather(buffer, &length);
    grpc_byte_buffer_destroy(buffer);
    if (large) {
        umx_fail(&why, UMX_ERR_FRAME_TOO_LARGE, "the request", "at most %zu bytes", served->max_request);
        umx_rpc_server_tell(served->server, &served->peer, served->address, served->path, &why);
        umx_rpc_served_finish(served, &why);
    } else if (bytes != NULL) {
        more = served->kind->received(served, bytes, length);
        free(bytes);
    } else {
        served->kind->half_closed(served);
    }
    if (more)
        umx_rpc_served_receive(served);
    pthread_mutex_lock(&served->mutex);
    drop(served);
}

void umx_rpc_served_receive(struct umx_rpc_served *served)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &served->incoming};

    pthread_mutex_lock(&served->mutex);
    if (!served->over && !served->finishing)
        start(served, &op, &served->on_received);
    pthread_mutex_unlock(&served->mutex);
}

int umx_rpc_served_open(struct umx_rpc_served *served, const struct umx_rpc_served_kind *kind,
                        struct umx_rpc_server *server, grpc_call *call, const struct umx_identity *peer,
                        const char *address)
{
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &served->cancelled};
    grpc_op metadata = {.op = GRPC_OP_SEND_INITIAL_METADATA};

    served->server = server;
    served->kind = kind;
    served->call = call;
    served->peer = *peer;
    served->started_at = umx_clock_monotonic();
    umx_text_copy(served->address, sizeof served->address, address);
    served->on_close = (struct umx_rpc_event){.run = on_close, .owner = served};
    served->on_opened = (struct umx_rpc_event){.run = on_opened, .owner = served};
    served->on_received = (struct umx_rpc_event){.run = on_received, .owner = served};
    served->on_sent = (struct umx_rpc_event){.run = on_sent, .owner = served};
    served->on_status = (struct umx_rpc_event){.run = on_status, .owner = served};
    served->on_kick = (struct umx_rpc_event){.run = on_kick, .owner = served};
    pthread_mutex_init(&served->mutex, NULL);
    /* Its events come on the queue whose thread runs this, so nothing of them is seen before we return. */
    if (!start(served, &close, &served->on_close)) {
        pthread_mutex_destroy(&served->mutex);
        return UMX_E_CANCELLED;
    }
    start(served, &metadata, &served->on_opened);
    umx_rpc_server_remember(server, served);
    return 0;
}

void umx_rpc_served_finish(struct umx_rpc_served *served, const struct umx_error *why)
{
    pthread_mutex_lock(&served->mutex);
    if (!served->finishing) {
        served->finishing = true;
        served->finished_at = umx_clock_monotonic();
        if (why != NULL)
            served->why = *why;
        umx_rpc_served_push(served);
    }
    pthread_mutex_unlock(&served->mutex);
}

void umx_rpc_served_abort(struct umx_rpc_served *served, const struct umx_error *why)
{
    char details[UMX_RPC_DETAILS_MAX];

    if (served->over)
        return;
    if (!served->finishing) {
        served->finishing = true;
        served->finished_at = umx_clock_monotonic();
        served->why = *why;
    }
    umx_rpc_outbox_clear(&served->box);
    umx_rpc_status_details(why, details);
    grpc_call_cancel_with_status(served->call, umx_rpc_status_code(why->status), details, NULL);
}

void umx_rpc_served_hold(struct umx_rpc_served *served)
{
    pthread_mutex_lock(&served->mutex);
    served->pending++;
    pthread_mutex_unlock(&served->mutex);
}

void umx_rpc_served_release(struct umx_rpc_served *served)
{
    pthread_mutex_lock(&served->mutex);
    drop(served);
}

void umx_rpc_served_tick(struct umx_rpc_served *served, int64_t monotonic, int64_t wall)
{
    struct umx_error why;

    pthread_mutex_lock(&served->mutex);
    if (served->finishing && monotonic - served->finished_at > FLUSH_SECONDS * UMX_SECOND) {
        umx_fail(&why, UMX_ERR_PEER_TOO_SLOW, served->address, NULL);
        umx_rpc_served_abort(served, &why);
    } else if (served->waiting && monotonic - served->started_at > REQUEST_SECONDS * UMX_SECOND) {
        umx_fail(&why, UMX_ERR_DEADLINE, served->address, "the request did not come");
        umx_rpc_served_abort(served, &why);
    } else if (served->peer.role != UMX_ROLE_NONE && served->peer.not_after_at < wall) {
        umx_fail(&why, UMX_ERR_IDENTITY_INVALID, served->peer.uri, "the certificate has expired");
        umx_rpc_served_abort(served, &why);
    }
    pthread_mutex_unlock(&served->mutex);
}

void umx_rpc_served_clear(struct umx_rpc_served *served)
{
    umx_rpc_outbox_clear(&served->box);
    grpc_byte_buffer_destroy(served->incoming);
    grpc_call_unref(served->call);
    pthread_mutex_destroy(&served->mutex);
}
