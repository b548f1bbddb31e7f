#include "rpc/signature.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/pem.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

bool umx_signature_key_strong(const void *key)
{
    const EVP_PKEY *public_key = key;
    char group[32];

    if (public_key == NULL)
        return false;
    if (EVP_PKEY_get_base_id(public_key) == EVP_PKEY_RSA) {
        int bits = EVP_PKEY_get_bits(public_key);
        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    }
    if (EVP_PKEY_get_base_id(public_key) != EVP_PKEY_EC ||
        EVP_PKEY_get_group_name(public_key, group, sizeof group, NULL) != 1)
        return false;
    int curve = OBJ_txt2nid(group);
    return curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 || curve == NID_secp521r1;
}

int umx_signature_make(const char *identity_pem, const void *bytes, size_t length, uint8_t **signature,
                       size_t *signature_length, struct umx_error *err)
{
    EVP_PKEY *key = umx_pem_key(identity_pem, strlen(identity_pem));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = 0;
    int status = 0;

    *signature = NULL;
    *signature_length = 0;
    if (key == NULL || !umx_signature_key_strong(key)) {
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, "private key", "there is none that can sign");
    } else if (context == NULL || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
               EVP_DigestSign(context, NULL, &size, bytes, length) != 1 || size > UMX_SIGNATURE_MAX ||
               (*signature = malloc(size)) == NULL || EVP_DigestSign(context, *signature, &size, bytes, length) != 1) {
        free(*signature);
        *signature = NULL;
        status = umx_fail(err, UMX_ERR_INTERNAL, "a signature", NULL);
    } else {
        *signature_length = size;
    }
    ERR_clear_error();
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return status;
}

int umx_signature_verify(const uint8_t *certificate, size_t certificate_length, const void *bytes, size_t length,
                         const uint8_t *signature, size_t signature_length, struct umx_error *err)
{
    const unsigned char *at = certificate;
    const char *fault = NULL;
    X509 *parsed = NULL;
    EVP_MD_CTX *context = NULL;

    if (certificate_length > 0 && certificate_length <= UMX_SIGNATURE_CERTIFICATE_MAX)
        parsed = d2i_X509(NULL, &at, (long)certificate_length);
    EVP_PKEY *key = parsed != NULL ? X509_get0_pubkey(parsed) : NULL;
    if (key == NULL || at != certificate + certificate_length)
        fault = "the certificate is not readable";
    else if (!umx_signature_key_strong(key))
        fault = "the certificate's key is too weak or of another kind";
    else if (signature_length == 0 || signature_length > UMX_SIGNATURE_MAX)
        fault = "there is no signature";
    else if ((context = EVP_MD_CTX_new()) == NULL ||
             EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
             EVP_DigestVerify(context, signature, signature_length, bytes, length) != 1)
        fault = "it does not match the certificate's key";
    ERR_clear_error();
    EVP_MD_CTX_free(context);
    X509_free(parsed);
    return fault == NULL ? 0 : umx_fail(err, UMX_ERR_SIGNATURE_INVALID, "signature", "%s", fault);
}
