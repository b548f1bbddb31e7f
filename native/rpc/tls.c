#include "rpc/tls.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/pem.h"

enum { PEM_MAX = 1024 * 1024 };

static X509 *read_certificate(const char *pem)
{
    return strlen(pem) <= PEM_MAX ? umx_pem_certificate(pem, strlen(pem)) : NULL;
}

static EVP_PKEY *read_key(const char *pem)
{
    return strlen(pem) <= PEM_MAX ? umx_pem_key(pem, strlen(pem)) : NULL;
}

static const char *fault_of_roots(const char *roots)
{
    X509 *root = roots != NULL ? read_certificate(roots) : NULL;

    X509_free(root);
    return root != NULL ? NULL : "it has no root certificate in PEM";
}

static const char *fault_of_pair(const char *key_pem, const char *chain_pem)
{
    X509 *leaf = chain_pem != NULL ? read_certificate(chain_pem) : NULL;
    EVP_PKEY *key = key_pem != NULL ? read_key(key_pem) : NULL;
    const char *fault = NULL;

    if (leaf == NULL)
        fault = "it has no certificate in PEM";
    else if (key == NULL)
        fault = "it has no readable private key in PEM";
    else if (X509_check_private_key(leaf, key) != 1)
        fault = "the private key is not the certificate's";
    X509_free(leaf);
    EVP_PKEY_free(key);
    return fault;
}

int umx_rpc_tls_check(const struct umx_rpc_tls *tls, bool client, struct umx_error *err)
{
    const char *fault = fault_of_roots(tls->roots);

    if (fault == NULL && (!client || tls->key != NULL || tls->chain != NULL))
        fault = fault_of_pair(tls->key, tls->chain);
    ERR_clear_error();
    return fault == NULL ? 0 : umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, "TLS material", "%s", fault);
}

int umx_rpc_tls_usable(const struct umx_rpc_tls *tls, const char *what, struct umx_error *err)
{
    struct umx_error found = {0};

    if (umx_rpc_tls_check(tls, false, &found) == 0)
        return 0;
    return umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, what, "%s", found.why);
}

static void wipe(char *secret)
{
    if (secret != NULL)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

int umx_rpc_tls_store_set(struct umx_rpc_tls_store *store, const struct umx_rpc_tls *tls, struct umx_error *err)
{
    int status = umx_rpc_tls_check(tls, false, err);

    if (status != 0)
        return status;
    char *key = strdup(tls->key);
    char *chain = strdup(tls->chain);
    char *roots = strdup(tls->roots);
    struct umx_issuers *issuers = NULL;
    status = umx_issuers_new(tls->issuers, &issuers, err);
    if (status != 0 || key == NULL || chain == NULL || roots == NULL) {
        wipe(key);
        free(chain);
        free(roots);
        umx_issuers_free(issuers);
        return status != 0 ? status : umx_fail(err, UMX_ERR_MEMORY, "TLS material", NULL);
    }
    pthread_mutex_lock(&store->mutex);
    wipe(store->key);
    free(store->chain);
    free(store->roots);
    umx_issuers_free(store->issuers);
    store->issuers = issuers;
    store->key = key;
    store->chain = chain;
    store->roots = roots;
    store->generation++;
    pthread_mutex_unlock(&store->mutex);
    return 0;
}

int umx_rpc_tls_store_init(struct umx_rpc_tls_store *store, const struct umx_rpc_tls *tls, struct umx_error *err)
{
    *store = (struct umx_rpc_tls_store){0};
    pthread_mutex_init(&store->mutex, NULL);
    return umx_rpc_tls_store_set(store, tls, err);
}

void umx_rpc_tls_store_free(struct umx_rpc_tls_store *store)
{
    wipe(store->key);
    free(store->chain);
    free(store->roots);
    umx_issuers_free(store->issuers);
    pthread_mutex_destroy(&store->mutex);
}

int umx_rpc_tls_store_check(struct umx_rpc_tls_store *store, const char *pem, size_t length, const char *who,
                            struct umx_error *err)
{
    pthread_mutex_lock(&store->mutex);
    int status = umx_issuers_check(store->issuers, pem, length, who, err);
    pthread_mutex_unlock(&store->mutex);
    return status;
}

bool umx_rpc_tls_store_takes(struct umx_rpc_tls_store *store, const struct umx_identity *peer)
{
    pthread_mutex_lock(&store->mutex);
    bool takes = umx_issuers_have(store->issuers, peer->issuer);
    pthread_mutex_unlock(&store->mutex);
    return takes;
}

/* Runs once for each incoming handshake, on a thread of gRPC. */
static grpc_ssl_certificate_config_reload_status fetch(void *user, grpc_ssl_server_certificate_config **config)
{
    struct umx_rpc_tls_store *store = user;
    grpc_ssl_certificate_config_reload_status status = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;

    pthread_mutex_lock(&store->mutex);
    if (store->given != store->generation) {
        grpc_ssl_pem_key_cert_pair pair = {.private_key = store->key, .cert_chain = store->chain};
        *config = grpc_ssl_server_certificate_config_create(store->roots, &pair, 1);
        status = *config != NULL ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
        if (*config != NULL)
            store->given = store->generation;
    }
    pthread_mutex_unlock(&store->mutex);
    return status;
}

grpc_server_credentials *umx_rpc_tls_credentials(struct umx_rpc_tls_store *store, bool require_certificate)
{
    grpc_ssl_server_credentials_options *options = grpc_ssl_server_credentials_create_options_using_config_fetcher(
        require_certificate ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                            : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY,
        fetch, store);

    return options != NULL ? grpc_ssl_server_credentials_create_with_options(options) : NULL;
}
