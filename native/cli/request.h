/*
 * A fresh key and the certificate request for it.
 */
#ifndef UMX_CLI_REQUEST_H
#define UMX_CLI_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum { UMX_REQUEST_CERTIFICATES_MAX = 8 };

/* An EC P-256 key in PEM (a secret: wipe it) and a PKCS#10 request for it in DER (malloc'ed). Who it is for is not in
 * the request: the issuer takes that from the proof. */
int umx_request_make(struct umx_text *key_pem, uint8_t **der, size_t *length, struct umx_error *err);

/* The certificates of a PEM text one behind the other in DER (malloc'ed), at least one. what names the text in errors.
 */
int umx_request_certificates(const char *pem, size_t pem_length, const char *what, uint8_t **der, size_t *length,
                             struct umx_error *err);

#endif
