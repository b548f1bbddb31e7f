/* The agent's identity file: PEM blocks, private key, certificate, intermediates, the deployment's root last. */
#ifndef UMX_AGENT_IDENTITY_H
#define UMX_AGENT_IDENTITY_H

#include "rpc/rpc.h"

struct umx_agent_identity {
    struct umx_identity certificate;
    struct umx_rpc_tls tls; /* points into the three below */
    char *key;
    char *chain;
    char *roots;
};

int umx_agent_identity_read(const char *path, struct umx_agent_identity *out, struct umx_error *err);
void umx_agent_identity_wipe(struct umx_agent_identity *identity); /* the key is overwritten first */

#endif
