/*
 * What the proofs need of a platform: a session with a domain controller of another forest, under this host's identity.
 * prove_posix.c has MIT Kerberos and libldap behind it, prove_windows.c SSPI and wldap32.
 */
#ifndef UMX_DIRECTORY_PROVE_INTERNAL_H
#define UMX_DIRECTORY_PROVE_INTERNAL_H

#include "directory/prove.h"

enum { UMX_PROVE_DETAIL = 1024 };

struct umx_prove_session;

/* A ticket over the trust, then a sealed bind. NULL: the proof is concluded. The proof's target becomes the domain
 * controller when it is empty, its identity the account when that is known. */
struct umx_prove_session *umx_prove_session_open(const struct umx_prove *prove, Umx__Proof *proof,
                                                 struct umx_arena *arena);
void umx_prove_session_close(struct umx_prove_session *session);

/* The domain controller by its own name; lives as long as the session. */
const char *umx_prove_session_host(const struct umx_prove_session *session);

/* Objects directly below base_dn, of a class when it is not NULL. */
int umx_prove_session_count(struct umx_prove_session *session, const char *base_dn, const char *class, int32_t *count,
                            struct umx_error *err);

/* sAMAccountName of a SID. */
int umx_prove_session_account(struct umx_prove_session *session, const char *sid, char *name, size_t size,
                              struct umx_error *err);

/* Sets status and detail. */
void umx_prove_conclude(Umx__Proof *proof, Umx__Proof__Status status, const char *detail, struct umx_arena *arena);

/* What an error means for a proof: a refusal is an answer, silence is none. */
void umx_prove_conclude_error(Umx__Proof *proof, const struct umx_error *why, struct umx_arena *arena);

#endif
