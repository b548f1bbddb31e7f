#include "rpc/pin.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "rpc/platform.h"

enum { CONNECT_SECONDS = 20, NAP_MS = 20, DIGEST = 32 };

/* 64 hex digits, with or without colons between the bytes. */
static bool read_fingerprint(const char *text, uint8_t out[DIGEST])
{
    char hex[2 * DIGEST + 1];
    size_t used = 0;

    for (; *text != '\0'; text++) {
        if (*text == ':')
            continue;
        if (used == 2 * DIGEST)
            return false;
        hex[used++] = *text;
    }
    hex[used] = '\0';
    return used == 2 * DIGEST && umx_text_from_hex(hex, out, DIGEST) == DIGEST;
}

static char *pem_of(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    char *copy = NULL;

    if (bio != NULL && PEM_write_bio_X509(bio, certificate) == 1) {
        long length = BIO_get_mem_data(bio, &data);
        copy = calloc(1, (size_t)length + 1);
        if (copy != NULL)
            memcpy(copy, data, (size_t)length);
    }
    BIO_free(bio);
    return copy;
}

static char *find_root(STACK_OF(X509) * chain, const uint8_t wanted[DIGEST])
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        X509 *certificate = sk_X509_value(chain, i);
        if (X509_digest(certificate, EVP_sha256(), digest, &length) == 1 && length == DIGEST &&
            memcmp(digest, wanted, DIGEST) == 0)
            return pem_of(certificate);
    }
    return NULL;
}

/* OpenSSL makes a socket for each address of the name, and knows nothing of inheritance. */
static bool connect_all(BIO *bio)
{
    int64_t until = umx_clock_monotonic() + CONNECT_SECONDS * UMX_SECOND;
    bool done = false;
    bool again = true;

    BIO_set_nbio(bio, 1);
    while (!done && again && umx_clock_monotonic() < until) {
        int fd = -1;
        done = BIO_do_handshake(bio) == 1;
        again = BIO_should_retry(bio);
        if (BIO_get_fd(bio, &fd) >= 0)
            umx_rpc_not_inherited(fd);
        if (!done && again)
            BIO_wait(bio, time(NULL) + 1, NAP_MS);
    }
    return done;
}

int umx_rpc_fetch_root(const char *target, const char *fingerprint, char **pem, struct umx_error *err)
{
    union {
        const char *given;
        char *read; /* only read */
    } name = {.given = target};
    uint8_t wanted[DIGEST];
    SSL_CTX *context = NULL;
    BIO *bio = NULL;
    SSL *ssl = NULL;
    int status = 0;

    *pem = NULL;
    if (!read_fingerprint(fingerprint, wanted))
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, "fingerprint", "it is not a SHA-256 in hex");
    context = SSL_CTX_new(TLS_client_method());
    if (context != NULL && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1)
        bio = BIO_new_ssl_connect(context);
    if (bio == NULL || BIO_get_ssl(bio, &ssl) != 1 || BIO_set_conn_hostname(bio, name.read) != 1) {
        status = umx_fail(err, UMX_ERR_MEMORY, target, NULL);
    } else {
        if (!connect_all(bio))
            status = umx_fail(err, UMX_ERR_PEER_UNREACHABLE, target, NULL);
        else if ((*pem = find_root(SSL_get_peer_cert_chain(ssl), wanted)) == NULL)
            status = umx_fail(err, UMX_ERR_ROOT_NOT_FOUND, target, NULL);
    }
    BIO_free_all(bio);
    SSL_CTX_free(context);
    ERR_clear_error();
    return status;
}
