/*
 * The server's inside, for the files of this module.
 */
#ifndef UMX_RPC_SERVER_H
#define UMX_RPC_SERVER_H

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "rpc/pool.h"
#include "rpc/rpc.h"
#include "rpc/served.h"
#include "rpc/tls.h"

enum {
    UMX_RPC_POLLERS_MAX = 8,
    UMX_RPC_SLOTS = 32,     /* calls of one method that one queue accepts ahead */
    UMX_RPC_ANONYMOUS = 16, /* calls of peers without certificate at a time: gRPC holds a whole request of each */
    UMX_RPC_READ_FACTOR = 2, /* gRPC ends a call for a message above this silently; up to it we refuse it by name */
    UMX_RPC_STREAM_MESSAGES = 64,
    UMX_RPC_STREAM_BYTES = 256 * 1024,
};

struct umx_rpc_poller {
    struct umx_rpc_server *server;
    grpc_completion_queue *queue;
    pthread_t thread;
    bool started;
    bool ticks; /* one of them looks after what takes too long */
};

struct umx_rpc_served_method {
    struct umx_rpc_method method; /* its path is `path` */
    char *path;
    void *registered;
};

struct umx_rpc_server {
    grpc_server *server;
    grpc_resource_quota *quota;
    int port;
    size_t max_message;
    int64_t refused_before;
    void (*refused)(void *user, const struct umx_identity *peer, const char *address, const char *path,
                    const struct umx_error *why);
    void *refused_user;
    struct umx_rpc_tls_store tls;
    struct umx_rpc_served_method *methods;
    size_t method_count;
    struct umx_rpc_poller pollers[UMX_RPC_POLLERS_MAX];
    size_t poller_count;
    struct umx_rpc_pool *pool; /* NULL: no method is a call */
    struct umx_rpc_event on_shutdown;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct umx_rpc_served *served;
    struct umx_rpc_served *paused;
    atomic_bool some_paused; /* read without the mutex */
    size_t count;            /* of served */
    size_t calls;            /* of them that are calls */
    size_t anonymous;        /* calls of peers without certificate */
    size_t max_calls;
    int64_t retire_at; /* monotonic: calls of issuers that are no longer taken end; 0: nothing to do */
    bool stopping;
    bool down; /* gRPC has ended the server */
};

/* The server's list: in, out before it is freed, and counted down when it has been freed. */
void umx_rpc_server_remember(struct umx_rpc_server *server, struct umx_rpc_served *served);
void umx_rpc_server_forget(struct umx_rpc_server *server, struct umx_rpc_served *served);
void umx_rpc_server_gone(struct umx_rpc_server *server);
/* Remembers it until its resume_at; it must be held. */
void umx_rpc_server_pause(struct umx_rpc_server *server, struct umx_rpc_served *served);

/* Somebody was refused: tells whoever wants to hear of it. */
void umx_rpc_server_tell(struct umx_rpc_server *server, const struct umx_identity *peer, const char *address,
                         const char *path, const struct umx_error *why);

/* accept.c: posts the slots of a queue; an RPC that comes is handed to a kind. */
int umx_rpc_accept(struct umx_rpc_server *server, grpc_completion_queue *queue);

/* The two kinds: they own the call from here on. */
void umx_rpc_stream_accept(struct umx_rpc_server *server, const struct umx_rpc_method *method, grpc_call *call,
                           const struct umx_identity *peer, const char *address);
void umx_rpc_call_accept(struct umx_rpc_server *server, const struct umx_rpc_method *method, grpc_call *call,
                         const struct umx_identity *peer, const char *address);
/* A third one: only tells why not. */
void umx_rpc_refuse(struct umx_rpc_server *server, grpc_call *call, const struct umx_error *why);

#endif
