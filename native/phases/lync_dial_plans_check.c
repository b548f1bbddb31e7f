/* Phase 8: V8.1 to V8.4. */
#include "base/text.h"
#include "phases/lync_dial_plans.h"

static void add(const struct umx_view *view, const struct umx_phase_check *check, Umx__Finding__Status status,
                const char *target, const char *expected, const char *actual, const char *remedy,
                struct umx_findings *out)
{
    struct umx_answer answer = {
        .status = status,
        .forest = view->pair->lync,
        .target = target,
        .expected = expected,
        .actual = actual,
        .remedy = remedy,
    };
    umx_findings_add(out, view, check, &answer);
}

typedef void judge_plan(const struct umx_ld *ld, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                        struct umx_findings *out);

static void each_plan(const struct umx_view *view, const struct umx_phase_check *check, judge_plan *judge,
                      struct umx_findings *out)
{
    const Umx__DialPlan *plan;
    struct umx_ld ld;
    size_t i = 0, count = 0;

    if (umx_ld_build(view, out->arena, &ld, NULL) != 0) {
        out->failed = 1;
        return;
    }
    for (; (plan = umx_um_next_plan(view->world, view->pair->exchange, &i)) != NULL; count++)
        judge(&ld, check, plan, out);
    if (count == 0)
        add(view, check, UMX__FINDING__STATUS__NOT_APPLICABLE, view->pair->exchange, NULL, "no SIP dial plan yet", NULL,
            out);
}

/* Why nothing is known about Lync's dial plans. */
static const char *unseen(const struct umx_ld *ld, struct umx_findings *out)
{
    return ld->stale ? umx_say(out, "what agents of %s reported is older than %d hours", ld->view->pair->lync,
                               UMX_FACT_AGE_MAX_HOURS)
                     : umx_say(out, "no agent on a Lync server of %s reports its dial plans", ld->view->pair->lync);
}

#define LOOK_BY_HAND "install an agent on a Front End, or look with `Get-CsDialPlan`"

/* ---- V8.1 */

static void judge_rule(const struct umx_ld *ld, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                       struct umx_findings *out)
{
    const char *why;
    enum umx_ld_rule rule = umx_ld_rule(ld, plan, &why);

    add(ld->view, check, rule == UMX_LD_NOT_KNOWN ? UMX__FINDING__STATUS__UNKNOWN : UMX__FINDING__STATUS__PASS,
        plan->dn, "known whether the names have to match",
        rule == UMX_LD_NOT_KNOWN    ? umx_say(out, "the version of %s is not known", why)
        : rule == UMX_LD_MUST_MATCH ? umx_say(out, "names have to match: %s", why)
                                    : "a suitable dial plan is enough: no linked server is older than 2010 SP1",
        NULL, out);
}

void umx_ld_check_rule(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_plan(view, check, judge_rule, out);
}

/* ---- V8.2 */

static void judge_match(const struct umx_ld *ld, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                        struct umx_findings *out)
{
    const char *why;
    const char *context = umx_or_empty(plan->phone_context);
    enum umx_ld_rule rule = umx_ld_rule(ld, plan, &why);
    const Umx__LyncDialPlan *match = umx_ld_match(ld, plan);
    const char *expected = umx_say(out, "a Lync dial plan with SimpleName %s", context);

    if (match != NULL && ld->known)
        add(ld->view, check, UMX__FINDING__STATUS__PASS, plan->dn, expected, umx_or_empty(match->identity), NULL, out);
    else if (rule == UMX_LD_SUITABLE)
        add(ld->view, check, UMX__FINDING__STATUS__NOT_APPLICABLE, plan->dn, NULL, "no name has to match", NULL, out);
    else if (!umx_ld_simple_name(context))
        add(ld->view, check, UMX__FINDING__STATUS__FAIL, plan->dn, expected,
            umx_say(out, "\"%s\" cannot be a SimpleName, which has letters, digits and - . + _ ( ) only", context),
            "make a UM dial plan with another name (its phone context stays at a rename): `umx plan create NAME "
            "--phase "
            "dial-plans --input rows.json`",
            out);
    else if (!ld->known)
        add(ld->view, check, UMX__FINDING__STATUS__UNKNOWN, plan->dn, expected, unseen(ld, out), LOOK_BY_HAND, out);
    else
        add(ld->view, check, rule == UMX_LD_MUST_MATCH ? UMX__FINDING__STATUS__FAIL : UMX__FINDING__STATUS__UNKNOWN,
            plan->dn, expected,
            rule == UMX_LD_MUST_MATCH ? umx_say(out, "none, and %s needs it", why)
                                      : umx_say(out, "none; whether %s needs it is not known: no version", why),
            NULL, out);
}

void umx_ld_check_match(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_plan(view, check, judge_match, out);
}

