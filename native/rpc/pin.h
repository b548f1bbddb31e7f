/*
 * A root by its fingerprint. The connection made here carries no word of ours and is closed at once: it only brings the
 * certificates, of which the one with the right SHA-256 is then used to verify the real connection.
 */
#ifndef UMX_RPC_PIN_H
#define UMX_RPC_PIN_H

#include "base/error.h"

/* target HOST:PORT; fingerprint: SHA-256 of the root certificate in hex, with or without colons. *pem is malloc'ed.
 * UMX_ERR_ROOT_NOT_FOUND: the certificates presented there are others. At most 20 seconds. */
int umx_rpc_fetch_root(const char *target, const char *fingerprint, char **pem, struct umx_error *err);

#endif
