/*
 * Signatures of operators over bytes: approvals, and the proof of `Issue`. SHA-256 with ECDSA (DER) or RSA PKCS#1 v1.5,
 * whichever the key is. Keys: EC P-256, P-384, P-521, RSA from 2048 bits.
 */
#ifndef UMX_RPC_SIGNATURE_H
#define UMX_RPC_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { UMX_SIGNATURE_MAX = 1024, UMX_SIGNATURE_CERTIFICATE_MAX = 64 * 1024 };

/* Signs with the first private key of a PEM text, for example an identity file. *signature is malloc'ed. */
int umx_signature_make(const char *identity_pem, const void *bytes, size_t length, uint8_t **signature,
                       size_t *signature_length, struct umx_error *err);

/* Verifies with the public key of a certificate in DER. UMX_ERR_SIGNATURE_INVALID with the reason. That the certificate
 * itself is trusted is the caller's business. */
int umx_signature_verify(const uint8_t *certificate, size_t certificate_length, const void *bytes, size_t length,
                         const uint8_t *signature, size_t signature_length, struct umx_error *err);

/* True for a public key of the kinds above. key is an EVP_PKEY. */
bool umx_signature_key_strong(const void *key);

#endif
