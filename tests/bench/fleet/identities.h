/* Certificates of many made-up agents: made once, kept in a directory, loaded as objects of OpenSSL. */
#ifndef UMX_BENCH_IDENTITIES_H
#define UMX_BENCH_IDENTITIES_H

#include <openssl/ssl.h>
#include <stddef.h>

struct identity {
    char fqdn[64];
    EVP_PKEY *key;
    X509 *leaf;
};

struct identities {
    struct identity *list;
    size_t count;
    X509 *intermediate;
    X509 *root;
};

/* DIR/data: a deployment; DIR/agents.pem: keys and leaves, in order; DIR/operator.pem: an operator of forest
 * bench.test. Keeps what is there already. Exits on failure. */
void identities_make(const char *directory, size_t count);
void identities_load(const char *directory, size_t count, struct identities *out);

/* A client's context that presents whatever certificate its connections are given, with the intermediate behind. */
SSL_CTX *identities_client(const struct identities *identities);
/* The bare server's: the controller's own certificate, agents required and verified. */
SSL_CTX *identities_server(const char *directory, const struct identities *identities);

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
