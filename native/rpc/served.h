/*
 * One RPC on the server, stream or call: its place in the server's list, who calls, what is outstanding with gRPC, what
 * waits to be sent, and how it ends. stream.c and call.c are the two kinds. Inside the module only.
 *
 * Life. `pending` counts what gRPC (a tag) or a thread of ours (a hold) still has of it; at zero kind->ended is called,
 * off the lock, and frees it. GRPC_OP_RECV_CLOSE_ON_SERVER is started first and is the only sign that the RPC is over.
 *
 * Locks. The server's mutex may be held while a served mutex is taken, never the other way round. No kind function is
 * called with either of them held, except `progress`, which has the served mutex.
 */
#ifndef UMX_RPC_SERVED_H
#define UMX_RPC_SERVED_H

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdbool.h>

#include "rpc/outbox.h"
#include "rpc/rpc.h"

/* What a completion queue hands back. */
struct umx_rpc_event {
    void (*run)(void *owner, bool ok);
    void *owner;
};

struct umx_rpc_served;

struct umx_rpc_served_kind {
    /* A message came; bytes are freed afterwards. True: receive another one. */
    bool (*received)(struct umx_rpc_served *served, uint8_t *bytes, size_t length);
    /* The peer will send nothing more, or the RPC is broken. */
    void (*half_closed)(struct umx_rpc_served *served);
    /* Something was sent, or the RPC is over; called with the mutex held. */
    void (*progress)(struct umx_rpc_served *served);
    /* Nothing is outstanding any more: free it. */
    void (*ended)(struct umx_rpc_served *served);
    bool is_call; /* counts against the server's maximum */
};

struct umx_rpc_served {
    struct umx_rpc_server *server;
    const struct umx_rpc_served_kind *kind;
    grpc_call *call;
    struct umx_identity peer;
    char address[128];
    int64_t started_at; /* monotonic */
    size_t max_request; /* bytes of a message; 0: nothing is read */
    const char *path;   /* of the method; NULL for one that is only refused */

    struct umx_rpc_served *next; /* the server's list, under its mutex */
    struct umx_rpc_served *previous;
    struct umx_rpc_served *next_paused; /* the server's other list, under its mutex */
    int64_t resume_at;                  /* monotonic */

    pthread_mutex_t mutex; /* guards everything below */
    int pending;
    bool over;           /* the peer is gone, or has the status: nothing may be started */
    bool finishing;      /* the end is decided: no more messages are taken */
    bool status_sent;    /* its batch was started */
    bool waiting;        /* a call whose request has not come */
    bool kicked;         /* a poller will push what is queued */
    int64_t finished_at; /* monotonic, when finishing was set */
    struct umx_error why;
    struct umx_rpc_outbox box;
    grpc_byte_buffer *incoming;
    int cancelled; /* written by gRPC with RECV_CLOSE_ON_SERVER */
    struct umx_rpc_event on_close;
    struct umx_rpc_event on_opened;
    struct umx_rpc_event on_received;
    struct umx_rpc_event on_sent;
    struct umx_rpc_event on_status;
    struct umx_rpc_event on_kick;
};

/* Fills the common part, and starts RECV_CLOSE and SEND_INITIAL_METADATA. Not 0: gRPC refuses, nothing is outstanding,
 * the caller frees. */
int umx_rpc_served_open(struct umx_rpc_served *served, const struct umx_rpc_served_kind *kind,
                        struct umx_rpc_server *server, grpc_call *call, const struct umx_identity *peer,
                        const char *address);
/* Waits for the next message of the peer. */
void umx_rpc_served_receive(struct umx_rpc_served *served);
/* Decides the end: what is queued is sent, then the status. The first decision stands. why NULL: a good end. */
void umx_rpc_served_finish(struct umx_rpc_served *served, const struct umx_error *why);
/* Ends it at once, whatever is queued; the mutex is held. */
void umx_rpc_served_abort(struct umx_rpc_served *served, const struct umx_error *why);
/* Starts sending what is queued; the mutex is held. */
void umx_rpc_served_push(struct umx_rpc_served *served);
/* As push, by one of the pollers: encrypting and writing takes tens of microseconds, and a caller that has a message
 * for ten thousand streams, perhaps with a lock held, does not do that itself. The mutex is held. */
void umx_rpc_served_kick(struct umx_rpc_served *served);
/* The next message is waited for at that time; instead of umx_rpc_served_receive. */
void umx_rpc_served_pause(struct umx_rpc_served *served, int64_t duration);
/* One more and one less reason to stay. */
void umx_rpc_served_hold(struct umx_rpc_served *served);
void umx_rpc_served_release(struct umx_rpc_served *served);
/* Ends what takes too long or whose certificate ran out; called once a second with the server's mutex held. */
void umx_rpc_served_tick(struct umx_rpc_served *served, int64_t monotonic, int64_t wall);
/* Unreferences the call and frees the members; for `ended`. */
void umx_rpc_served_clear(struct umx_rpc_served *served);

#endif
