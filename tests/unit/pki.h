/*
 * Certificates for tests: a root, an intermediate, and whatever leaf a test wants to try.
 */
#ifndef UMX_TESTS_UNIT_PKI_H
#define UMX_TESTS_UNIT_PKI_H

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "controller/certificate.h"
#include "rpc/rpc.h"

struct pki {
    EVP_PKEY *root_key;
    X509 *root;
    EVP_PKEY *key;
    X509 *intermediate;
    char *roots; /* PEM */
};

struct pki_leaf {
    char *key;
    char *chain;
};

static inline void pki_must(int status)
{
    if (status != 0)
        abort();
}

static inline void pki_make(struct pki *pki, const char *name)
{
    struct umx_certificate_spec spec = {.common_name = name,
                                        .authority = true,
                                        .path_length = 1,
                                        .not_before_at = umx_clock_now() - UMX_DAY,
                                        .not_after_at = umx_clock_now() + 365 * UMX_DAY};
    struct umx_text pem = {0};

    pki_must(umx_certificate_key(&pki->root_key, NULL));
    pki_must(umx_certificate_make(&spec, pki->root_key, NULL, NULL, &pki->root, NULL));
    spec.common_name = "intermediate";
    spec.path_length = 0;
    pki_must(umx_certificate_key(&pki->key, NULL));
    pki_must(umx_certificate_make(&spec, pki->key, pki->root, pki->root_key, &pki->intermediate, NULL));
    pki_must(umx_certificate_add(pki->root, &pem, NULL));
    pki->roots = pem.data;
}

static inline void pki_free(struct pki *pki)
{
    X509_free(pki->root);
    X509_free(pki->intermediate);
    EVP_PKEY_free(pki->root_key);
    EVP_PKEY_free(pki->key);
    free(pki->roots);
}

static inline struct pki_leaf pki_issue(const struct pki *pki, const struct umx_certificate_spec *spec)
{
    struct umx_text chain = {0};
    struct umx_text secret = {0};
    EVP_PKEY *key;
    X509 *leaf;

    pki_must(umx_certificate_key(&key, NULL));
    pki_must(umx_certificate_make(spec, key, pki->intermediate, pki->key, &leaf, NULL));
    pki_must(umx_certificate_add(leaf, &chain, NULL));
    pki_must(umx_certificate_add(pki->intermediate, &chain, NULL));
    pki_must(umx_certificate_add_key(key, &secret, NULL));
    X509_free(leaf);
    EVP_PKEY_free(key);
    return (struct pki_leaf){.key = secret.data, .chain = chain.data};
}

/* A leaf with the usual shape: uri, one DNS name or NULL, the unit or NULL; age and life in days from now. */
static inline struct pki_leaf pki_leaf(const struct pki *pki, const char *uri, const char *dns, const char *unit,
                                       int life)
{
    static const char *const addresses[] = {"127.0.0.1"};
    bool server = strstr(uri, "/controller/") != NULL;
    struct umx_certificate_spec spec = {.common_name = "test",
                                        .unit = unit,
                                        .uri = uri,
                                        .dns = &dns,
                                        .dns_count = dns != NULL,
                                        .addresses = addresses,
                                        .address_count = server,
                                        .path_length = -1,
                                        .server_auth = server,
                                        .client_auth = true,
                                        .not_before_at = umx_clock_now() - 30 * UMX_DAY,
                                        .not_after_at = umx_clock_now() + life * UMX_DAY};

    return pki_issue(pki, &spec);
}

static inline void pki_leaf_free(struct pki_leaf *leaf)
{
    free(leaf->key);
    free(leaf->chain);
}

static inline struct umx_rpc_tls pki_tls(const struct pki *pki, const struct pki_leaf *leaf)
{
    return (struct umx_rpc_tls){
        .key = leaf != NULL ? leaf->key : NULL, .chain = leaf != NULL ? leaf->chain : NULL, .roots = pki->roots};
}

#endif
