#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "client/session.h"
#include "rpc/pem.h"
#include "rpc/request.h"

enum { CERTIFICATES_MAX = 6, DER_MAX = 64 * 1024 };

int umx_client_request(char **key, uint8_t **request, size_t *length, struct umx_error *err)
{
    int status = umx_request_key(key, err);

    *request = NULL;
    if (status == 0)
        status = umx_request_make(*key, request, length, err);
    if (status != 0) {
        umx_private_free(*key);
        *key = NULL;
    }
    return status;
}

int umx_client_certificates(const char *pem, const char *path, uint8_t **der, size_t *length, struct umx_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    uint8_t *bytes = malloc(DER_MAX);
    size_t used = 0;
    int count = 0;
    X509 *certificate;

    while (bio != NULL && bytes != NULL && count < CERTIFICATES_MAX &&
           (certificate = PEM_read_bio_X509(bio, NULL, umx_pem_no_passphrase, NULL)) != NULL) {
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
            certificates[i] = PEM_read_bio_X509(bio, NULL, umx_pem_no_passphrase, NULL);
        BIO_free(bio);
    }
    bool same = certificates[0] != NULL && certificates[1] != NULL && X509_cmp(certificates[0], certificates[1]) == 0;
    X509_free(certificates[0]);
    X509_free(certificates[1]);
    ERR_clear_error();
    return same;
}
