/*
 * Things tried for real against another forest: what a Proof record says. The agent uses the two below with its
 * server's machine account; workers use umx_prove_trust.
 *
 * All of them block as long as Kerberos and DNS do, beyond `timeout` when a KDC is frozen: call them in a process, or a
 * thread, that can be given up. At most one at a time in a thread.
 */
#ifndef UMX_DIRECTORY_PROVE_H
#define UMX_DIRECTORY_PROVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "umx/v1/facts.pb-c.h"

struct umx_prove {
    const char *server;        /* Proof.server: FQDN of this host, or controller */
    const char *forest;        /* forest of the identity */
    const char *principal;     /* account@REALM; on Windows ignored: the process's own identity is used */
    const char *keytab;        /* on Windows ignored */
    const char *password_file; /* instead of a keytab, may be NULL */
    const char *target_forest;
    const char *const *hosts; /* its domain controllers by FQDN; none: DNS is asked */
    size_t host_count;
    int64_t timeout; /* microseconds */
};

/* All three fill *proof (in the arena) with pass, fail or unknown and the reason, and return 0; an error only when
 * there is no memory. collected_at and source are left to the caller. */

/* A service ticket for a domain controller of the target over the trust, and a sealed bind with it. */
int umx_prove_trust(const struct umx_prove *prove, struct umx_arena *arena, Umx__Proof **proof, struct umx_error *err);

/* A sealed bind to the target forest and a one-level search of base_dn; Proof.objects counts what is seen there. FAIL
 * when nothing is. class: only objects of it count (NULL: all). */
int umx_prove_directory(const struct umx_prove *prove, const char *base_dn, const char *class, struct umx_arena *arena,
                        Umx__Proof **proof, struct umx_error *err);

/* A SID of the target forest looked up there; detail names the account. */
int umx_prove_sid(const struct umx_prove *prove, const char *sid, struct umx_arena *arena, Umx__Proof **proof,
                  struct umx_error *err);

#endif
