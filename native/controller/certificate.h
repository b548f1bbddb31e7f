/*
 * Making one X.509 certificate, and PEM in and out. What a certificate means for umx is decided in authority.c.
 *
 * Objects of OpenSSL are owned by the caller. Times are microseconds; certificates hold whole seconds.
 */
#ifndef UMX_CONTROLLER_CERTIFICATE_H
#define UMX_CONTROLLER_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct umx_certificate_spec {
    const char *common_name; /* cut at 64 bytes, which is what X.520 allows */
    const char *unit;        /* organizationalUnit, or NULL */
    const char *uri;         /* or NULL */
    const char *const *dns;  /* dNSName entries */
    size_t dns_count;
    const char *const *addresses; /* iPAddress entries, as text */
    size_t address_count;
    bool authority;  /* may sign certificates */
    int path_length; /* of an authority; -1: no limit */
    bool server_auth;
    bool client_auth;
    int64_t not_before_at;
    int64_t not_after_at;
};

/* A fresh EC P-256 key. */
int umx_certificate_key(EVP_PKEY **out, struct umx_error *err);

/* A certificate for the public half of key, with a random serial of 128 bits, signed with SHA-256. issuer NULL: signed
 * by itself. */
int umx_certificate_make(const struct umx_certificate_spec *spec, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                         X509 **out, struct umx_error *err);

/* Appends PEM. The private key is PKCS#8 without passphrase: wipe the text after use. */
int umx_certificate_add(const X509 *certificate, struct umx_text *out, struct umx_error *err);
int umx_certificate_add_key(const EVP_PKEY *key, struct umx_text *out, struct umx_error *err);

/* The first certificate or private key of a PEM text. `what` names the text in errors. */
int umx_certificate_read(const char *pem, const char *what, X509 **out, struct umx_error *err);
int umx_certificate_read_key(const char *pem, const char *what, EVP_PKEY **out, struct umx_error *err);

/* umx_fail with what OpenSSL says is wrong. */
int umx_certificate_fail(struct umx_error *err, enum umx_error_id id, const char *what);

#endif
