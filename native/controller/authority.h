/*
 * The deployment's certificate authority: who is who (design 7).
 *
 * Files below the data directory, keys with mode 0600, all written atomically:
 *   root.pem             the root: what agents and clients pin
 *   root/root.key        its key: to be moved offline, not needed to run
 *   ca/intermediate.pem  the one online authority, and ca/intermediate.key
 *   ca/controller.pem    the controller's identity file (rpc/identity_file.h)
 *   ca/issued.tsv        one line for each certificate issued, until a week after its end; appended to, also by `umxd
 *                        issue` beside a controller
 *   ca/next/             intermediate.pem, intermediate.key and, for a new root, root.pem: staged, or what a rotation
 *                        leads to
 *   ca/rotation          the rotation that is under way; ca/progress.tsv: who has followed
 *   ca/past/             intermediates that are no longer accepted, certificates only
 *   ca/lock              held while any of these is read or changed
 *
 * An open authority may be used from any thread. Of what is on disk a running controller follows only its own rotations
 * and ca/issued.tsv.
 */
#ifndef UMX_CONTROLLER_AUTHORITY_H
#define UMX_CONTROLLER_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/world.h"
#include "rpc/request.h"
#include "rpc/rpc.h"
#include "rpc/trust.h"
#include "umx/v1/operator.pb-c.h"

struct umx_authority;

#define UMX_ROOT_LIFE (20 * 365 * UMX_DAY)
#define UMX_INTERMEDIATE_LIFE (5 * 365 * UMX_DAY)
#define UMX_AGENT_LIFE (30 * UMX_DAY)          /* renewed on the agent's own stream */
#define UMX_AGENT_LIFE_BY_HAND (365 * UMX_DAY) /* `umxd issue agent` */
#define UMX_OPERATOR_LIFE (7 * UMX_DAY)
#define UMX_OPERATOR_LIFE_MIN (5 * UMX_MINUTE)
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
/* For umx_rpc_server_start, and for umx_rpc_server_reload after a rotation moved or the controller's certificate was
 * renewed; lives as long as the authority. */
const struct umx_rpc_tls *umx_authority_tls(const struct umx_authority *authority);
/* Roots and authorities that are trusted now; lives as long as the authority. */
const struct umx_trust *umx_authority_trust(const struct umx_authority *authority);
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
    char key[65];        /* SHA-256 of its public key, hex */
    uint8_t content[32]; /* SHA-256 of what is signed in it: the same request again has the same */
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
    int64_t expires_at;          /* of the one that ends last */
    char key[65];                /* SHA-256 of the newest certificate's public key, hex; "" when not known */
    char issuer[UMX_KEY_ID_MAX]; /* key identifier of the newest certificate's issuer; "" when not known */
    char previous_key[65];       /* of the one before it, when it was another */
    char *forest;                /* of the token it was enrolled with, or NULL */
    bool revoked;
    bool forgotten; /* revoked, and not to be shown */
};

/* Calls each for every agent that was issued a certificate, in the order of its first; each must not use the authority.
 * A return value other than 0 ends it and is returned. What `umxd issue` did meanwhile is seen. */
int umx_authority_issued_agents(struct umx_authority *authority,
                                int (*each)(void *user, const struct umx_issued_agent *agent), void *user,
                                struct umx_error *err);

/* Leaves the lines of certificates that ended a week ago or longer out of ca/issued.tsv, when they are a quarter of it:
 * what is known of agents stays. *left_out: how many lines; may be NULL. Whoever issues meanwhile waits. */
int umx_authority_shorten(struct umx_authority *authority, size_t *left_out, struct umx_error *err);

/* Takes an identity back, for `umxd issue` (its FQDN gets a new one) and for lists. That it is refused is the business
 * of enrolment.h. */
int umx_authority_mark_agent(struct umx_authority *authority, const char *uri, const char *fqdn, bool forgotten,
                             struct umx_error *err);
/* What the journal says of an agent, in memory only; forest NULL: nothing. An agent that issued.tsv does not have is
 * added. */
int umx_authority_note_agent(struct umx_authority *authority, const char *uri, const char *fqdn, const char *forest,
                             bool revoked, bool forgotten, struct umx_error *err);
/* From memory, without I/O. */
bool umx_authority_agent_revoked(struct umx_authority *authority, const char *uri);
/* The forest that a token gave it; "" when there is none. */
void umx_authority_agent_forest(struct umx_authority *authority, const char *uri, char forest[UMX_FQDN_MAX]);

/* ---- what the deployment's own certificates are, and a rotation's state */

/* As items of `umx ca status`, in the arena: roots, intermediates (current, next, staged, past), the controller's.
 * Counts are those of valid certificates in ca/issued.tsv. */
int umx_authority_certificates(struct umx_authority *authority, struct umx_arena *arena,
                               Umx__AuthorityCertificate ***out, size_t *count, struct umx_error *err);
/* The valid ones as rows of the table `certificate`, in the stores umx-root, umx-intermediate and umx-controller
 * of a server with the controller's name. */
int umx_authority_add_rows(struct umx_authority *authority, struct umx_world *world, struct umx_error *err);

