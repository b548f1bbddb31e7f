/*
 * Whom a deployment trusts: its roots, and the authorities below them that may issue certificates directly. One PEM
 * text of a few certificates; those that are signed by themselves are the roots. It is told to agents and operators
 * while an authority rotates, and kept beside their identity (docs/protocol.md).
 */
#ifndef UMX_RPC_TRUST_H
#define UMX_RPC_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { UMX_TRUST_MAX = 64 * 1024, UMX_TRUST_CERTIFICATES = 8, UMX_TRUST_ID = 32 };

struct umx_trust {
    char *pem;         /* all, as they came, normalised */
    char *roots;       /* PEM */
    char *authorities; /* PEM */
    uint8_t id[UMX_TRUST_ID];
};

/* Every byte may be hostile. UMX_ERR_TRUST_INVALID: there is no root or no authority, one is not signed by a root of
 * the text or may not sign certificates, or there are too many. Expiry is not looked at. */
int umx_trust_parse(const char *pem, size_t length, struct umx_trust *out, struct umx_error *err);
void umx_trust_free(struct umx_trust *trust);
/* Whether the first certificate of a PEM text is one of the roots. */
bool umx_trust_has_root(const struct umx_trust *trust, const char *root);

/* ---- authorities, ready to look at certificates */

struct umx_issuers;

/* From a PEM text; NULL gives NULL, which takes every certificate. */
int umx_issuers_new(const char *pem, struct umx_issuers **out, struct umx_error *err);
void umx_issuers_free(struct umx_issuers *issuers);
/* Whether the leaf of a PEM text is signed by one of them. UMX_ERR_ISSUER_RETIRED, named by who. */
int umx_issuers_check(const struct umx_issuers *issuers, const char *pem, size_t length, const char *who,
                      struct umx_error *err);
/* Whether all of them are older than the authority that signed the leaf of a chain (PEM: the leaf, then the authority):
 * who has them has missed a rotation. What was replaced is never the younger one. */
bool umx_issuers_older(const struct umx_issuers *issuers, const char *chain, size_t length);
/* Whether one of them has this key, as umx_identity.issuer names it. */
bool umx_issuers_have(const struct umx_issuers *issuers, const char *key_id);

#endif
