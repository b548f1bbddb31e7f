/*
 * TLS material: checked before it is used, copied, and kept for the moment a handshake asks for it.
 * Inside the module only.
 */
#ifndef UMX_RPC_TLS_H
#define UMX_RPC_TLS_H

#include <grpc/grpc_security.h>
#include <pthread.h>

#include "rpc/rpc.h"
#include "rpc/trust.h"

/* The key belongs to the first certificate of the chain, and roots hold at least one certificate. A client may leave
 * key and chain NULL. */
int umx_rpc_tls_check(const struct umx_rpc_tls *tls, bool client, struct umx_error *err);

/* What a server presents, replaceable while it runs. */
struct umx_rpc_tls_store {
    pthread_mutex_t mutex;
    char *key;
    char *chain;
    char *roots;
    struct umx_issuers *issuers;
    unsigned generation; /* of the texts above */
    unsigned given;      /* generation that gRPC has */
};

int umx_rpc_tls_store_init(struct umx_rpc_tls_store *store, const struct umx_rpc_tls *tls, struct umx_error *err);
int umx_rpc_tls_store_set(struct umx_rpc_tls_store *store, const struct umx_rpc_tls *tls, struct umx_error *err);
void umx_rpc_tls_store_free(struct umx_rpc_tls_store *store);
/* Whether the leaf of a PEM text, or a certificate that was taken before, is of an issuer that is taken now. */
int umx_rpc_tls_store_check(struct umx_rpc_tls_store *store, const char *pem, size_t length, const char *who,
                            struct umx_error *err);
bool umx_rpc_tls_store_takes(struct umx_rpc_tls_store *store, const struct umx_identity *peer);

/* Credentials that ask the store at every handshake; the store must outlive them. NULL: out of memory. */
grpc_server_credentials *umx_rpc_tls_credentials(struct umx_rpc_tls_store *store, bool require_certificate);

#endif
