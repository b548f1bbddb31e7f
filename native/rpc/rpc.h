/*
 * The transport: the only place that knows gRPC. Bytes in, bytes out; who the other side is comes from its certificate.
 *
 * Threads. A server runs its own poller threads. Handlers of streams are called on them and must not block; handlers
 * of calls run on a bounded pool of threads of their own and may. A client call is pulled by its owner; sending and
 * cancelling are allowed from other threads.
 */
#ifndef UMX_RPC_RPC_H
#define UMX_RPC_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* ---- identity */

enum umx_rpc_role { UMX_ROLE_NONE, UMX_ROLE_AGENT, UMX_ROLE_OPERATOR, UMX_ROLE_CONTROLLER };

enum { UMX_IDENTITY_MAX = 256, UMX_FQDN_MAX = 256, UMX_SERIAL_MAX = 64, UMX_KEY_ID_MAX = 72 };

/* What a verified certificate says: exactly one URI name umx://DEPLOYMENT/ROLE/NAME. */
struct umx_identity {
    enum umx_rpc_role role; /* NONE: no certificate was presented */
    char uri[UMX_IDENTITY_MAX];
    char deployment[128];
    char name[128];              /* uuid of an agent, SID of an operator, name of a controller */
    char fqdn[UMX_FQDN_MAX];     /* the one dNSName of an agent's or controller's certificate, or "" */
    char forest[UMX_FQDN_MAX];   /* operators: forest whose CA proved them (otherName-free: organizationalUnit) */
    char serial[UMX_SERIAL_MAX]; /* lower-case hex */
    char key[65];                /* SHA-256 of the public key (SubjectPublicKeyInfo), lower-case hex */
    int64_t not_before_at;
    char issuer[UMX_KEY_ID_MAX]; /* key identifier of the authority that issued it, lower-case hex; "" when unsaid */
    int64_t not_after_at;
};

/* Parses the leaf of a PEM text. UMX_ERR_IDENTITY_INVALID when it has none or more than one umx name. */
int umx_identity_parse(const char *pem, size_t length, struct umx_identity *out, struct umx_error *err);

/* The leaf of a PEM text as DER, malloc'ed. */
int umx_identity_certificate(const char *pem, size_t length, uint8_t **der, size_t *der_length);

/* ---- TLS material */

/* PEM texts; a client without certificate leaves key and chain NULL. All are copied. */
struct umx_rpc_tls {
    const char *key;
    const char *chain; /* leaf first, intermediates after it */
    const char *roots; /* what the other side must chain to */
    /* The authorities that must have issued the other side's certificate directly: a root outlives its intermediates.
     * NULL: any that chains to the roots. */
    const char *issuers;
};

/* Whether the key is that of the chain's first certificate, and the roots can be read: UMX_ERR_IDENTITY_FILE_INVALID,
 * named by what. Servers and channels check it themselves. */
int umx_rpc_tls_usable(const struct umx_rpc_tls *tls, const char *what, struct umx_error *err);

/* ---- server */

struct umx_rpc_server;
struct umx_rpc_stream; /* a long-lived stream in both directions */
struct umx_rpc_call;   /* one request, any number of answers */

/* Streams. opened may refuse by filling err and returning its status; state is the handler's own. closed is called
 * exactly once for every opened stream, last, with the reason. */
struct umx_rpc_stream_handler {
    int (*opened)(void *user, struct umx_rpc_stream *stream, const struct umx_identity *peer, const char *address,
                  void **state, struct umx_error *err);
    void (*message)(void *state, const uint8_t *bytes, size_t length);
    void (*closed)(void *state);
    void *user;
};

/* Calls. A NUL stands behind the request. Answers by umx_rpc_answer; the return value (with err) becomes the status of
 * the call. */
struct umx_rpc_call_handler {
    int (*serve)(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                 size_t length, struct umx_error *err);
    void *user;
};

struct umx_rpc_method {
    const char *path;                     /* "/umx.v1.Agents/Attach" */
    struct umx_rpc_stream_handler stream; /* opened NULL: this is a call */
    struct umx_rpc_call_handler call;
    bool authenticated; /* refuse a peer without certificate before its request is read */
    size_t max_request; /* bytes of a call's request; 0: the server's max_message */
};

struct umx_rpc_server_options {
    const char *address; /* HOST:PORT; port 0 takes a free one */
    struct umx_rpc_tls tls;
    bool require_certificate; /* false: an unknown peer may call, with role NONE */
    size_t max_message;
    size_t threads; /* for calls; simultaneous calls above it are refused with BUSY */
    const struct umx_rpc_method *methods;
    size_t method_count;
    int handshake_timeout; /* seconds; 0: 60 */
    /* Hears of every peer that was refused before a handler served it: of streams that `opened` refused too. On a
     * poller thread: it must not block. May be NULL. */
    void (*refused)(void *user, const struct umx_identity *peer, const char *address, const char *path,
                    const struct umx_error *why);
    void *refused_user;
};

int umx_rpc_server_start(const struct umx_rpc_server_options *options, struct umx_rpc_server **out,
                         struct umx_error *err);
int umx_rpc_server_port(const struct umx_rpc_server *server);
/* New handshakes use the new material; streams stay, but for those whose certificate is of an issuer that is no longer
 * taken: they end at once, calls after half a minute. */
