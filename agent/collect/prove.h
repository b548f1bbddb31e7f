/*
 * Trying one thing for real. Each kind is a function; what blocks where no option reaches (Kerberos, name lookups) runs
 * in a child process on POSIX systems, which is killed at the deadline, and in a thread on Windows.
 */
#ifndef UMX_AGENT_PROVE_H
#define UMX_AGENT_PROVE_H

#include "agent/collect/collect.h"

enum { UMX_PROVE_AT_ONCE = 2 }; /* proofs at the same time */

/* What a proof found out; fixed texts or texts in the arena. */
struct umx_proof_result {
    Umx__Proof__Status status;
    char detail[1024];
    char identity[256];
    int32_t objects; /* -1: does not apply */
};

void umx_prove_say(struct umx_proof_result *result, Umx__Proof__Status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Each takes at most timeout microseconds where it can keep to it. */
void umx_prove_tls(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                   struct umx_proof_result *result);
void umx_prove_dns(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                   struct umx_proof_result *result);
/* Kerberos and LDAP with the machine account: TRUST, DIRECTORY and SID. */
void umx_prove_by_directory(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                            struct umx_proof_result *result);

/* Any kind, in this thread. */
void umx_prove(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout, struct umx_proof_result *result);
/* Microseconds that a proof of the target's kind may take. */
int64_t umx_prove_timeout(const Umx__ProofTarget *target);

/* The row of a target with its result. */
void umx_prove_row(struct umx_rows *rows, const struct umx_host *host, const Umx__ProofTarget *target,
                   const struct umx_proof_result *result, int64_t duration);

/* All targets, several at once, each within its deadline (prove_posix.c, prove_windows.c). */
int umx_prove_all(struct umx_collect *collect, struct umx_error *err);

/* `umx-agent --prove`: reads the host and then targets from standard input, writes the result of each to standard
 * output before it reads the next. */
int umx_prove_child(void);

#endif
