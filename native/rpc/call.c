/*
 * A call on the server: one request, then a handler on a thread of the pool that gives any number of answers.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/platform.h"
#include "rpc/server.h"

enum {
    ANSWERS_WAITING = 64,
    BYTES_WAITING = 1024 * 1024,
    ANSWER_SECONDS = 300, /* how long a client may pause, for example in a pager, before it loses its thread */
};

struct umx_rpc_call {
    struct umx_rpc_served served; /* first: a call is a served RPC */
    struct umx_rpc_call_handler handler;
    pthread_cond_t progress; /* with the served mutex */
    atomic_bool cancelled;
    uint8_t *request;
    size_t length;
    uint8_t *certificate; /* made at the first question */
    size_t certificate_length;
};

static struct umx_rpc_call *call_of(struct umx_rpc_served *served)
{
    return (struct umx_rpc_call *)served;
}

static void work(void *user)
{
    struct umx_rpc_call *call = user;
    struct umx_error err = {0};
    int status = call->handler.serve(call->handler.user, call, &call->served.peer, call->request, call->length, &err);

    if (status != 0 && err.status == 0)
        umx_fail(&err, UMX_ERR_INTERNAL, "a handler failed without a reason", NULL);
    free(call->request);
    call->request = NULL;
    free(call->certificate);
    call->certificate = NULL;
    umx_rpc_pool_done(call->served.server->pool);
    umx_rpc_served_finish(&call->served, status != 0 ? &err : NULL);
    umx_rpc_served_release(&call->served);
}

static bool received(struct umx_rpc_served *served, uint8_t *bytes, size_t length)
{
    struct umx_rpc_call *call = call_of(served);
    struct umx_error err;

    pthread_mutex_lock(&served->mutex);
    served->waiting = false;
    served->pending++; /* for the thread */
    pthread_mutex_unlock(&served->mutex);
    call->request = malloc(length + 1);
    if (call->request == NULL) {
        umx_fail(&err, UMX_ERR_MEMORY, NULL, NULL);
    } else {
        memcpy(call->request, bytes, length + 1); /* with the NUL of umx_rpc_gather */
        call->length = length;
        if (umx_rpc_pool_run(served->server->pool, work, call))
            return false;
        umx_fail(&err, UMX_ERR_BUSY, NULL, NULL);
    }
    umx_rpc_served_finish(served, &err);
    umx_rpc_served_release(served);
    return false;
}

static void half_closed(struct umx_rpc_served *served)
{
    struct umx_error err;

    umx_fail(&err, UMX_ERR_PROTOCOL, NULL, "the call ended without a request");
    umx_rpc_served_finish(served, &err);
}

static void progress(struct umx_rpc_served *served)
{
    struct umx_rpc_call *call = call_of(served);

    if (served->over)
        atomic_store(&call->cancelled, true);
    pthread_cond_broadcast(&call->progress);
}

static void ended(struct umx_rpc_served *served)
{
    struct umx_rpc_call *call = call_of(served);

    umx_rpc_served_clear(served);
    pthread_cond_destroy(&call->progress);
    free(call->request);
    free(call);
}

static const struct umx_rpc_served_kind kind = {
    .received = received, .half_closed = half_closed, .progress = progress, .ended = ended, .is_call = true};

void umx_rpc_call_accept(struct umx_rpc_server *server, const struct umx_rpc_method *method, grpc_call *core,
                         const struct umx_identity *peer, const char *address)
{
    struct umx_rpc_call *call = calloc(1, sizeof *call);

    if (call == NULL) {
        grpc_call_unref(core);
        return;
    }
    call->handler = method->call;
    call->served.path = method->path;
    call->served.max_request = method->max_request > 0 ? method->max_request : server->max_message;
    call->served.waiting = true;
    umx_rpc_cond_init(&call->progress);
    if (umx_rpc_served_open(&call->served, &kind, server, core, peer, address) == 0) {
        umx_rpc_served_receive(&call->served);
        return;
    }
    grpc_call_unref(core);
    pthread_cond_destroy(&call->progress);
    free(call);
}

static bool full(const struct umx_rpc_outbox *box, size_t length)
{
    return box->count >= ANSWERS_WAITING || (box->count > 0 && box->bytes + length > BYTES_WAITING);
}

int umx_rpc_answer(struct umx_rpc_call *call, const void *bytes, size_t length, struct umx_error *err)
{
    struct umx_rpc_served *served = &call->served;
    struct umx_error why;
    bool patient = true;
    int status = 0;

    if (length > served->server->max_message)
        return umx_fail(err, UMX_ERR_FRAME_TOO_LARGE, "an answer", NULL);
    pthread_mutex_lock(&served->mutex);
    while (full(&served->box, length) && !served->over && !served->finishing && patient)
        patient = umx_rpc_cond_wait(&call->progress, &served->mutex, ANSWER_SECONDS * UMX_SECOND);
    if (served->over || served->finishing) {
        status = umx_fail(err, UMX_ERR_CANCELLED, NULL, NULL);
    } else if (full(&served->box, length)) {
        umx_fail(&why, UMX_ERR_PEER_TOO_SLOW, served->address, NULL);
        umx_rpc_served_abort(served, &why);
        status = umx_fail(err, UMX_ERR_PEER_TOO_SLOW, served->address, NULL);
    } else if (!umx_rpc_outbox_add(&served->box, bytes, length)) {
        status = umx_fail(err, UMX_ERR_MEMORY, "an answer", NULL);
    } else {
        umx_rpc_served_push(served);
    }
    pthread_mutex_unlock(&served->mutex);
    return status;
}

bool umx_rpc_cancelled(const struct umx_rpc_call *call)
{
    return atomic_load(&call->cancelled);
}

const char *umx_rpc_call_peer(const struct umx_rpc_call *call)
{
    return call->served.address;
}

const uint8_t *umx_rpc_call_certificate(struct umx_rpc_call *call, size_t *length)
{
    *length = 0;
    if (call->certificate == NULL && call->served.peer.role != UMX_ROLE_NONE) {
        grpc_auth_context *context = grpc_call_auth_context(call->served.call);
        grpc_auth_property_iterator it =
            grpc_auth_context_find_properties_by_name(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
        const grpc_auth_property *property = grpc_auth_property_iterator_next(&it);
        if (property != NULL)
            umx_identity_certificate(property->value, property->value_length, &call->certificate,
                                     &call->certificate_length);
        grpc_auth_context_release(context);
    }
    if (call->certificate != NULL)
        *length = call->certificate_length;
    return call->certificate;
}
