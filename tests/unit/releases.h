/* A release key and texts that it signs, for tests. */
#ifndef UMX_TESTS_RELEASES_H
#define UMX_TESTS_RELEASES_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/release.h"
#include "base/text.h"

struct releases {
    EVP_PKEY *key;
    char public_key[512];
};

static inline void releases_open(struct releases *made)
{
    BIO *bio = BIO_new(BIO_s_mem());

    made->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(made->key);
    assert_int_equal(PEM_write_bio_PUBKEY(bio, made->key), 1);
    int got = BIO_read(bio, made->public_key, sizeof made->public_key - 1);
    assert_true(got > 0);
    made->public_key[got] = '\0';
    BIO_free(bio);
}

static inline void releases_close(struct releases *made)
{
    EVP_PKEY_free(made->key);
}

static inline void releases_sign(const struct releases *made, const char *package, const char *version,
                                 const char *kind, const char *architecture, const void *bytes, size_t length,
                                 bool downgrade, char out[UMX_RELEASE_TEXT_MAX])
{
    uint8_t digest[32], signature[64];
    size_t size = sizeof signature;
    struct umx_text text = {0};
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    assert_int_equal(EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL), 1);
    umx_text_addf(&text, "umx-release 1\npackage %s\nversion %s\nkind %s\narchitecture %s\nsize %zu\nsha256 ", package,
                  version, kind, architecture, length);
    umx_text_add_hex(&text, digest, sizeof digest);
    umx_text_addf(&text, "\ndowngrade %s\n", downgrade ? "yes" : "no");
    assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, made->key), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &size, (const uint8_t *)text.data, text.length), 1);
    umx_text_adds(&text, "signature ");
    umx_text_add_hex(&text, signature, sizeof signature);
    umx_text_adds(&text, "\n");
    assert_true(text.length < UMX_RELEASE_TEXT_MAX);
    memcpy(out, text.data, text.length + 1);
    EVP_MD_CTX_free(context);
    umx_text_free(&text);
}

#endif
