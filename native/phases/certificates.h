/*
 * Phase 2 between its files: which certificate each UM service uses (certificates_use.c), the rules of spec
 * 6.1 over it (certificates_rules.c), the checks of a service (certificates_checks.c), trust between both sides
 * (certificates_pairs.c) and the plan (certificates_plan.c).
 */
#ifndef UMX_PHASES_CERTIFICATES_H
#define UMX_PHASES_CERTIFICATES_H

#include "phases/phase.h"
#include "phases/um_server.h"

enum {
    UMX_CERT_WARN_DAYS = 60,
    UMX_CERT_NEAR_DAYS = 30,
    UMX_CERT_FAIL_DAYS = 7,
    UMX_CERT_ROOTS_MANY = 100, /* Schannel's list of trusted roots has a limit in bytes (C13) */
};

/* A UM service and what it shows to Lync. */
struct umx_cert_use {
    const struct umx_um_end *end;
    const char *unseen;            /* why the store of the server is not known; NULL: it is */
    const char *thumbprint;        /* "" when nothing is bound, or nobody knows */
    const char *source;            /* where that is written */
    const Umx__Certificate *bound; /* in the server's store; NULL: not there */
};

struct umx_cert_use umx_cert_use_of(const struct umx_view *view, const struct umx_um_end *end,
                                    struct umx_findings *out);

/* Why nobody knows the certificates of the server, or NULL. */
const char *umx_cert_unseen(const Umx__World *world, const char *server, struct umx_findings *out);
const Umx__Certificate *umx_cert_find(const Umx__World *world, const char *server, const char *store,
                                      const char *thumbprint);
/* Whether subject or names of the certificate are good for the host; a wildcard stands for one label. */
bool umx_cert_covers(const Umx__Certificate *certificate, const char *host);
/* A certificate that a step of the plan will bring: what the authority writes into it is not known yet. */
bool umx_cert_expected(const Umx__Certificate *certificate);

/* Why the certificate is not good enough for UM on the server, or NULL: the first rule that fails, or fewer days left
 * than certificates.renew-below. */
const char *umx_cert_fault(const struct umx_view *view, const struct umx_um_end *end,
                           const Umx__Certificate *certificate, struct umx_findings *out);
/* Judges the certificate by the rule of the check's id: status, expected and actual of the answer; false: the id names
 * no rule. */
bool umx_cert_judge(const struct umx_view *view, const struct umx_um_end *end, const Umx__Certificate *certificate,
                    const char *id, struct umx_findings *out, struct umx_answer *answer);
/* The best certificate of the server's store that has no fault, or NULL. */
const Umx__Certificate *umx_cert_candidate(const struct umx_view *view, const struct umx_um_end *end,
                                           struct umx_findings *out);
/* Days left at taken_at; negative when it is over. */
int umx_cert_days(const Umx__World *world, const Umx__Certificate *certificate);

/* The bands of expiry: a verdict, what is wanted, and how it is, in words. */
Umx__Finding__Status umx_cert_band(int days);
const char *umx_cert_band_text(struct umx_findings *out);
const char *umx_cert_band_says(struct umx_findings *out, int days, int64_t until);
/* Findings `certificates/own` for the deployment's own certificates that the world holds (stores umx-...): they belong
 * to no pair, and to no phase's state. */
extern const struct umx_phase_check umx_cert_own_checks[]; /* of the documentation; id NULL ends it */
bool umx_selects_certificates(const struct umx_phase *const *phases, size_t count);
void umx_cert_check_own(const Umx__World *world, struct umx_findings *out);

typedef void umx_cert_run(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);

umx_cert_run umx_cert_check_mode, umx_cert_check_bound, umx_cert_check_store, umx_cert_check_chosen,
    umx_cert_check_rule, umx_cert_check_exportable, umx_cert_check_roots, umx_cert_check_restarted,
    umx_cert_check_pool_root, umx_cert_check_um_root, umx_cert_check_to_lync, umx_cert_check_from_lync;

#endif
