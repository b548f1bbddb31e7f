/*
 * Enrolment: tokens, the agents that came by them, and the identities that were taken back (docs/security.md).
 *
 * The journal is the truth: everything here is folded from its entries, and an entry is durable before its effect. A
 * token is kept as the SHA-256 of its secret. A use of a token is one key: the same key may ask again with the same
 * token (an answer was lost), each time with a new request; another key is another use.
 *
 * A server that is known with another key is held until an operator decides; the known one stays until then.
 *
 * Threads: any. Functions here add to the journal and may take milliseconds, except umx_enrolment_check and
 * umx_enrolment_renew, which a poller thread may call.
 */
#ifndef UMX_CONTROLLER_ENROLMENT_H
#define UMX_CONTROLLER_ENROLMENT_H

#include "base/arena.h"
#include "controller/authority.h"
#include "controller/controller.h"
#include "umx/v1/operator.pb-c.h"

struct umx_enrolment;

enum { UMX_TOKEN_USES_MAX = 10000 };
#define UMX_TOKEN_LIFE UMX_DAY
#define UMX_TOKEN_LIFE_MAX (30 * UMX_DAY)

/* After the authority and the journal. */
int umx_enrolment_open(struct umx_controller *controller, struct umx_enrolment **out, struct umx_error *err);
/* The renewing of certificates, and the end of streams whose certificate has ended; after the fleet is open. */
int umx_enrolment_start(struct umx_enrolment *enrolment, struct umx_error *err);
/* Before the fleet is closed. NULL is allowed. */
void umx_enrolment_stop(struct umx_enrolment *enrolment);
void umx_enrolment_close(struct umx_enrolment *enrolment);

/* ---- tokens: actor is the operator's identity. Messages are in the arena. */

/* UMX_ERR_TOKEN_ARGUMENT, FOREST_UNKNOWN, TOKEN_WRONG_FOREST. out->token is the token itself: shown once, wiped by the
 * caller. */
int umx_enrolment_create_token(struct umx_enrolment *enrolment, const Umx__TokenCreateArguments *arguments,
                               const char *actor, struct umx_arena *arena, Umx__Token **out, struct umx_error *err);
/* The newest first, without those that ended more than 30 days ago. */
int umx_enrolment_tokens(struct umx_enrolment *enrolment, struct umx_arena *arena, Umx__Token ***out, size_t *count,
                         struct umx_error *err);
/* UMX_ERR_TOKEN_UNKNOWN. What the token holds is refused from now on; who has a certificate keeps it. */
int umx_enrolment_revoke_token(struct umx_enrolment *enrolment, const char *id, const char *actor,
                               struct umx_error *err);

/* ---- agents */

/* The proof by token of `Issue`: UMX_ERR_TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_USED_UP, TOKEN_REVOKED, TOKEN_WRONG_NAME,
 * TOKEN_WRONG_FOREST, REQUEST_REPLAYED, REQUEST_SIGNATURE, KEY_WEAK, CSR_INVALID, ENROLMENT_HELD, ENROLMENT_REJECTED,
 * AGENT_REVOKED. */
int umx_enrolment_enrol(struct umx_enrolment *enrolment, const Umx__IssueRequest *request, const char *peer,
                        struct umx_issued *out, struct umx_error *err);

int umx_enrolment_held(struct umx_enrolment *enrolment, struct umx_arena *arena, Umx__HeldEnrolment ***out,
                       size_t *count, struct umx_error *err);
/* Decides about the one request of a server that is held with this key (at least 16 digits of it). accept: it takes the
 * place of the known identity, which is refused from then on. UMX_ERR_ENROLMENT_NOT_HELD. */
int umx_enrolment_decide(struct umx_enrolment *enrolment, const char *server, const char *key, bool accept,
                         const char *actor, struct umx_error *err);

/* name: FQDN of the server, or an identity. Its stream ends, and it is refused. UMX_ERR_AGENT_UNKNOWN. */
int umx_enrolment_revoke(struct umx_enrolment *enrolment, const char *name, const char *actor, struct umx_error *err);
/* The same for one that is not connected (UMX_ERR_AGENT_CONNECTED), and nothing is left of it but the journal: its
 * server can enrol as a new one. */
int umx_enrolment_forget(struct umx_enrolment *enrolment, const char *name, const char *actor, struct umx_error *err);

/* Whether a verified agent may be served: 0, UMX_ERR_AGENT_REVOKED or AGENT_EXPIRED. enrolment NULL: every one. */
int umx_enrolment_check(struct umx_enrolment *enrolment, const struct umx_identity *agent, struct umx_error *err);

/* Renews in a thread of its own; the answer goes to the agent's stream. UMX_ERR_BUSY. */
int umx_enrolment_renew(struct umx_enrolment *enrolment, const struct umx_identity *agent, const uint8_t *request,
                        size_t length, struct umx_error *err);

#endif
