#include "rpc/pem.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/pem.h>

int umx_pem_no_passphrase(char *buffer, int size, int writing, void *user)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static BIO *open_text(const char *pem, size_t length)
{
    return length <= INT_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
}

X509 *umx_pem_certificate(const char *pem, size_t length)
{
    BIO *bio = open_text(pem, length);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, umx_pem_no_passphrase, NULL) : NULL;

    BIO_free(bio);
    return certificate;
}

EVP_PKEY *umx_pem_key(const char *pem, size_t length)
{
    BIO *bio = open_text(pem, length);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, umx_pem_no_passphrase, NULL) : NULL;

    BIO_free(bio);
    return key;
}
