/*
 * Phase 8 between its files: what the UM dial plans of an Exchange forest ask of the dial plans of a Lync forest
 * (lync_dial_plans_model.c), judged by the checks (lync_dial_plans_check.c) and made by the planner
 * (lync_dial_plans_plan.c).
 */
#ifndef UMX_PHASES_LYNC_DIAL_PLANS_H
#define UMX_PHASES_LYNC_DIAL_PLANS_H

#include "phases/dial_plan.h"
#include "phases/exchucutil.h"

/* V8.1: below Exchange 14.1 the Lync plan's SimpleName has to be the phone context; later a suitable one suffices. */
enum umx_ld_rule { UMX_LD_SUITABLE, UMX_LD_MUST_MATCH, UMX_LD_NOT_KNOWN };

struct umx_ld {
    const struct umx_view *view;
    struct umx_arena *arena;
    struct umx_uc uc; /* for its pools */
    bool known;       /* an agent of the Lync forest reports its dial plans, and not too long ago */
    bool stale;       /* one did, too long ago */
};

/* 0 or UMX_ERR_MEMORY. */
int umx_ld_build(const struct umx_view *view, struct umx_arena *arena, struct umx_ld *out, struct umx_error *err);

/* The rule for a UM dial plan and, in *why, the servers that decide it ("" none). In the arena. */
enum umx_ld_rule umx_ld_rule(const struct umx_ld *ld, const Umx__DialPlan *plan, const char **why);

/* The Lync plan whose SimpleName is the plan's phone context, NULL: none. */
const Umx__LyncDialPlan *umx_ld_match(const struct umx_ld *ld, const Umx__DialPlan *plan);
const Umx__LyncDialPlan *umx_ld_find(const struct umx_ld *ld, const char *identity);

/* Whether Lync takes the text as SimpleName: letters, digits and - . + _ ( ), at most 256 of them (X8). */
bool umx_ld_simple_name(const char *text);

/* Site of a pool as the topology names it, NULL: not known. */
const char *umx_ld_site(const struct umx_ld *ld, const char *pool);
/* The plan that applies to the users of a pool: Registrar before site before global (V8.3). NULL: none; *uncertain: the
 * pool's site is not known, and a site has a plan. */
const Umx__LyncDialPlan *umx_ld_applies(const struct umx_ld *ld, const char *pool, bool *uncertain);

/* What the rules of a Lync plan make of extensions of the UM plan's length. */
struct umx_ld_verdict {
    size_t samples;
    size_t good;           /* become E.164 */
    size_t unjudged;       /* a rule could not be judged */
    bool real;             /* the samples are extensions that people have */
    const char *example;   /* "2345 -> +49301232345", NULL: none */
    const char *exception; /* an extension that becomes nothing useful, NULL: none */
};
int umx_ld_judge(const struct umx_ld *ld, const Umx__LyncDialPlan *lync, const Umx__DialPlan *plan,
                 struct umx_ld_verdict *out);

/* The Lync plans that V8.4 looks at: the one that matches, or those that apply to the pools that home voice users.
 * *uncertain as above. In the arena; NULL: it is full. */
const Umx__LyncDialPlan **umx_ld_candidates(const struct umx_ld *ld, const Umx__DialPlan *plan, size_t *count,
                                            bool *uncertain);

/* Value for a UM plan in a list option PLAN:VALUE,...: by its name or phone context, before an item without a plan. In
 * the arena; NULL: none. */
const char *umx_ld_option(const struct umx_ld *ld, const char *key, const Umx__DialPlan *plan);

typedef void umx_ld_run(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);

umx_ld_run umx_ld_check_rule, umx_ld_check_match, umx_ld_check_suitable, umx_ld_check_normalization;

#endif
