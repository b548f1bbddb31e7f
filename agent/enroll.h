/*
 * `umx-agent enroll`: from a one-time token to an identity (docs/security.md).
 *
 * The key is made here and never leaves this machine. Until the identity is there it is in IDENTITY.enrolling (0600),
 * so that an attempt whose answer was lost, or that waits for an operator, goes on with the same key. The identity file
 * is written whole, in one step: after a crash at any moment there is the old one or the new one.
 */
#ifndef UMX_AGENT_ENROLL_H
#define UMX_AGENT_ENROLL_H

#include "agent/config.h"
#include "base/token.h"
#include "rpc/identity_file.h"
#include "umx/v1/operator.pb-c.h"

struct umx_enroll_options {
    const char *controller; /* HOST:PORT of the operators' listener */
    const char *token_file;
    bool new_key; /* not the key of the identity that is there */
    int wait;     /* seconds to wait for an operator's decision */
};

/* fqdn: the host's name, which the token has to be for. forest: that the host knows it is in, or "". Reports to out.
 * UMX_ERR_TOKEN_FILE_INVALID, ROOT_NOT_FOUND, ENROLMENT_HELD, and everything that the controller refuses with. */
int umx_enroll(const struct umx_agent_config *config, const char *fqdn, const char *forest,
               const struct umx_enroll_options *options, FILE *out, struct umx_error *err);

/* Whether what was issued is what was asked for: key and chain belong together, an agent, this host, this root. */
int umx_enroll_check(const struct umx_identity_file *issued, const char *fqdn, const char *root, struct umx_error *err);

#endif
