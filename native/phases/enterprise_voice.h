/*
 * Phase 10 between its files: what the Lync shell tells of policies, usages, routes and gateways (spec P10A), and what
 * users need (P10B).
 */
#ifndef UMX_PHASES_ENTERPRISE_VOICE_H
#define UMX_PHASES_ENTERPRISE_VOICE_H

#include "phases/people.h"

/* Kinds of lync_policy that calls to the telephone network need, by enum. */
enum umx_ev_kind { UMX_EV_GATEWAY, UMX_EV_USAGE, UMX_EV_POLICY, UMX_EV_ROUTE, UMX_EV_KINDS };

extern const struct umx_ev_words {
    const char *kind;  /* of lync_policy */
    const char *words; /* for people */
    const char *remedy;
} umx_ev_words[UMX_EV_KINDS];

/* Whether a Lync agent of the forest reports policies at all, not too long ago. */
bool umx_ev_known(const Umx__World *world, const char *forest);
/* The next record of the kind that has values, beginning with *at 0; NULL ends. empty: those without values too. */
const Umx__LyncPolicy *umx_ev_next(const Umx__World *world, const char *forest, enum umx_ev_kind kind, bool empty,
                                   size_t *at);
/* Whether a route is for the usage. */
bool umx_ev_routed(const Umx__World *world, const char *forest, const char *usage);
/* The record of a kind with the identity, `Tag:` before it or not; NULL: none. */
const Umx__LyncPolicy *umx_ev_find(const Umx__World *world, const char *forest, const char *kind, const char *identity);
/* A per-user name without `Tag:`. */
const char *umx_ev_tag(const char *identity);
bool umx_ev_same_tag(const char *a, const char *b);

/* RTCMEDSRV on the Lync servers of the forest: the service that runs, or one that does not; NULL: none is reported. */
const Umx__Service *umx_ev_mediation(const Umx__World *world, const char *forest);

typedef void umx_ev_run(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);
umx_ev_run umx_ev_check_mediation, umx_ev_check_pstn, umx_ev_check_usages, umx_ev_check_media, umx_ev_check_granted;

/* Gates for what is missing of it (P10A); ids of the gates, in the arena of the steps. */
const char **umx_ev_plan_servers(const struct umx_view *view, struct umx_steps *out, size_t *count);

#endif
