#include "rpc/identity_file.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "rpc/pem.h"
#include "rpc/signature.h"

void umx_private_free(char *secret)
{
    if (secret != NULL)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

void umx_identity_file_free(struct umx_identity_file *file)
{
    umx_private_free(file->key);
    free(file->chain);
    free(file->root);
    *file = (struct umx_identity_file){0};
}

struct umx_rpc_tls umx_identity_file_tls(const struct umx_identity_file *file)
{
    return (struct umx_rpc_tls){.key = file->key, .chain = file->chain, .roots = file->root};
}

/* A copy of what a memory BIO holds. */
static char *text_of(BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    char *copy = length > 0 ? malloc((size_t)length + 1) : NULL;

    if (copy != NULL) {
        memcpy(copy, data, (size_t)length);
        copy[length] = '\0';
    }
    return copy;
}

static char *key_text(const EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;

    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
        text = text_of(bio);
    BIO_free(bio);
    return text;
}

static char *certificates_text(X509 *const *certificates, int count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool good = bio != NULL;

    for (int i = 0; good && i < count; i++)
        good = PEM_write_bio_X509(bio, certificates[i]) == 1;
    if (good)
        text = text_of(bio);
    BIO_free(bio);
    return text;
}

static int read_certificates(const char *pem, size_t length, X509 **out)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    int count = 0;

    while (bio != NULL && count < UMX_IDENTITY_CHAIN_MAX &&
           (out[count] = PEM_read_bio_X509(bio, NULL, umx_pem_no_passphrase, NULL)) != NULL)
        count++;
    BIO_free(bio);
    return count;
}

static const char *fault_of(EVP_PKEY *key, X509 *const *certificates, int count)
{
    if (key == NULL)
        return "it has no readable private key";
    if (count < 2)
        return "it needs a certificate and the root that it chains to";
    if (X509_check_private_key(certificates[0], key) != 1)
        return "the private key is not the certificate's";
    for (int i = 0; i < count; i++) {
        X509 *issuer = certificates[i + 1 < count ? i + 1 : i];
        EVP_PKEY *issuer_key = X509_get0_pubkey(issuer);
        if (issuer_key == NULL || X509_verify(certificates[i], issuer_key) != 1)
            return i + 1 < count ? "its certificates are not a chain" : "the last certificate is not a root";
    }
    return NULL;
}

int umx_identity_file_parse(const char *pem, size_t length, const char *what, struct umx_identity_file *out,
                            struct umx_error *err)
{
    X509 *certificates[UMX_IDENTITY_CHAIN_MAX] = {NULL};
    struct umx_identity_file made = {0};
    int status = 0;

    if (length == 0 || length > UMX_IDENTITY_FILE_MAX)
        return umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, what, "it is empty or too large");
    EVP_PKEY *key = umx_pem_key(pem, length);
    int count = read_certificates(pem, length, certificates);
    const char *fault = fault_of(key, certificates, count);
    if (fault != NULL) {
        status = umx_fail(err, UMX_ERR_IDENTITY_FILE_INVALID, what, "%s", fault);
        goto out;
    }
    made.key = key_text(key);
    made.chain = certificates_text(certificates, count - 1);
    made.root = certificates_text(certificates + count - 1, 1);
    if (made.key == NULL || made.chain == NULL || made.root == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, what, NULL);
    else
        status = umx_identity_parse(made.chain, strlen(made.chain), &made.identity, err);
    if (status == 0)
        *out = made;
    else
        umx_identity_file_free(&made);
out:
    for (int i = 0; i < count; i++)
        X509_free(certificates[i]);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return status;
}

int umx_identity_file_load(const char *path, struct umx_identity_file *out, struct umx_error *err)
{
    char *pem = NULL;
    size_t length;
    int status = umx_private_file_read(path, UMX_IDENTITY_FILE_MAX, &pem, &length, err);

    if (status == 0)
        status = umx_identity_file_parse(pem, length, path, out, err);
    umx_private_free(pem);
    return status;
}

int umx_private_file_read(const char *path, size_t max, char **bytes, size_t *length, struct umx_error *err)
{
    FILE *file = umx_private_file_open(path);
    char *made = file != NULL ? malloc(max + 1) : NULL;

    *bytes = NULL;
    if (made == NULL) {
        int status = umx_fail(err, file != NULL ? UMX_ERR_MEMORY : UMX_ERR_FILE_UNREADABLE, path, NULL);
        if (file != NULL)
            fclose(file);
        return status;
    }
    /* Unbuffered, so that no copy of a key stays behind in stdio. */
    setvbuf(file, NULL, _IONBF, 0);
    *length = fread(made, 1, max, file);
    bool whole = *length < max || fgetc(file) == EOF;
    bool good = ferror(file) == 0;
    fclose(file);
    made[*length] = '\0';
    if (good && whole) {
        *bytes = made;
        return 0;
    }
    OPENSSL_cleanse(made, *length);
    free(made);
    return umx_fail(err, UMX_ERR_FILE_UNREADABLE, path, good ? "it is too large" : NULL);
}
