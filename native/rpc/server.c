#include "rpc/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/arguments.h"
#include "rpc/begin.h"
#include "rpc/peers.h"
#include "rpc/platform.h"

enum {
    CONNECTION_BYTES = 150 * 1024, /* of gRPC and TLS for one connection */
    CONNECTIONS = 20000,
    BASE_BYTES = 256 * 1024 * 1024,
};

/* A call that runs may be the one that retired its own caller's issuer, and has an answer to give. */
#define RETIRED_CALLS (30 * UMX_SECOND)

#define RESUME (50 * UMX_MILLISECOND)

/* ---- pollers */

/* Ends what came with a certificate of an issuer that is no longer taken; the mutex is held. */
static void end_retired(struct umx_rpc_server *server, bool calls)
{
    struct umx_error why;

    for (struct umx_rpc_served *served = server->served; served != NULL; served = served->next) {
        if (served->kind->is_call != calls || served->peer.role == UMX_ROLE_NONE ||
            umx_rpc_tls_store_takes(&server->tls, &served->peer))
            continue;
        umx_fail(&why, UMX_ERR_ISSUER_RETIRED, served->peer.uri, NULL);
        if (!calls) {
            umx_rpc_served_finish(served, &why);
            continue;
        }
        pthread_mutex_lock(&served->mutex);
        umx_rpc_served_abort(served, &why);
        pthread_mutex_unlock(&served->mutex);
    }
}

static void tick(struct umx_rpc_server *server)
{
    int64_t monotonic = umx_clock_monotonic();
    int64_t wall = umx_clock_now();

    pthread_mutex_lock(&server->mutex);
    if (server->retire_at != 0 && monotonic >= server->retire_at) {
        server->retire_at = 0;
        end_retired(server, true);
    }
    for (struct umx_rpc_served *served = server->served; served != NULL; served = served->next)
        umx_rpc_served_tick(served, monotonic, wall);
    pthread_mutex_unlock(&server->mutex);
}

void umx_rpc_server_pause(struct umx_rpc_server *server, struct umx_rpc_served *served)
{
    pthread_mutex_lock(&server->mutex);
    served->next_paused = server->paused;
    server->paused = served;
    atomic_store(&server->some_paused, true);
    pthread_mutex_unlock(&server->mutex);
}

/* Those whose pause is over are read again; all of them when the server ends. */
static void resume(struct umx_rpc_server *server)
{
    struct umx_rpc_served *due = NULL;
    int64_t now = umx_clock_monotonic();

    pthread_mutex_lock(&server->mutex);
    for (struct umx_rpc_served **link = &server->paused; *link != NULL;) {
        struct umx_rpc_served *served = *link;
        if (served->resume_at > now && !server->stopping) {
            link = &served->next_paused;
            continue;
        }
        *link = served->next_paused;
        served->next_paused = due;
        due = served;
    }
    atomic_store(&server->some_paused, server->paused != NULL);
    pthread_mutex_unlock(&server->mutex);
    while (due != NULL) {
        struct umx_rpc_served *next = due->next_paused;
        umx_rpc_served_receive(due);
        umx_rpc_served_release(due);
        due = next;
    }
}

static void *poll(void *user)
{
    struct umx_rpc_poller *poller = user;
    int64_t next_tick = umx_clock_monotonic() + UMX_SECOND;
    int64_t next_resume = 0;

    for (;;) {
        int64_t wait = atomic_load(&poller->server->some_paused) ? RESUME : UMX_SECOND;
        gpr_timespec until = poller->ticks
                                 ? gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(wait, GPR_TIMESPAN))
                                 : gpr_inf_future(GPR_CLOCK_MONOTONIC);
        grpc_event got = grpc_completion_queue_next(poller->queue, until, NULL);
        if (got.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (got.type == GRPC_OP_COMPLETE) {
            struct umx_rpc_event *event = got.tag;
            event->run(event->owner, got.success != 0);
        }
        if (poller->ticks && atomic_load(&poller->server->some_paused) && umx_clock_monotonic() >= next_resume) {
            resume(poller->server);
            next_resume = umx_clock_monotonic() + RESUME;
        }
        if (poller->ticks && umx_clock_monotonic() >= next_tick) {
            tick(poller->server);
            next_tick = umx_clock_monotonic() + UMX_SECOND;
        }
    }
}

