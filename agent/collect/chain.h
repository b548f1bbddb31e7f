/*
 * Chain building against the roots that a host trusts, and nothing else: used for its own certificates and for the
 * peers it tries.
 */
#ifndef UMX_AGENT_CHAIN_H
#define UMX_AGENT_CHAIN_H

#include <openssl/x509.h>

#include "agent/host/host.h"

struct umx_chain;

/* Takes copies of what it needs from the store entries; unreadable ones are left out. */
int umx_chain_new(const struct umx_host_certificate *list, size_t count, struct umx_chain **out, struct umx_error *err);
void umx_chain_free(struct umx_chain *chain); /* NULL allowed */

/* "ok", or OpenSSL's reason. Dates are those of umx_clock_now. *root is the self-signed end of the chain where there is
 * one (trusted or not), and belongs to the caller. */
const char *umx_chain_verify(const struct umx_chain *chain, X509 *certificate, X509 **root);

/* The trusted roots, for a TLS context (one more reference is taken). */
X509_STORE *umx_chain_store(const struct umx_chain *chain);

#endif
