/*
 * Whom the deployment trusts, as this agent was told on its stream: STATE/trust.pem. Without it the root of the
 * identity file is all there is. Not thread-safe: the session's thread owns it.
 */
#ifndef UMX_AGENT_TRUST_H
#define UMX_AGENT_TRUST_H

#include "base/error.h"
#include "rpc/identity_file.h"
#include "rpc/trust.h"

struct umx_agent_trust {
    bool known;
    struct umx_trust trust;
};

/* directory: the agent's state; "" or NULL: there is none, and nothing is known. A damaged file is an error; nothing is
 * known then. */
int umx_agent_trust_load(const char *directory, struct umx_agent_trust *out, struct umx_error *err);
/* Keeps what the controller says, durably. *changed: it is another one than before. On an error nothing changes. */
int umx_agent_trust_keep(const char *directory, struct umx_agent_trust *trust, const char *certificates, bool *changed,
                         struct umx_error *err);
void umx_agent_trust_free(struct umx_agent_trust *trust);

/* TLS material of an identity. What was told counts when the identity's root is in it: an identity that somebody put
 * there later, of another root, is believed before. Points into both. */
struct umx_rpc_tls umx_agent_trust_tls(const struct umx_agent_trust *trust, const struct umx_identity_file *identity);

#endif
