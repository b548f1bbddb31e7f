#include "identities.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "controller/authority.h"
#include "controller/certificate.h"
#include "rpc/identity_file.h"

#define OPERATOR_SID "S-1-5-21-1000-1000-1000-1100"

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("bench-fleet: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void must(int status, const struct umx_error *err)
{
    char text[2048];

    if (status != 0)
        die("%s", umx_error_format(err, text, sizeof text));
}

static char *below(const char *directory, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        die("out of memory");
    return path;
}

static void make_operator(struct umx_authority *authority, const char *path)
{
    struct umx_error err = {0};
    struct umx_issued issued = {0};
    struct umx_text pem = {0};
    uint8_t *request = NULL;
    EVP_PKEY *key = NULL;
    X509_REQ *req = X509_REQ_new();

    must(umx_certificate_key(&key, &err), &err);
    if (req == NULL || X509_REQ_set_pubkey(req, key) != 1 || X509_REQ_sign(req, key, EVP_sha256()) <= 0)
        die("no request can be made");
    int length = i2d_X509_REQ(req, &request);
    must(umx_authority_issue_operator(authority, request, (size_t)length, OPERATOR_SID, "Bench", "bench.test",
                                      UMX_OPERATOR_LIFE, &issued, &err),
         &err);
    must(umx_certificate_add_key(key, &pem, &err), &err);
    umx_text_adds(&pem, issued.chain);
    must(umx_private_file_write(path, pem.data, pem.length, &err), &err);
    umx_text_free(&pem);
    umx_issued_free(&issued);
    OPENSSL_free(request);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

static size_t count_made(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[128];
    size_t count = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        count += strncmp(line, "-----BEGIN CERT", 15) == 0;
    if (file != NULL)
        fclose(file);
    return count;
}

void identities_make(const char *directory, size_t count)
{
    static const char *const names[] = {"controller.bench.test", "127.0.0.1"};
    struct umx_error err = {0};
    struct umx_authority *authority = NULL;
    char *data = below(directory, "data"), *agents = below(directory, "agents.pem"),
         *person = below(directory, "operator.pem"), *root = below(directory, "data/root.pem");

    mkdir(directory, 0700);
    if (access(root, F_OK) != 0)
        must(umx_authority_init(data, "bench", names, 2, &err), &err);
    must(umx_authority_open(data, &authority, &err), &err);
    make_operator(authority, person); /* anew each time: it lives for days only */
    size_t have = count_made(agents);
    FILE *file = fopen(agents, "ae");
    if (file == NULL)
        die("%s: %s", agents, strerror(errno));
    for (size_t i = have; i < count; i++) {
        struct umx_issued issued = {0};
        struct umx_text pem = {0};
        char fqdn[64];
        snprintf(fqdn, sizeof fqdn, "s%05zu.bench.test", i);
        must(umx_authority_issue_agent(authority, fqdn, 300 * UMX_DAY, &pem, &issued, &err), &err);
        /* The key and the leaf; the rest of the chain is everybody's. */
        char *end = strstr(pem.data, "-----END CERTIFICATE-----\n");
        if (end == NULL)
            die("%s: no certificate", fqdn);
        fprintf(file, "%.*s", (int)(end - pem.data) + 26, pem.data);
        umx_text_free(&pem);
        umx_issued_free(&issued);
    }
    fclose(file);
    umx_authority_close(authority);
    free(data);
    free(agents);
    free(person);
    free(root);
}

void identities_load(const char *directory, size_t count, struct identities *out)
{
    struct umx_identity_file controller;
    struct umx_error err = {0};
    char *agents = below(directory, "agents.pem"), *own = below(directory, "data/ca/controller.pem");
    FILE *file = fopen(agents, "re");

    *out = (struct identities){.list = calloc(count, sizeof *out->list)};
    if (file == NULL || out->list == NULL)
        die("%s: %s", agents, strerror(errno));
    for (; out->count < count; out->count++) {
        struct identity *identity = &out->list[out->count];
        snprintf(identity->fqdn, sizeof identity->fqdn, "s%05zu.bench.test", out->count);
        identity->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        identity->leaf = PEM_read_X509(file, NULL, NULL, NULL);
        if (identity->key == NULL || identity->leaf == NULL)
            die("%s has only %zu agents", agents, out->count);
    }
    fclose(file);
    must(umx_identity_file_load(own, &controller, &err), &err);
    const char *second = strstr(controller.chain + 1, "-----BEGIN");
    must(umx_certificate_read(second, own, &out->intermediate, &err), &err);
    must(umx_certificate_read(controller.root, own, &out->root, &err), &err);
    umx_identity_file_free(&controller);
    free(agents);
    free(own);
}

SSL_CTX *identities_client(const struct identities *identities)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(context, h2, sizeof h2) != 0 ||
        SSL_CTX_add1_to_CA_list(context, identities->root) != 1 || X509_up_ref(identities->intermediate) != 1 ||
        SSL_CTX_add_extra_chain_cert(context, identities->intermediate) != 1)
        die("no TLS client");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    /* The agents' side is not what is measured: it does not spend the machine's time on verifying the controller. */
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    return context;
}

SSL_CTX *identities_server(const char *directory, const struct identities *identities)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    char *own = below(directory, "data/ca/controller.pem");
    X509_STORE *store = context != NULL ? SSL_CTX_get_cert_store(context) : NULL;

    if (store == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, own, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_certificate_chain_file(context, own) != 1 || X509_STORE_add_cert(store, identities->root) != 1)
        die("no TLS server");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"bench", 5);
    free(own);
    return context;
}
