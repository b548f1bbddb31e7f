/*
 * Certificate requests (PKCS#10), made by whoever wants a certificate.
 */
#ifndef UMX_RPC_REQUEST_H
#define UMX_RPC_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { UMX_KEY_HASH_TEXT = 65 }; /* SHA-256 of a SubjectPublicKeyInfo as hex */

/* A fresh EC P-256 key as PEM (PKCS#8, no passphrase): umx_private_free it. */
int umx_request_key(char **key, struct umx_error *err);

/* A request in DER for the first private key of a PEM text, malloc'ed. Its subject is empty: the controller takes the
 * key from it and nothing else. Its challengePassword is random, so that no two requests are the same. */
int umx_request_make(const char *key, uint8_t **request, size_t *length, struct umx_error *err);

/* The fingerprint of the public half of a private key in PEM. UMX_ERR_IDENTITY_FILE_INVALID, named by what. */
int umx_request_key_hash(const char *key, const char *what, char hash[UMX_KEY_HASH_TEXT], struct umx_error *err);

#endif