int umx_rpc_server_reload(struct umx_rpc_server *server, const struct umx_rpc_tls *tls, struct umx_error *err);
/* TLS handshakes refused since the start, as far as gRPC reports them: it does not say by which server of the process.
 */
int64_t umx_rpc_server_refused(const struct umx_rpc_server *server);
/* Connections that one address may have at a time, for all servers of the process; 0 (at the start): any number. Those
 * above it are closed at once. Only where the system lets us; and how many were closed. */
void umx_rpc_limit_connections(int per_address);
int64_t umx_rpc_connections_refused(void);
/* Ends streams, waits for calls up to the grace (microseconds), then cancels them; frees everything. A handler that
 * does not look at umx_rpc_cancelled is waited for. NULL allowed. Not from a handler. */
void umx_rpc_server_stop(struct umx_rpc_server *server, int64_t grace);

/* Queues a message, which the server's own threads encrypt and write; UMX_E_LIMIT when the peer does not take them (the
 * stream is then closed; while half of the queue is full, the peer's own messages wait), UMX_E_CANCELLED when it is
 * gone, UMX_E_ARGUMENT when it is larger than max_message. Bytes are copied. Any thread, until `closed` returns: a
 * handler shares a lock between its senders and its `closed`. Neither this nor umx_rpc_stream_close calls `closed`. */
int umx_rpc_stream_send(struct umx_rpc_stream *stream, const void *bytes, size_t length);
/* Only within the handler's message: the peer's next message is not read before this much time (microseconds, at least
 * a twentieth of a second) has passed. What it sends meanwhile waits with it, behind the stream's window of 64 KiB. */
void umx_rpc_stream_pause(struct umx_rpc_stream *stream, int64_t duration);
/* Ends the stream with a status for the peer (NULL: a good end), after what is queued. The first end stands. */
void umx_rpc_stream_close(struct umx_rpc_stream *stream, const struct umx_error *why);

/* Sends one answer; blocks while the peer does not take them, until the call's deadline, five minutes at most. Bytes
 * are copied. UMX_ERR_CANCELLED: the peer is gone, give up. */
int umx_rpc_answer(struct umx_rpc_call *call, const void *bytes, size_t length, struct umx_error *err);
/* True when the peer cancelled or went away. */
bool umx_rpc_cancelled(const struct umx_rpc_call *call);
/* The peer's certificate, DER; NULL without one. Lives as long as the call. Only from serve's thread. */
const uint8_t *umx_rpc_call_certificate(struct umx_rpc_call *call, size_t *length);
const char *umx_rpc_call_peer(const struct umx_rpc_call *call); /* address, for the log */

/* ---- client */

struct umx_rpc_channel;
struct umx_rpc_client_call;

/* target HOST:PORT. The server's certificate must chain to tls->roots and carry a umx controller name; server_name,
 * when set, is the TLS name checked instead of the host. */
int umx_rpc_channel_open(const char *target, const struct umx_rpc_tls *tls, const char *server_name, size_t max_message,
                         struct umx_rpc_channel **out, struct umx_error *err);
void umx_rpc_channel_close(struct umx_rpc_channel *channel); /* NULL allowed; calls must be closed first */

/* Starts a call or stream. request may be NULL for a stream. deadline in microseconds from now, 0 for none.
 * half_close: nothing more will be sent. */
int umx_rpc_call_start(struct umx_rpc_channel *channel, const char *path, const void *request, size_t length,
                       bool half_close, int64_t deadline, struct umx_rpc_client_call **out, struct umx_error *err);

enum umx_rpc_next { UMX_RPC_MESSAGE = 1, UMX_RPC_END = 2, UMX_RPC_TIMEOUT = 3 };

/* Waits up to timeout microseconds for the next message. MESSAGE: *bytes is malloc'ed, the caller frees it.
 * END: err holds the status the server ended with (status 0 when it was good). One thread at a time. */
enum umx_rpc_next umx_rpc_call_next(struct umx_rpc_client_call *call, int64_t timeout, uint8_t **bytes, size_t *length,
                                    struct umx_error *err);
/* Queues a message on a stream. Any thread. The queue moves while somebody is in umx_rpc_call_next. UMX_E_LIMIT: too
 * much is queued (16 MiB), try again later; UMX_E_CANCELLED: the call is over; UMX_E_ARGUMENT: larger than max_message.
 */
int umx_rpc_call_send(struct umx_rpc_client_call *call, const void *bytes, size_t length);
/* Bytes queued and not yet on their way: a sender of much waits until it is small. Any thread. */
size_t umx_rpc_call_backlog(struct umx_rpc_client_call *call);
/* Nothing more will be sent; what is queued still is. Any thread. */
void umx_rpc_call_finish(struct umx_rpc_client_call *call);
/* Any thread, any time before close. */
void umx_rpc_call_cancel(struct umx_rpc_client_call *call);
void umx_rpc_call_close(struct umx_rpc_client_call *call); /* NULL allowed; cancels what is still open */

/* Starts and ends gRPC, counted: servers and channels do it for themselves, a program may do it once around all of
 * them. Signals are blocked in the threads that gRPC makes. Never fork without exec in between. */
void umx_rpc_begin(void);
void umx_rpc_end(void);

#endif
