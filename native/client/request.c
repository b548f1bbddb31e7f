#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "client/session.h"

enum { CERTIFICATES_MAX = 6, DER_MAX = 64 * 1024 };

static int no_passphrase(char *buffer, int size, int writing, void *user)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static char *key_text(const EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *data = NULL;
    char *copy = NULL;

    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long length = BIO_get_mem_data(bio, &data);
        copy = calloc(1, (size_t)length + 1);
        if (copy != NULL)
            memcpy(copy, data, (size_t)length);
    }
    BIO_free(bio);
    return copy;
}

/* The subject is empty: the controller takes the key from it and nothing else. */
static X509_REQ *make_request(EVP_PKEY *key)
{
    X509_REQ *request = X509_REQ_new();

    if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, EVP_sha256()) > 0)
        return request;
    X509_REQ_free(request);
    return NULL;
}

int umx_client_request(char **key, uint8_t **request, size_t *length, struct umx_error *err)
{
    EVP_PKEY *made = EVP_EC_gen("P-256");
    X509_REQ *wanted = made != NULL ? make_request(made) : NULL;
    int size = wanted != NULL ? i2d_X509_REQ(wanted, NULL) : 0;
    unsigned char *at;

    *key = made != NULL ? key_text(made) : NULL;
    *request = size > 0 ? malloc((size_t)size) : NULL;
    if (*request != NULL) {
        at = *request;
        i2d_X509_REQ(wanted, &at);
        *length = (size_t)size;
    }
    X509_REQ_free(wanted);
    EVP_PKEY_free(made);
    ERR_clear_error();
    if (*key != NULL && *request != NULL)
        return 0;
    umx_private_free(*key);
    free(*request);
    *key = NULL;
    *request = NULL;
    return umx_fail(err, UMX_ERR_INTERNAL, "a certificate request", NULL);
}

int umx_client_certificates(const char *pem, const char *path, uint8_t **der, size_t *length, struct umx_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    uint8_t *bytes = malloc(DER_MAX);
    size_t used = 0;
    int count = 0;
    X509 *certificate;

    while (bio != NULL && bytes != NULL && count < CERTIFICATES_MAX &&
           (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        int size = i2d_X509(certificate, NULL);
        unsigned char *at = bytes + used;
        if (size > 0 && (size_t)size <= DER_MAX - used) {
            i2d_X509(certificate, &at);
            used += (size_t)size;
        }
        X509_free(certificate);
        count++;
    }
    BIO_free(bio);
    ERR_clear_error();
    if (used > 0) {
        *der = bytes;
        *length = used;
        return 0;
    }
    free(bytes);
    return umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, path, "it has no certificate in PEM");
}

bool umx_client_same_certificate(const char *a, const char *b)
{
    const char *texts[] = {a, b};
    X509 *certificates[2] = {NULL, NULL};

    for (int i = 0; i < 2; i++) {
        BIO *bio = BIO_new_mem_buf(texts[i], -1);
        if (bio != NULL)
            certificates[i] = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
    }
    bool same = certificates[0] != NULL && certificates[1] != NULL && X509_cmp(certificates[0], certificates[1]) == 0;
    X509_free(certificates[0]);
    X509_free(certificates[1]);
    ERR_clear_error();
    return same;
}
