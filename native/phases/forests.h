/*
 * Phase 1 between its files: the functions behind the rows of umx_forests_checks (forests.c).
 * Roles are in forests_roles.c, the trust between the two forests in forests_trust.c and forests_proof.c.
 */
#ifndef UMX_PHASES_FORESTS_H
#define UMX_PHASES_FORESTS_H

#include "phases/phase.h"

typedef void umx_forests_run(const struct umx_view *view, const struct umx_phase_check *check,
                             struct umx_findings *out);

umx_forests_run umx_forests_organization, umx_forests_servers, umx_forests_version, umx_forests_roles,
    umx_forests_mailbox_role, umx_forests_transport_site, umx_forests_setup, umx_forests_setup_pending,
    umx_forests_services, umx_forests_lync_users, umx_forests_pools, umx_forests_mediation, umx_forests_exchange_names,
    umx_forests_lync_names;

umx_forests_run umx_forests_separate, umx_forests_direction, umx_forests_inbound, umx_forests_agreement,
    umx_forests_both_ways, umx_forests_kind, umx_forests_quarantine, umx_forests_selective, umx_forests_sid,
    umx_forests_suffixes, umx_forests_clock;

umx_forests_run umx_forests_dns, umx_forests_live, umx_forests_lookup;

/* Bits of trustDirection and trustAttributes (5.2). */
enum {
    UMX_TRUST_INBOUND = 1,
    UMX_TRUST_OUTBOUND = 2,
    UMX_TRUST_BOTH = 3,
    UMX_TRUST_TYPE_AD = 2,
    UMX_TRUST_QUARANTINED = 0x4,
    UMX_TRUST_FOREST = 0x8,
    UMX_TRUST_SELECTIVE = 0x10,
    UMX_TRUST_AS_EXTERNAL = 0x40,
};

/* The trustedDomain object of one forest for another, by DNS name, flat name or SID; NULL when there is none. */
const Umx__Trust *umx_forests_trust(const Umx__World *world, const Umx__Forest *of, const Umx__Forest *partner);

/* `netdom trust TRUSTING /domain:TRUSTED ARGUMENTS` with the accounts of both sides. */
const char *umx_forests_netdom(struct umx_findings *out, const Umx__Forest *trusting, const Umx__Forest *trusted,
                               const char *arguments);

/* Newest outcome of the proofs of a kind from one forest to another. */
struct umx_proofs {
    size_t pass, fail, unknown, stale;
    const Umx__Proof *failed; /* one of each, NULL when there is none */
    const Umx__Proof *passed;
    const Umx__Proof *undecided;
};
bool umx_forests_proof_is(const Umx__Proof *proof, Umx__Proof__Kind kind, const char *from, const char *to);
void umx_forests_count_proof(struct umx_proofs *proofs, const Umx__World *world, const Umx__Proof *proof);
struct umx_proofs umx_forests_proofs(const Umx__World *world, Umx__Proof__Kind kind, const char *from, const char *to);

/* Adds a not_applicable answer and returns true when one forest holds both sides. */
bool umx_forests_same(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);

#endif
