/*
 * The deployment's certificate authority: who is who (design 7).
 *
 * Files below the data directory, keys with mode 0600, all written atomically:
 *   root.pem             the root: what agents and clients pin
 *   root/root.key        its key: to be moved offline, not needed to run
 *   ca/intermediate.pem  the one online authority, and ca/intermediate.key
 *   ca/controller.pem    the controller's identity file (rpc/identity_file.h)
 *   ca/issued.tsv        one line for each certificate issued; appended to, also by `umxd issue` beside a controller
 *
 * An open authority is read-only except for issued.tsv, and may be used from any thread.
 */
#ifndef UMX_CONTROLLER_AUTHORITY_H
#define UMX_CONTROLLER_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "rpc/rpc.h"
#include "umx/v1/operator.pb-c.h"

struct umx_authority;

#define UMX_AGENT_LIFE (30 * UMX_DAY)          /* renewed on the agent's own stream */
#define UMX_AGENT_LIFE_BY_HAND (365 * UMX_DAY) /* `umxd issue agent` */
#define UMX_OPERATOR_LIFE (7 * UMX_DAY)
#define UMX_OPERATOR_LIFE_MIN (12 * UMX_HOUR)
#define UMX_CONTROLLER_LIFE (365 * UMX_DAY)

/* Makes a deployment. deployment NULL: a random uuid. names are what the controller is reached by, host names or
 * addresses, at least one; the first host name (else "controller") becomes the controller's own name. The data
 * directory is made when it is missing. UMX_ERR_DEPLOYMENT_EXISTS when one is there: nothing is touched. */
int umx_authority_init(const char *data, const char *deployment, const char *const *names, size_t count,
                       struct umx_error *err);

/* UMX_ERR_DEPLOYMENT_MISSING when there is none. */
int umx_authority_open(const char *data, struct umx_authority **out, struct umx_error *err);
void umx_authority_close(struct umx_authority *authority); /* NULL is allowed */

const char *umx_authority_deployment(const struct umx_authority *authority);
/* umx://DEPLOYMENT/controller/NAME. */
const char *umx_authority_identity(const struct umx_authority *authority);
/* For umx_rpc_server_start; lives as long as the authority. */
const struct umx_rpc_tls *umx_authority_tls(const struct umx_authority *authority);
/* The root in PEM. */
const char *umx_authority_root(const struct umx_authority *authority);

/* What an issued certificate is. */
struct umx_issued {
    char *chain; /* PEM: leaf, intermediate, root; umx_issued_free */
    char identity[UMX_IDENTITY_MAX];
    int64_t expires_at;
};
void umx_issued_free(struct umx_issued *issued);

/* A certificate for a PKCS#10 request (DER): only its key is taken from it. UMX_ERR_CSR_INVALID, KEY_WEAK,
 * REQUEST_SIGNATURE. life is in
 * microseconds; an operator's is kept between UMX_OPERATOR_LIFE_MIN and UMX_OPERATOR_LIFE. */
int umx_authority_issue_operator(struct umx_authority *authority, const uint8_t *request, size_t length,
                                 const char *sid, const char *name, const char *forest, int64_t life,
                                 struct umx_issued *out, struct umx_error *err);
/* Renewal of an agent's certificate: agent is the identity of its stream. */
int umx_authority_renew_agent(struct umx_authority *authority, const uint8_t *request, size_t length,
                              const struct umx_identity *agent, struct umx_issued *out, struct umx_error *err);

/* A whole identity file with a fresh key, appended to pem (a secret: wipe it). The agent of an FQDN keeps its uuid when
 * it is issued again. */
int umx_authority_issue_agent(struct umx_authority *authority, const char *fqdn, int64_t life, struct umx_text *pem,
                              struct umx_issued *out, struct umx_error *err);
int umx_authority_issue_controller(struct umx_authority *authority, const char *name, const char *const *names,
                                   size_t count, struct umx_text *pem, struct umx_issued *out, struct umx_error *err);

/* What a request (PKCS#10, DER) is, as far as it proves itself: UMX_ERR_CSR_INVALID, KEY_WEAK, REQUEST_SIGNATURE. */
struct umx_request_facts {
    char key[65];         /* SHA-256 of its public key, hex */
    uint8_t content[32];  /* SHA-256 of what is signed in it: the same request again has the same */
};
int umx_authority_request_facts(const uint8_t *request, size_t length, struct umx_request_facts *out,
                                struct umx_error *err);

/* A certificate for an agent's request: name is the last part of its URI (umx_authority_agent_name makes a new one),
 * fqdn in lower case. */
int umx_authority_enrol_agent(struct umx_authority *authority, const uint8_t *request, size_t length, const char *name,
                              const char *fqdn, struct umx_issued *out, struct umx_error *err);
int umx_authority_agent_name(char name[37], struct umx_error *err);

/* An agent that was issued certificates. */
struct umx_issued_agent {
    char *uri;
    char *fqdn;
    int64_t expires_at;    /* of the one that ends last */
    char key[65];          /* SHA-256 of the newest certificate's public key, hex; "" when not known */
    char previous_key[65]; /* of the one before it, when it was another */
    bool revoked;
    bool forgotten; /* revoked, and not to be shown */
};

/* Calls each for every agent that was issued a certificate, in the order of its first; each must not use the authority.
 * A return value other than 0 ends it and is returned. What `umxd issue` did meanwhile is seen. */
int umx_authority_issued_agents(struct umx_authority *authority,
                                int (*each)(void *user, const struct umx_issued_agent *agent), void *user,
                                struct umx_error *err);

/* Takes an identity back, for `umxd issue` (its FQDN gets a new one) and for lists. That it is refused is the business
 * of enrolment.h. */
int umx_authority_mark_agent(struct umx_authority *authority, const char *uri, const char *fqdn, bool forgotten,
                             struct umx_error *err);

/* ---- the proof by a forest's operator CA */

struct umx_forest_person {
    char sid[128];
    char name[128]; /* the certificate's common name */
};

/* Verifies the proof in request against operator_ca, the PEM file configured for its forest: chain, validity and
 * purpose of the certificate, its SID, its key's signature over the request, and the request itself.
 * UMX_ERR_PROOF_REFUSED or UMX_ERR_CSR_INVALID, with the reason. All bytes are taken as hostile. */
int umx_authority_prove_forest(const Umx__IssueRequest *request, const char *forest, const char *operator_ca,
                               struct umx_forest_person *out, struct umx_error *err);

#endif