/* ---- V8.3 */

void umx_ld_check_suitable(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_ld ld;
    size_t count = 0;

    if (umx_ld_build(view, out->arena, &ld, NULL) != 0) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < ld.uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &ld.uc.pools[i];
        bool uncertain;
        if (pool->users == 0)
            continue;
        count++;
        const Umx__LyncDialPlan *plan = umx_ld_applies(&ld, pool->fqdn, &uncertain);
        const char *expected = "a dial plan of the Registrar, the site or global";
        if (!ld.known)
            add(view, check, UMX__FINDING__STATUS__UNKNOWN, pool->fqdn, expected, unseen(&ld, out), LOOK_BY_HAND, out);
        else if (plan == NULL)
            add(view, check, UMX__FINDING__STATUS__FAIL, pool->fqdn, expected, "none", NULL, out);
        else
            add(view, check, UMX__FINDING__STATUS__PASS, pool->fqdn, expected,
                uncertain ? umx_say(out, "%s at least; the pool's site is not known, and a site has a plan",
                                    umx_or_empty(plan->identity))
                          : umx_say(out, "%s (%s)", umx_or_empty(plan->identity), umx_or_empty(plan->simple_name)),
                NULL, out);
    }
    if (count == 0)
        add(view, check, UMX__FINDING__STATUS__NOT_APPLICABLE, view->pair->lync, NULL,
            "no pool homes Enterprise Voice users", NULL, out);
}

/* ---- V8.4 */

static void judge_normalization(const struct umx_ld *ld, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                                struct umx_findings *out)
{
    const char *why, *said = "";
    size_t count;
    bool uncertain, failed = false, unjudged = false, partly = false;
    const Umx__LyncDialPlan **candidates = umx_ld_candidates(ld, plan, &count, &uncertain);
    const char *expected = umx_say(out, "%d digits become E.164", plan->digits);

    if (candidates == NULL) {
        out->failed = 1;
        return;
    }
    if (plan->digits < 1 || plan->digits > UMX_PLAN_DIGITS_MAX) {
        add(ld->view, check, UMX__FINDING__STATUS__UNKNOWN, plan->dn, "extensions become E.164",
            "the plan has no length of extensions", "see check dial-plans/digits", out);
        return;
    }
    if (!ld->known) {
        add(ld->view, check, UMX__FINDING__STATUS__UNKNOWN, plan->dn, expected, unseen(ld, out), LOOK_BY_HAND, out);
        return;
    }
    if (umx_ld_match(ld, plan) == NULL && umx_ld_rule(ld, plan, &why) == UMX_LD_MUST_MATCH) {
        add(ld->view, check, UMX__FINDING__STATUS__FAIL, plan->dn, expected,
            "the Lync dial plan that has to have the phone context is not there yet", NULL, out);
        return;
    }
    if (count == 0) {
        add(ld->view, check, UMX__FINDING__STATUS__NOT_APPLICABLE, plan->dn, NULL,
            "no dial plan applies: no pool homes Enterprise Voice users", NULL, out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct umx_ld_verdict verdict;
        if (umx_ld_judge(ld, candidates[i], plan, &verdict) != 0) {
            out->failed = 1;
            return;
        }
        const char *words = verdict.good > 0            ? verdict.example
                            : verdict.unjudged > 0      ? "a rule that umx cannot judge comes first"
                            : verdict.exception != NULL ? umx_say(out, "no rule makes E.164 of %s", verdict.exception)
                                                        : "no rule";
        if (verdict.good > 0 && verdict.real && verdict.exception != NULL) {
            partly = true;
            words = umx_say(out, "%s, and not %s", words, verdict.exception);
        }
        failed = failed || (verdict.good == 0 && verdict.unjudged == 0);
        unjudged = unjudged || (verdict.good == 0 && verdict.unjudged > 0);
        said = umx_say(out, "%s%s%s: %s", said, i > 0 ? "; " : "", umx_or_empty(candidates[i]->identity), words);
    }
    add(ld->view, check,
        failed                  ? UMX__FINDING__STATUS__FAIL
        : unjudged || uncertain ? UMX__FINDING__STATUS__UNKNOWN
        : partly                ? UMX__FINDING__STATUS__WARN
                                : UMX__FINDING__STATUS__PASS,
        plan->dn, expected,
        uncertain && !failed ? umx_say(out, "%s; a pool's site is not known, and a site has a plan", said) : said,
        !failed && (unjudged || uncertain) ? "test it: `Test-CsDialPlan -DialedNumber EXTENSION`" : NULL, out);
}

void umx_ld_check_normalization(const struct umx_view *view, const struct umx_phase_check *check,
                                struct umx_findings *out)
{
    each_plan(view, check, judge_normalization, out);
}
