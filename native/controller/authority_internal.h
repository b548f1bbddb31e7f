/*
 * The authority's inside, for authority*.c and issued.c.
 */
#ifndef UMX_CONTROLLER_AUTHORITY_INTERNAL_H
#define UMX_CONTROLLER_AUTHORITY_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <sys/types.h>

#include "controller/authority.h"
#include "controller/certificate.h"
#include "rpc/identity_file.h"

/* issued.c: the agents of issued.tsv up to an offset. */
struct umx_issued_index {
    pthread_mutex_t mutex;
    off_t offset;
    struct umx_issued_agent *agents;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
    size_t *slots;   /* 2 * capacity: number of an agent from 1, by the hash of its URI; 0: free */
};

struct umx_authority {
    char *data;
    char *intermediate_pem;
    X509 *intermediate;
    EVP_PKEY *key;
    struct umx_identity_file controller; /* its root is the deployment's */
    char *presented; /* chain with the root, which clients that only know its fingerprint need */
    struct umx_rpc_tls tls;
    struct umx_issued_index issued;
    pthread_mutex_t mutex; /* one agent is issued at a time, so that an FQDN gets one uuid */
};

/* data/name, malloc'ed; NULL: out of memory. */
char *umx_authority_path(const char *data, const char *name);

/* A random uuid of version 4. */
int umx_authority_uuid(char out[37], struct umx_error *err);

/* Letters, digits and "-._", as names in identities are; and host names. */
int umx_authority_check_name(const char *name, size_t max, struct umx_error *err);
int umx_authority_check_fqdn(const char *fqdn, struct umx_error *err);

/* The leaf of a role: fills out, records it in issued.tsv. */
struct umx_authority_leaf {
    const char *role; /* agent, operator, controller */
    const char *name; /* last part of the URI */
    const char *common_name;
    const char *forest; /* operators */
    const char *const *dns;
    size_t dns_count;
    const char *const *addresses;
    size_t address_count;
    int64_t life;
};
int umx_authority_issue(struct umx_authority *authority, const struct umx_authority_leaf *leaf, EVP_PKEY *key,
                        struct umx_issued *out, struct umx_error *err);

/* issued.tsv */
int umx_issued_add(const char *data, const struct umx_authority_leaf *leaf, const struct umx_identity *identity,
                   struct umx_error *err);
void umx_issued_free_index(struct umx_issued_index *index);

/* The key of a PKCS#10 request whose signature and strength are right: UMX_ERR_CSR_INVALID, KEY_WEAK,
 * REQUEST_SIGNATURE. */
int umx_authority_request_key(const uint8_t *request, size_t length, EVP_PKEY **out, struct umx_error *err);

#endif
