/*
 * Certificates and keys from PEM text, without ever asking on the terminal.
 */
#ifndef UMX_RPC_PEM_H
#define UMX_RPC_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>

/* A pem_password_cb that has none: a key with a passphrase is simply not readable. */
int umx_pem_no_passphrase(char *buffer, int size, int writing, void *user);

/* The first of its kind in the text; NULL: there is none that can be read. The caller frees. OpenSSL's queue of errors
 * is left as it is. */
X509 *umx_pem_certificate(const char *pem, size_t length);
EVP_PKEY *umx_pem_key(const char *pem, size_t length);

#endif