/* ---- the list of what is being served */

void umx_rpc_server_remember(struct umx_rpc_server *server, struct umx_rpc_served *served)
{
    pthread_mutex_lock(&server->mutex);
    served->next = server->served;
    if (served->next != NULL)
        served->next->previous = served;
    server->served = served;
    server->count++;
    server->calls += served->kind->is_call;
    server->anonymous += served->kind->is_call && served->peer.role == UMX_ROLE_NONE;
    pthread_mutex_unlock(&server->mutex);
}

void umx_rpc_server_forget(struct umx_rpc_server *server, struct umx_rpc_served *served)
{
    pthread_mutex_lock(&server->mutex);
    if (served->previous != NULL)
        served->previous->next = served->next;
    else
        server->served = served->next;
    if (served->next != NULL)
        served->next->previous = served->previous;
    server->calls -= served->kind->is_call;
    server->anonymous -= served->kind->is_call && served->peer.role == UMX_ROLE_NONE;
    pthread_mutex_unlock(&server->mutex);
}

void umx_rpc_server_gone(struct umx_rpc_server *server)
{
    pthread_mutex_lock(&server->mutex);
    server->count--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

/* ---- start */

static int copy_methods(struct umx_rpc_server *server, const struct umx_rpc_server_options *options)
{
    server->methods = calloc(options->method_count, sizeof *server->methods);
    for (size_t i = 0; server->methods != NULL && i < options->method_count; i++) {
        server->methods[i].method = options->methods[i];
        server->methods[i].path = strdup(options->methods[i].path);
        if (server->methods[i].path == NULL)
            return UMX_E_MEMORY;
        server->methods[i].method.path = server->methods[i].path;
        server->method_count++;
    }
    return server->method_count == options->method_count ? 0 : UMX_E_MEMORY;
}

static bool has_calls(const struct umx_rpc_server_options *options)
{
    for (size_t i = 0; i < options->method_count; i++)
        if (options->methods[i].stream.opened == NULL)
            return true;
    return false;
}

static size_t memory_limit(const struct umx_rpc_server_options *options)
{
    return (size_t)BASE_BYTES + (size_t)CONNECTIONS * CONNECTION_BYTES + options->threads * options->max_message;
}

static int listen_on(struct umx_rpc_server *server, const struct umx_rpc_server_options *options, struct umx_error *err)
{
    struct umx_rpc_arguments arguments;
    bool calls = has_calls(options);

    server->quota = grpc_resource_quota_create("umx");
    grpc_resource_quota_resize(server->quota, memory_limit(options));
    umx_rpc_arguments_server(&arguments, UMX_RPC_READ_FACTOR * options->max_message, !calls, options->handshake_timeout,
                             server->quota);
    server->server = grpc_server_create(&arguments.args, NULL);
    for (size_t i = 0; i < server->poller_count; i++) {
        server->pollers[i].queue = grpc_completion_queue_create_for_next(NULL);
        server->pollers[i].server = server;
        server->pollers[i].ticks = i == 0;
        grpc_server_register_completion_queue(server->server, server->pollers[i].queue, NULL);
    }
    for (size_t i = 0; i < server->method_count; i++) {
        server->methods[i].registered =
            grpc_server_register_method(server->server, server->methods[i].method.path, NULL, GRPC_SRM_PAYLOAD_NONE, 0);
        if (server->methods[i].registered == NULL)
            return umx_fail(err, UMX_ERR_INTERNAL, server->methods[i].method.path, "the path is registered twice");
    }
    grpc_server_credentials *credentials = umx_rpc_tls_credentials(&server->tls, options->require_certificate);
    if (credentials == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, options->address, NULL);
    server->port = grpc_server_add_http2_port(server->server, options->address, credentials);
    grpc_server_credentials_release(credentials);
    if (server->port == 0)
        return umx_fail(err, UMX_ERR_ADDRESS_IN_USE, options->address, NULL);
    if (calls && (server->pool = umx_rpc_pool_new(options->threads)) == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "threads", NULL);
    return 0;
}

static int start_pollers(struct umx_rpc_server *server, struct umx_error *err)
{
    grpc_server_start(server->server);
    for (size_t i = 0; i < server->poller_count; i++)
        if (umx_rpc_accept(server, server->pollers[i].queue) != 0)
            return umx_fail(err, UMX_ERR_MEMORY, "the server", NULL);
    for (size_t i = 0; i < server->poller_count; i++) {
        if (pthread_create(&server->pollers[i].thread, NULL, poll, &server->pollers[i]) != 0)
            return umx_fail(err, UMX_ERR_MEMORY, "threads", NULL);
        server->pollers[i].started = true;
    }
    return 0;
}

static size_t poller_count(void)
{
    long cores = umx_rpc_cores();

    return cores < 1 ? 1 : cores > UMX_RPC_POLLERS_MAX ? UMX_RPC_POLLERS_MAX : (size_t)cores;
}

int umx_rpc_server_start(const struct umx_rpc_server_options *options, struct umx_rpc_server **out,
                         struct umx_error *err)
{
    struct umx_rpc_server *server = calloc(1, sizeof *server);
    struct umx_rpc_mask before;
    int status;

    *out = NULL;
    if (server == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, options->address, NULL);
    umx_rpc_begin();
    umx_rpc_count_refusals();
    umx_rpc_mask(&before);
    pthread_mutex_init(&server->mutex, NULL);
    umx_rpc_cond_init(&server->changed);
    server->max_message = options->max_message;
    server->refused = options->refused;
    server->refused_user = options->refused_user;
    server->max_calls = 8 * options->threads + 64;
    server->refused_before = umx_rpc_refusals();
    server->poller_count = poller_count();
    status = umx_rpc_tls_store_init(&server->tls, &options->tls, err);
    if (status == 0 && (status = copy_methods(server, options)) != 0)
        umx_fail(err, UMX_ERR_MEMORY, options->address, NULL);
    if (status == 0 && (status = listen_on(server, options, err)) == 0)
        status = start_pollers(server, err);
    umx_rpc_unmask(&before);
    if (status == 0)
        *out = server;
    else
        umx_rpc_server_stop(server, 0);
    return status;
}

int umx_rpc_server_port(const struct umx_rpc_server *server)
{
    return server->port;
}

int umx_rpc_server_reload(struct umx_rpc_server *server, const struct umx_rpc_tls *tls, struct umx_error *err)
{
    int status = umx_rpc_tls_store_set(&server->tls, tls, err);

    if (status != 0)
        return status;
    pthread_mutex_lock(&server->mutex);
    end_retired(server, false);
    server->retire_at = umx_clock_monotonic() + RETIRED_CALLS;
    pthread_mutex_unlock(&server->mutex);
    return 0;
}

int64_t umx_rpc_server_refused(const struct umx_rpc_server *server)
{
    return umx_rpc_refusals() - server->refused_before;
}

void umx_rpc_limit_connections(int per_address)
{
    umx_rpc_peers_limit(per_address);
}

int64_t umx_rpc_connections_refused(void)
{
    return umx_rpc_peers_refused();
}

void umx_rpc_server_tell(struct umx_rpc_server *server, const struct umx_identity *peer, const char *address,
                         const char *path, const struct umx_error *why)
{
    if (server->refused != NULL && why->status != UMX_E_UNREACHABLE) /* nobody is refused by a server that stops */
        server->refused(server->refused_user, peer, address, path, why);
}

/* ---- stop */

static void on_shutdown(void *owner, bool ok)
{
    struct umx_rpc_server *server = owner;

    (void)ok;
    pthread_mutex_lock(&server->mutex);
    server->down = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

/* Waits until nothing is served any more; false at the time limit. The mutex is held. */
static bool wait_idle(struct umx_rpc_server *server, int64_t grace)
{
    int64_t until = umx_clock_monotonic() + grace;

    while (server->count > 0 || !server->down) {
        int64_t left = until - umx_clock_monotonic();
        if (left <= 0 || !umx_rpc_cond_wait(&server->changed, &server->mutex, left))
            return server->count == 0 && server->down;
    }
    return true;
}

static void end_served(struct umx_rpc_server *server, int64_t grace)
{
    struct umx_error why;

    umx_fail(&why, UMX_ERR_SERVER_STOPPING, NULL, NULL);
    pthread_mutex_lock(&server->mutex);
    server->stopping = true;
    for (struct umx_rpc_served *served = server->served; served != NULL; served = served->next)
        if (!served->kind->is_call)
            umx_rpc_served_finish(served, &why);
    pthread_mutex_unlock(&server->mutex);
    server->on_shutdown = (struct umx_rpc_event){.run = on_shutdown, .owner = server};
    grpc_server_shutdown_and_notify(server->server, server->pollers[0].queue, &server->on_shutdown);
    pthread_mutex_lock(&server->mutex);
    if (!wait_idle(server, grace)) {
        pthread_mutex_unlock(&server->mutex);
        grpc_server_cancel_all_calls(server->server);
        pthread_mutex_lock(&server->mutex);
        /* Handlers see the cancellation; those that do not look are waited for, since they hold what is freed next. */
        while (!wait_idle(server, 10 * UMX_SECOND))
            umx_log(UMX_LOG_WARNING, "rpc", "waiting for %lu calls to end", (unsigned long)server->count);
    }
    pthread_mutex_unlock(&server->mutex);
}

/* Takes what is left in a queue that has no thread. */
static void drain(grpc_completion_queue *queue)
{
    for (;;) {
        grpc_event got = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (got.type == GRPC_QUEUE_SHUTDOWN)
            return;
        struct umx_rpc_event *event = got.tag;
        event->run(event->owner, got.success != 0);
    }
}

static void end_queues(struct umx_rpc_server *server)
{
    for (size_t i = 0; i < server->poller_count; i++)
        if (server->pollers[i].queue != NULL)
            grpc_completion_queue_shutdown(server->pollers[i].queue);
    for (size_t i = 0; i < server->poller_count; i++) {
        if (server->pollers[i].started)
            pthread_join(server->pollers[i].thread, NULL);
        else if (server->pollers[i].queue != NULL)
            drain(server->pollers[i].queue);
    }
}

void umx_rpc_server_stop(struct umx_rpc_server *server, int64_t grace)
{
    struct umx_rpc_mask before;

    if (server == NULL)
        return;
    umx_rpc_mask(&before);
    if (server->pollers[0].started) {
        end_served(server, grace);
    } else if (server->server != NULL) {
        server->on_shutdown = (struct umx_rpc_event){.run = on_shutdown, .owner = server};
        grpc_server_shutdown_and_notify(server->server, server->pollers[0].queue, &server->on_shutdown);
    }
    end_queues(server);
    umx_rpc_pool_free(server->pool);
    if (server->server != NULL)
        grpc_server_destroy(server->server);
    for (size_t i = 0; i < server->poller_count; i++)
        if (server->pollers[i].queue != NULL)
            grpc_completion_queue_destroy(server->pollers[i].queue);
    if (server->quota != NULL)
        grpc_resource_quota_unref(server->quota);
    for (size_t i = 0; i < server->method_count; i++)
        free(server->methods[i].path);
    free(server->methods);
    umx_rpc_tls_store_free(&server->tls);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server);
    umx_rpc_unmask(&before);
    umx_rpc_end();
}
