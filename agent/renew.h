/*
 * Renewal: when a third of the certificate's life is left, a new certificate for a new key, asked for on the agent's
 * own stream. The new identity replaces the file in one step; then the agent attaches again with it. The old
 * certificate stays good until its own end, so that a crash in between loses nothing.
 *
 * The session's thread owns it.
 */
#ifndef UMX_AGENT_RENEW_H
#define UMX_AGENT_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "rpc/identity_file.h"
#include "rpc/trust.h"
#include "umx/v1/agent.pb-c.h"

struct umx_renewal {
    char uri[UMX_IDENTITY_MAX];
    char fqdn[UMX_FQDN_MAX];
    char *root;                    /* PEM */
    const struct umx_trust *trust; /* what the agent was told; NULL: nothing, and only root counts */
    int64_t due_at;                /* wall clock */
    int64_t retry_at;              /* monotonic: not before */
    int64_t asked_at;              /* monotonic; 0: nothing is asked */
    char *key;                     /* PEM of what is asked for, a secret */
};

/* The identity that the next stream uses. A renewal that was under way is forgotten. */
int umx_renewal_begin(struct umx_renewal *renewal, const struct umx_identity_file *identity, struct umx_error *err);
void umx_renewal_end(struct umx_renewal *renewal);

/* Roots that the controller told of count too, when the identity's own is among them. Set again after begin. */
void umx_renewal_trust(struct umx_renewal *renewal, const struct umx_trust *trust);

/* Renews at a random time within these seconds, at the latest. */
void umx_renewal_hurry(struct umx_renewal *renewal, int within);

/* Whether it is time to ask. */
bool umx_renewal_due(const struct umx_renewal *renewal);
/* The request (DER, malloc'ed) of a new key. */
int umx_renewal_ask(struct umx_renewal *renewal, uint8_t **request, size_t *length, struct umx_error *err);
/* The stream ended: the answer will not come. */
void umx_renewal_gone(struct umx_renewal *renewal);
/* Takes the answer and writes the identity file; 0: attach with it. After an error it is asked again later. */
int umx_renewal_take(struct umx_renewal *renewal, const Umx__Renewed *renewed, const char *path, struct umx_error *err);

#endif
