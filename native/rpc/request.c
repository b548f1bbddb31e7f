#include "rpc/request.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "rpc/pem.h"

enum { CHALLENGE = 16, DIGEST = 32 };

int umx_request_key(char **key, struct umx_error *err)
{
    EVP_PKEY *made = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_secmem());
    char *data = NULL;

    *key = NULL;
    if (made != NULL && bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, made, NULL, NULL, 0, NULL, NULL) == 1) {
        long length = BIO_get_mem_data(bio, &data);
        *key = calloc(1, (size_t)length + 1);
        if (*key != NULL)
            memcpy(*key, data, (size_t)length);
    }
    BIO_free(bio);
    EVP_PKEY_free(made);
    ERR_clear_error();
    return *key != NULL ? 0 : umx_fail(err, UMX_ERR_INTERNAL, "a private key", NULL);
}

static bool add_challenge(X509_REQ *request)
{
    unsigned char random[CHALLENGE];
    struct umx_text hex = {0};
    bool good = RAND_bytes(random, sizeof random) == 1;

    umx_text_add_hex(&hex, random, sizeof random);
    good = good && !hex.failed &&
           X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, MBSTRING_ASC,
                                     (const unsigned char *)hex.data, (int)hex.length) == 1;
    umx_text_free(&hex);
    return good;
}

int umx_request_make(const char *key, uint8_t **request, size_t *length, struct umx_error *err)
{
    EVP_PKEY *pair = umx_pem_key(key, strlen(key));
    X509_REQ *made = X509_REQ_new();
    unsigned char *der = NULL;
    int size = 0;

    *request = NULL;
    if (pair != NULL && made != NULL && X509_REQ_set_version(made, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_pubkey(made, pair) == 1 && add_challenge(made) && X509_REQ_sign(made, pair, EVP_sha256()) > 0)
        size = i2d_X509_REQ(made, &der);
    if (size > 0 && (*request = malloc((size_t)size)) != NULL) {
        memcpy(*request, der, (size_t)size);
        *length = (size_t)size;
    }
    OPENSSL_free(der);
    X509_REQ_free(made);
    EVP_PKEY_free(pair);
    ERR_clear_error();
    return *request != NULL ? 0 : umx_fail(err, UMX_ERR_INTERNAL, "a certificate request", NULL);
}

int umx_request_key_hash(const char *key, const char *what, char hash[UMX_KEY_HASH_TEXT], struct umx_error *err)
{
    EVP_PKEY *pair = umx_pem_key(key, strlen(key));
    unsigned char *der = NULL;
    unsigned char digest[DIGEST];
    struct umx_text hex = {0};
    int size = pair != NULL ? i2d_PUBKEY(pair, &der) : 0;
    bool good = size > 0 && EVP_Digest(der, (size_t)size, digest, NULL, EVP_sha256(), NULL) == 1;

    if (good)
        umx_text_add_hex(&hex, digest, sizeof digest);
    good = good && !hex.failed;
    if (good)
        umx_text_copy(hash, UMX_KEY_HASH_TEXT, umx_text_string(&hex));
    umx_text_free(&hex);
    OPENSSL_free(der);
    EVP_PKEY_free(pair);
    ERR_clear_error();
    return good ? 0 : umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, what, "it has no readable private key");
}