/* Renews the controller's own certificate when less than a third of its life is left at `now`. *renewed: the listeners
 * have to be reloaded. */
int umx_authority_renew_controller(struct umx_authority *authority, int64_t now, bool *renewed, struct umx_error *err);

/* ---- rotation (docs/operate.md)
 *
 * staged -> begin -> [agents take the trust in both, then renew by the next] -> complete
 *                 -> rollback -> [agents renew by the one before] -> complete
 */

enum umx_rotation_state { UMX_ROTATION_NONE, UMX_ROTATION_STAGED, UMX_ROTATION_FORWARD, UMX_ROTATION_BACK };

struct umx_rotation {
    enum umx_rotation_state state;
    bool root;
    int64_t begun_at;
    char begun_by[UMX_IDENTITY_MAX];
    char error[256]; /* staged: why it cannot be used; "" when it can */
};

void umx_authority_rotation(struct umx_authority *authority, struct umx_rotation *out);

/* On the controller's host, beside a running controller or without one. A new intermediate, signed with the root's key
 * in root_key_file; or a new root, whose key is written to root_key_file (a file that is not there yet: on the medium
 * that is taken away), and an intermediate below it. They wait below ca/next until a rotation begins.
 * UMX_ERR_AUTHORITY_STAGED, UMX_ERR_ROTATION_UNDER_WAY, UMX_ERR_AUTHORITY_INVALID. */
int umx_authority_stage_intermediate(const char *data, const char *root_key_file, struct umx_error *err);
int umx_authority_stage_root(const char *data, const char *root_key_file, struct umx_error *err);
/* Removes what is staged. */
int umx_authority_discard(const char *data, struct umx_error *err);

/* The root's key on another machine. A request for an intermediate's certificate, PEM, appended; its key stays below
 * ca/next. key_hash: its fingerprint, to be compared on both machines. The second makes the first request of a
 * deployment that is to be. */
int umx_authority_request(const char *data, struct umx_text *request, char key_hash[UMX_KEY_HASH_TEXT],
                          struct umx_error *err);
int umx_authority_init_request(const char *data, const char *deployment, const char *const *names, size_t count,
                               struct umx_text *request, char key_hash[UMX_KEY_HASH_TEXT], struct umx_error *err);
/* On that other machine, from texts alone: the intermediate and its root are appended to out. UMX_ERR_CSR_INVALID,
 * KEY_WEAK, REQUEST_SIGNATURE, AUTHORITY_INVALID. */
int umx_authority_sign(const char *request, const char *root_pem, const char *root_key, struct umx_text *out,
                       char key_hash[UMX_KEY_HASH_TEXT], struct umx_error *err);
/* There too: a root, appended to out, and its key in a file that is not there yet. */
int umx_authority_make_root(const char *deployment, const char *root_key_file, struct umx_text *out,
                            struct umx_error *err);
/* What came back, the intermediate and its root in PEM, whoever made it: the deployment is whole, or the authority is
 * staged. UMX_ERR_AUTHORITY_INVALID says what is wrong with it; then nothing has changed. */
enum umx_imported { UMX_IMPORTED_DEPLOYMENT, UMX_IMPORTED_INTERMEDIATE, UMX_IMPORTED_ROOT };
int umx_authority_import(const char *data, const char *pem, enum umx_imported *what, struct umx_error *err);

/* Nobody changes the deployment's certificates until the release: for whoever reads several of its files. A directory
 * without ca/ has none, and needs no lock (-1). Short: a rotation waits meanwhile. umx_authority_open() would wait for
 * it too. */
int umx_authority_hold(const char *data, int *lock, struct umx_error *err);
void umx_authority_release(int lock);

/* What these change is durable before it is used, and continues after a crash anywhere. begin: also forward again after
 * a rollback; begun already: 0. The caller reloads the listeners and tells the agents. */
int umx_authority_begin(struct umx_authority *authority, bool root, const char *actor, struct umx_error *err);
int umx_authority_rollback(struct umx_authority *authority, struct umx_error *err);
/* Refuses (UMX_ERR_ROTATION_LAGGARDS, naming some) while an agent with a valid certificate has not followed, but for
 * those in leave_behind: FQDNs or identities; one that is no agent: UMX_ERR_AGENT_UNKNOWN. */
int umx_authority_complete(struct umx_authority *authority, const char *const *leave_behind, size_t count,
                           struct umx_error *err);

/* What an agent shows when it attaches, and when it has taken a trust (id: UMX_TRUST_ID bytes, or NULL). Any thread,
 * cheap. */
struct umx_heard {
    bool tell;  /* it keeps another trust than the one of now: tell it */
    bool renew; /* it keeps the trust, and its certificate is of the authority that goes */
};
struct umx_heard umx_authority_heard(struct umx_authority *authority, const struct umx_identity *agent,
                                     const uint8_t *id);

/* Agents with valid certificates that have not followed; state is filled by the caller. In the arena. */
int umx_authority_laggards(struct umx_authority *authority, struct umx_arena *arena, Umx__AuthorityLaggard ***out,
                           size_t *count, size_t *agents, struct umx_error *err);

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
