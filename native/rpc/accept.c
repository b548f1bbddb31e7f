/*
 * From gRPC's "a call has come" to a stream or call of ours: who it is, and whether it may come in at all.
 */
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "rpc/server.h"

/* One place for a call to come: re-posted each time, freed when the server ends. */
struct slot {
    struct umx_rpc_event event;
    struct umx_rpc_server *server;
    const struct umx_rpc_served_method *method; /* NULL: the slot for paths that nobody serves */
    grpc_completion_queue *queue;
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_call_details details;
};

/* The verified certificate of the peer; role NONE without one. */
static int identify(struct umx_rpc_server *server, grpc_call *call, struct umx_identity *out, struct umx_error *err)
{
    grpc_auth_context *context = grpc_call_auth_context(call);
    int status = 0;

    *out = (struct umx_identity){0};
    if (context == NULL)
        return 0;
    grpc_auth_property_iterator it =
        grpc_auth_context_find_properties_by_name(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
    const grpc_auth_property *property = grpc_auth_property_iterator_next(&it);
    if (property != NULL && grpc_auth_context_peer_is_authenticated(context))
        status = umx_identity_parse(property->value, property->value_length, out, err);
    else if (property != NULL)
        status = umx_fail(err, UMX_ERR_PEER_UNAUTHENTICATED, NULL, NULL);
    /* A resumed session is not verified again by TLS. */
    if (status == 0 && out->role != UMX_ROLE_NONE && out->not_after_at < umx_clock_now())
        status = umx_fail(err, UMX_ERR_IDENTITY_INVALID, out->uri, "the certificate has expired");
    /* TLS asks for a chain to a root, which authorities that were replaced still have. */
    if (status == 0 && out->role != UMX_ROLE_NONE)
        status = umx_rpc_tls_store_check(&server->tls, property->value, property->value_length, out->uri, err);
    grpc_auth_context_release(context);
    return status;
}

/* "ipv4:192.0.2.1:50000" -> "192.0.2.1:50000"; "ipv6:%5B2001:db8::1%5D:50000" -> "[2001:db8::1]:50000". */
static void read_address(grpc_call *call, char *out, size_t size)
{
    char *peer = grpc_call_get_peer(call);
    const char *text = peer != NULL ? peer : "";
    size_t used = 0;

    if (strncmp(text, "ipv4:", 5) == 0 || strncmp(text, "ipv6:", 5) == 0)
        text += 5;
    while (*text != '\0' && used + 1 < size) {
        uint8_t byte;
        char pair[3] = {text[0], '\0', '\0'};
        if (text[0] == '%' && text[1] != '\0' && text[2] != '\0') {
            pair[0] = text[1];
            pair[1] = text[2];
            if (umx_text_from_hex(pair, &byte, 1) == 1) {
                out[used++] = (char)byte;
                text += 3;
                continue;
            }
        }
        out[used++] = *text++;
    }
    out[used] = '\0';
    gpr_free(peer);
}

/* Whether a call may come in now; counts it when it may. */
static int admit(struct umx_rpc_server *server, bool is_call, bool anonymous, struct umx_error *err)
{
    int status = 0;

    pthread_mutex_lock(&server->mutex);
    if (server->stopping)
        status = umx_fail(err, UMX_ERR_SERVER_STOPPING, NULL, NULL);
    else if (is_call && (server->calls >= server->max_calls || (anonymous && server->anonymous >= UMX_RPC_ANONYMOUS)))
        status = umx_fail(err, UMX_ERR_BUSY, NULL, NULL);
    pthread_mutex_unlock(&server->mutex);
    return status;
}

static void serve(struct umx_rpc_server *server, const struct umx_rpc_served_method *served, grpc_call *call)
{
    struct umx_identity peer;
    struct umx_error err = {0};
    char address[128];
    int status = identify(server, call, &peer, &err);

    read_address(call, address, sizeof address);
    if (status == 0 && served == NULL)
        status = umx_fail(&err, UMX_ERR_OPERATION_UNKNOWN, "a method", "nobody serves its path");
    if (status == 0 && served->method.authenticated && peer.role == UMX_ROLE_NONE)
        status = umx_fail(&err, UMX_ERR_PEER_UNAUTHENTICATED, served->method.path, NULL);
    if (status == 0)
        status = admit(server, served->method.stream.opened == NULL, peer.role == UMX_ROLE_NONE, &err);
    if (status != 0) {
        umx_rpc_server_tell(server, &peer, address, served != NULL ? served->method.path : "(unknown)", &err);
        umx_rpc_refuse(server, call, &err);
    } else if (served->method.stream.opened != NULL)
        umx_rpc_stream_accept(server, &served->method, call, &peer, address);
    else
        umx_rpc_call_accept(server, &served->method, call, &peer, address);
}

static void clear(struct slot *slot)
{
    grpc_metadata_array_destroy(&slot->metadata);
    if (slot->method == NULL)
        grpc_call_details_destroy(&slot->details);
}

static void free_slot(struct slot *slot)
{
    clear(slot);
    free(slot);
}

static bool post(struct slot *slot)
{
    grpc_call_error failed;

    slot->call = NULL;
    grpc_metadata_array_init(&slot->metadata);
    if (slot->method != NULL) {
        failed = grpc_server_request_registered_call(slot->server->server, slot->method->registered, &slot->call,
                                                     &slot->deadline, &slot->metadata, NULL, slot->queue, slot->queue,
                                                     &slot->event);
    } else {
        grpc_call_details_init(&slot->details);
        failed = grpc_server_request_call(slot->server->server, &slot->call, &slot->details, &slot->metadata,
                                          slot->queue, slot->queue, &slot->event);
    }
    return failed == GRPC_CALL_OK;
}

static void on_call(void *owner, bool ok)
{
    struct slot *slot = owner;
    struct umx_rpc_server *server = slot->server;
    const struct umx_rpc_served_method *method = slot->method;
    grpc_call *call = slot->call;

    if (!ok) { /* the server ends */
        free_slot(slot);
        return;
    }
    clear(slot);
    if (!post(slot))
        free_slot(slot);
    serve(server, method, call);
}

static int add_slot(struct umx_rpc_server *server, const struct umx_rpc_served_method *method,
                    grpc_completion_queue *queue)
{
    struct slot *slot = calloc(1, sizeof *slot);

    if (slot == NULL)
        return UMX_E_MEMORY;
    slot->event = (struct umx_rpc_event){.run = on_call, .owner = slot};
    slot->server = server;
    slot->method = method;
    slot->queue = queue;
    if (post(slot))
        return 0;
    free_slot(slot);
    return UMX_E_INTERNAL;
}

int umx_rpc_accept(struct umx_rpc_server *server, grpc_completion_queue *queue)
{
    enum { UNKNOWN_PATHS = 4 };
    int status = 0;

    for (size_t i = 0; status == 0 && i < server->method_count; i++)
        for (int k = 0; status == 0 && k < UMX_RPC_SLOTS; k++)
            status = add_slot(server, &server->methods[i], queue);
    for (int k = 0; status == 0 && k < UNKNOWN_PATHS; k++)
        status = add_slot(server, NULL, queue);
    return status;
}
