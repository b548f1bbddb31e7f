#include "cli/request.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

static int fail_crypto(struct umx_error *err, const char *what)
{
    char text[256];
    unsigned long code = ERR_get_error();

    ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return umx_fail_code(err, UMX_ERR_INTERNAL, (long)code, what, "OpenSSL: %s", text);
}

static int write_key(EVP_PKEY *key, struct umx_text *pem, struct umx_error *err)
{
    BIO *memory = BIO_new(BIO_s_secmem());
    char *bytes;
    long length;
    int status = 0;

    if (memory == NULL || PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) != 1)
        status = fail_crypto(err, "key");
    else if ((length = BIO_get_mem_data(memory, &bytes)) > 0)
        umx_text_add(pem, bytes, (size_t)length);
    BIO_free(memory);
    return status == 0 && pem->failed ? umx_fail(err, UMX_ERR_MEMORY, "key", NULL) : status;
}

int umx_request_make(struct umx_text *key_pem, uint8_t **der, size_t *length, struct umx_error *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *request = X509_REQ_new();
    int status = 0, size;

    *der = NULL;
    if (key == NULL || request == NULL || X509_REQ_set_version(request, 0) != 1 ||
        X509_REQ_set_pubkey(request, key) != 1 || X509_REQ_sign(request, key, EVP_sha256()) == 0 ||
        (size = i2d_X509_REQ(request, NULL)) <= 0 || (*der = malloc((size_t)size)) == NULL) {
        status = fail_crypto(err, "certificate request");
        goto out;
    }
    unsigned char *at = *der;
    *length = (size_t)i2d_X509_REQ(request, &at);
    status = write_key(key, key_pem, err);
out:
    if (status != 0) {
        free(*der);
        *der = NULL;
    }
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return status;
}

static int add_certificate(struct umx_text *all, X509 *certificate)
{
    unsigned char *der = NULL;
    int size = i2d_X509(certificate, &der);

    if (size > 0)
        umx_text_add(all, der, (size_t)size);
    OPENSSL_free(der);
    return size > 0 && !all->failed ? 0 : -1;
}

int umx_request_certificates(const char *pem, size_t pem_length, const char *what, uint8_t **der, size_t *length,
                             struct umx_error *err)
{
    BIO *memory = pem_length <= INT32_MAX ? BIO_new_mem_buf(pem, (int)pem_length) : NULL;
    struct umx_text all = {0};
    int count = 0, status = 0;
    X509 *certificate;

    while (status == 0 && memory != NULL && (certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL)) != NULL) {
        if (++count > UMX_REQUEST_CERTIFICATES_MAX)
            status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, what, "more than %d certificates",
                              UMX_REQUEST_CERTIFICATES_MAX);
        else if (add_certificate(&all, certificate) != 0)
            status = umx_fail(err, UMX_ERR_MEMORY, what, NULL);
        X509_free(certificate);
    }
    ERR_clear_error();
    BIO_free(memory);
    if (status == 0 && count == 0)
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, what, "there is no certificate in PEM in it");
    if (status != 0) {
        umx_text_free(&all);
        return status;
    }
    *der = (uint8_t *)all.data;
    *length = all.length;
    return 0;
}
