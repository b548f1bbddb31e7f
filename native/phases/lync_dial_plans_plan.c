/* Phase 8: Lync dial plans and normalisation rules by cmdlet; a gate where no agent can run it. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/lync_dial_plans.h"

#define SLUG "lync-dial-plans"

struct work {
    struct umx_ld ld;
    struct umx_steps *out;
    struct umx_error *err;
    const char *agent; /* NULL: gates */
    bool site;         /* lync-dial-plans.scope */
    bool rules;        /* lync-dial-plans.rules is not leave */
};

static const char *lync_of(const struct work *work)
{
    return work->ld.view->pair->lync;
}

static char *own(struct work *work, const char *text)
{
    return umx_steps_copy(work->out, text);
}

static Umx__PlanStep *new_step(struct work *work, const char *identity, const char *action, const char *command)
{
    const char *reason = umx_steps_say(work->out,
                                       "no agent is connected on a Lync server of %s: run this in a Lync shell there, "
                                       "then confirm",
                                       lync_of(work));
    Umx__PlanStep *step =
        umx_step_cmdlet(work->out, SLUG, UMX__FOREST__SIDE__LYNC, lync_of(work), work->agent, action, reason, command);

    if (step != NULL)
        step->target = umx_steps_copy(work->out, umx_steps_say(work->out, "Lync dial plan %s", identity));
    return step;
}

/* ---- rules */

/* What stands before the extensions of the plan, in *prefix; NULL: no rule is to be added. */
static int find_prefix(struct work *work, const Umx__DialPlan *plan, const char **prefix)
{
    *prefix = NULL;
    if (!work->rules || plan->digits < 1 || plan->digits > UMX_PLAN_DIGITS_MAX)
        return 0;
    *prefix = umx_ld_option(&work->ld, "prefix", plan);
    if (*prefix == NULL)
        return umx_fail(work->err, UMX_ERR_PLAN_BLOCKED, umx_plan_name(plan),
                        "Lync needs a rule that turns its %d digits into E.164: say what stands before them with "
                        "--set lync-dial-plans.prefix=%s:+NUMBER, or leave rules to Lync's administrators with "
                        "--set lync-dial-plans.rules=leave",
                        plan->digits, umx_plan_name(plan));
    if (strlen(*prefix) - 1 + (size_t)plan->digits > 15)
        return umx_fail(work->err, UMX_ERR_OPTION_INVALID, "lync-dial-plans.prefix",
                        "%s and the %d digits of %s are more than the 15 digits of E.164", *prefix, plan->digits,
                        umx_plan_name(plan));
    return 0;
}

/* The Lync plan as the steps so far leave it: the last one that promises rules of it, or what the world has. */
static const Umx__LyncDialPlan *pending(const struct work *work, const char *identity, const Umx__LyncDialPlan *now)
{
    for (size_t i = work->out->count; i-- > 0;) {
        const Umx__World *promised = work->out->items[i]->predicted;
        for (size_t k = 0; promised != NULL && k < promised->n_lync_dial_plan; k++)
            if (umx_text_equal(promised->lync_dial_plan[k]->forest, lync_of(work)) &&
                umx_text_equal(promised->lync_dial_plan[k]->identity, identity) &&
                promised->lync_dial_plan[k]->n_rule > 0)
                return promised->lync_dial_plan[k];
    }
    return now;
}

/* The rule is the first one: what `New-CsDialPlan` makes by itself (every number stays as it is) would win otherwise.
 */
static void add_rule(struct work *work, const Umx__DialPlan *plan, const Umx__LyncDialPlan *lync, const char *identity,
                     const char *prefix, const char *after)
{
    struct umx_steps *out = work->out;
    lync = pending(work, identity, lync);
    size_t old = lync != NULL ? lync->n_rule : 0;
    char **rules = umx_arena_alloc(out->arena, (old + 1) * sizeof *rules);
    const char *name = umx_steps_say(out, "umx %d digits", plan->digits);
    const char *pattern = umx_steps_say(out, "^(\\d{%d})$", plan->digits);
    const char *translation = umx_steps_say(out, "%s$1", prefix);
    Umx__PlanStep *step =
        new_step(work, identity, "add-cs-normalization-rule",
                 umx_steps_say(out,
                               "New-CsVoiceNormalizationRule -Identity %s -Pattern %s -Translation %s "
                               "-Priority 0",
                               umx_shell_quote(out, umx_steps_say(out, "%s/%s", identity, name)),
                               umx_shell_quote(out, pattern), umx_shell_quote(out, translation)));
    Umx__LyncDialPlan promised = UMX__LYNC_DIAL_PLAN__INIT;

    if (rules == NULL) {
        out->failed = 1;
        return;
    }
    rules[0] = own(work, umx_steps_say(out, "%s\t%s", pattern, translation));
    for (size_t i = 0; i < old; i++)
        rules[i + 1] = lync->rule[i];
    promised.forest = own(work, lync_of(work));
    promised.identity = own(work, identity);
    promised.n_rule = old + 1;
    promised.rule = rules;
    umx_step_promise(out, step, work->ld.view->world, &promised.base);
    if (step != NULL)
        umx_steps_depend(out, step, after);
    umx_step_cmdlet_end(
        out, step,
        umx_steps_say(out, "add a normalisation rule to %s: %d digits become %s and the digits", identity, plan->digits,
                      prefix),
        umx_item(out, "dial_plan", identity, "name", name, "pattern", pattern, "translation", translation, NULL),
        "remove-cs-normalization-rule", umx_item(out, "dial_plan", identity, "name", name, NULL),
        "removes this rule; the others stay");
}

/* ---- dial plans */

static bool identity_taken(const struct work *work, const char *identity)
{
    if (umx_ld_find(&work->ld, identity) != NULL)
        return true;
    for (size_t i = 0; i < work->out->count; i++) {
        const Umx__World *promised = work->out->items[i]->predicted;
        for (size_t k = 0; promised != NULL && k < promised->n_lync_dial_plan; k++)
            if (umx_text_equal(promised->lync_dial_plan[k]->forest, lync_of(work)) &&
                umx_text_equal(promised->lync_dial_plan[k]->identity, identity))
                return true;
    }
    return false;
}

/* `Tag:NAME` of the UM plan, with a hyphen for what a policy's name should not have. */
static const char *free_tag(struct work *work, const Umx__DialPlan *plan)
{
    char name[UMX_PLAN_NAME_MAX + 1];

    umx_text_copy(name, sizeof name, umx_plan_name(plan));
    for (char *p = name; *p != '\0'; p++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", *p) == NULL)
            *p = '-';
    for (int i = 1;; i++) {
        const char *identity =
            i == 1 ? umx_steps_say(work->out, "Tag:%s", name) : umx_steps_say(work->out, "Tag:%s-%d", name, i);
        if (work->out->failed || !identity_taken(work, identity))
            return identity;
    }
}

/* The one site of the pools that home voice users, NULL: there is none, or more than one, or one is not known. */
static const char *only_site(const struct work *work)
{
    const char *site = NULL;

    for (size_t i = 0; i < work->ld.uc.pool_count; i++) {
        if (work->ld.uc.pools[i].users == 0)
            continue;
        const char *its = umx_ld_site(&work->ld, work->ld.uc.pools[i].fqdn);
        if (its == NULL || (site != NULL && !umx_text_equal(its, site)))
            return NULL;
        site = its;
    }
    return site;
}

static const char *make_plan(struct work *work, const Umx__DialPlan *plan, const char *identity)
{
    struct umx_steps *out = work->out;
    Umx__PlanStep *step =
        new_step(work, identity, "new-cs-dial-plan",
                 umx_steps_say(out, "New-CsDialPlan -Identity %s -SimpleName %s", umx_shell_quote(out, identity),
                               umx_shell_quote(out, plan->phone_context)));
    Umx__LyncDialPlan promised = UMX__LYNC_DIAL_PLAN__INIT;

    promised.forest = own(work, lync_of(work));
    promised.identity = own(work, identity);
    promised.simple_name = own(work, plan->phone_context);
    umx_step_promise(out, step, work->ld.view->world, &promised.base);
    umx_step_cmdlet_end(out, step,
                        umx_steps_say(out, "make Lync dial plan %s with SimpleName %s", identity, plan->phone_context),
                        umx_item(out, "identity", identity, "simple_name", plan->phone_context, NULL),
                        "remove-cs-dial-plan", umx_item(out, "identity", identity, NULL),
                        "removes the dial plan; users who were granted it have to lose it first");
    return step != NULL ? step->id : NULL;
}

static const char *rename_plan(struct work *work, const Umx__DialPlan *plan, const Umx__LyncDialPlan *lync)
{
    struct umx_steps *out = work->out;
    Umx__PlanStep *step =
        new_step(work, lync->identity, "set-cs-dial-plan",
                 umx_steps_say(out, "Set-CsDialPlan -Identity %s -SimpleName %s", umx_shell_quote(out, lync->identity),
                               umx_shell_quote(out, plan->phone_context)));
    Umx__LyncDialPlan promised = UMX__LYNC_DIAL_PLAN__INIT;

    promised.forest = own(work, lync_of(work));
    promised.identity = lync->identity;
    promised.simple_name = own(work, plan->phone_context);
    umx_step_promise(out, step, work->ld.view->world, &promised.base);
    umx_step_cmdlet_end(out, step,
                        umx_steps_say(out, "set the SimpleName of Lync dial plan %s to %s (now: %s)", lync->identity,
                                      plan->phone_context, umx_or_empty(lync->simple_name)),
                        umx_item(out, "identity", lync->identity, "simple_name", plan->phone_context, NULL),
                        "set-cs-dial-plan",
                        umx_item(out, "identity", lync->identity, "simple_name", "@result.previous_simple_name", NULL),
                        "sets the old SimpleName again");
    return step != NULL ? step->id : NULL;
}

/* Whether the Lync plan lacks a rule for the UM plan's extensions; one that cannot be judged is left alone. */
static bool lacks_rule(struct work *work, const Umx__LyncDialPlan *lync, const Umx__DialPlan *plan)
{
    struct umx_ld_verdict verdict;

    if (umx_ld_judge(&work->ld, lync, plan, &verdict) != 0) {
        work->out->failed = 1;
        return false;
    }
    return verdict.samples > 0 && verdict.good == 0 && verdict.unjudged == 0;
}

/* Where the phone context goes: the plan that `use` names, the site's, or a tag. NULL after an error. */
static const char *choose_identity(struct work *work, const Umx__DialPlan *plan)
{
    const char *named = umx_ld_option(&work->ld, "use", plan);

    if (named != NULL)
        return named;
    if (!work->site)
        return free_tag(work, plan);
    const char *site = only_site(work);
    const char *identity = site != NULL ? umx_steps_say(work->out, "Site:%s", site) : NULL;
    if (identity != NULL && !identity_taken(work, identity))
        return identity;
    umx_fail(
        work->err, UMX_ERR_PLAN_BLOCKED, umx_plan_name(plan),
        "%s: name the Lync dial plan that gets the SimpleName %s with --set lync-dial-plans.use=%s:IDENTITY, or use "
        "scope=tag",
        site == NULL ? "the pools are in several sites, or their site is not known" : "the site has a dial plan",
        umx_or_empty(plan->phone_context), umx_plan_name(plan));
    return NULL;
}

/* A Lync plan with the phone context as its SimpleName, and the rule. */
static int give_name(struct work *work, const Umx__DialPlan *plan)
{
    const char *prefix;

    if (!umx_ld_simple_name(plan->phone_context)) {
        umx_steps_note(
            work->out,
            "%s: its phone context \"%s\" cannot be the SimpleName of a Lync dial plan (F8.1): make a UM dial "
            "plan with another name",
            umx_plan_name(plan), umx_or_empty(plan->phone_context));
        return 0;
    }
    const char *identity = choose_identity(work, plan);
    if (identity == NULL)
        return UMX_E_CONFLICT;
    const Umx__LyncDialPlan *lync = umx_ld_find(&work->ld, identity);
    bool rule = lync == NULL || lacks_rule(work, lync, plan);
    int rc = rule ? find_prefix(work, plan, &prefix) : 0;
    if (rc != 0)
        return rc;
    const char *step = lync != NULL ? rename_plan(work, plan, lync) : make_plan(work, plan, identity);
    if (rule && prefix != NULL)
        add_rule(work, plan, lync, lync != NULL ? lync->identity : identity, prefix, step);
    if (strncasecmp(identity, "Tag:", 4) == 0)
        umx_steps_note(work->out, "%s is a per-user dial plan: grant it to the users of %s in phase enterprise-voice",
                       identity, umx_plan_name(plan));
    return 0;
}

/* Rules for the plans that apply, where no name has to match. */
static int give_rules(struct work *work, const Umx__DialPlan *plan)
{
    const Umx__LyncDialPlan *match = umx_ld_match(&work->ld, plan);
    const char *prefix;
    size_t count, lacking = 0;
    bool uncertain;
    const Umx__LyncDialPlan **candidates = umx_ld_candidates(&work->ld, plan, &count, &uncertain);

    if (candidates == NULL)
        return umx_fail(work->err, UMX_ERR_MEMORY, SLUG, NULL);
    for (size_t i = 0; i < count; i++)
        if (lacks_rule(work, candidates[i], plan))
            candidates[lacking++] = candidates[i];
    if (lacking == 0 || !work->rules)
        return 0;
    if (match == NULL && !work->site && umx_ld_simple_name(plan->phone_context))
        return give_name(work, plan);
    int rc = find_prefix(work, plan, &prefix);
    for (size_t i = 0; rc == 0 && prefix != NULL && i < lacking; i++) {
        const Umx__LyncDialPlan *now = pending(work, candidates[i]->identity, candidates[i]);
        bool same = now->n_rule > 0 &&
                    umx_text_equal(now->rule[0], umx_steps_say(work->out, "^(\\d{%d})$\t%s$1", plan->digits, prefix));
        if (!same && now != candidates[i] && !lacks_rule(work, now, plan))
            rc = umx_fail(work->err, UMX_ERR_PLAN_BLOCKED, candidates[i]->identity,
                          "two UM dial plans have extensions of %d digits and different prefixes: one Lync dial plan "
                          "cannot serve both, use scope=tag",
                          plan->digits);
        else if (!same)
            add_rule(work, plan, candidates[i], candidates[i]->identity, prefix, NULL);
    }
    return rc;
}

static int plan_one(struct work *work, const Umx__DialPlan *plan)
{
    const char *why;
    enum umx_ld_rule rule = umx_ld_rule(&work->ld, plan, &why);
    const Umx__LyncDialPlan *match = umx_ld_match(&work->ld, plan);
    bool named = umx_ld_option(&work->ld, "use", plan) != NULL;

    if (match == NULL && (rule == UMX_LD_MUST_MATCH || named))
        return give_name(work, plan);
    if (match == NULL && rule == UMX_LD_NOT_KNOWN)
        umx_steps_note(work->out, "%s: the version of %s is not known, so neither is whether the name has to match",
                       umx_plan_name(plan), why);
    if (work->ld.known || work->ld.stale)
        return give_rules(work, plan);
    if (match == NULL)
        umx_steps_note(
            work->out,
            "%s: no agent reports the Lync dial plans of %s: look by hand whether a rule turns its extensions "
            "into E.164",
            umx_plan_name(plan), lync_of(work));
    return 0;
}

/* An option that speaks of a plan that no forest has would be ignored without a word. */
static int check_names(struct work *work, const char *key)
{
    const Umx__World *world = work->ld.view->world;
    const char *value = umx_option(work->ld.view->options, SLUG, key);
    const char **items;
    size_t count;

    if (value == NULL)
        return 0;
    if (umx_uc_split(value, work->ld.arena, &items, &count) != 0)
        return umx_fail(work->err, UMX_ERR_MEMORY, SLUG, NULL);
    for (size_t i = 0; i < count; i++) {
        const char *colon = items[i][0] == '+' ? NULL : strchr(items[i], ':');
        bool found = colon == NULL;
        const char *name = colon != NULL ? umx_arena_copy(work->ld.arena, items[i], (size_t)(colon - items[i])) : NULL;
        for (size_t p = 0; !found && p < world->n_dial_plan; p++)
            found = umx_um_is_sip(world->dial_plan[p]) && (umx_text_equal(world->dial_plan[p]->name, name) ||
                                                           umx_text_equal(world->dial_plan[p]->phone_context, name));
        if (!found)
            return umx_fail(work->err, UMX_ERR_OPTION_INVALID, umx_steps_say(work->out, SLUG ".%s", key),
                            "no forest has a SIP dial plan %s", umx_or_empty(name));
    }
    return 0;
}

int umx_lync_dial_plans_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                             struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct work work = {
        .out = out,
        .err = err,
        .agent = umx_shell_agent(world, pair->lync, UMX__SERVER__PRODUCT__LYNC),
        .site = umx_text_equal(umx_option(options, SLUG, "scope"), "site"),
        .rules = !umx_text_equal(umx_option(options, SLUG, "rules"), "leave"),
    };
    const Umx__DialPlan *plan;
    int rc = umx_ld_build(&view, out->arena, &work.ld, err);

    if (rc == 0)
        rc = check_names(&work, "prefix");
    if (rc == 0)
        rc = check_names(&work, "use");
    for (size_t i = 0; rc == 0 && (plan = umx_um_next_plan(world, pair->exchange, &i)) != NULL;)
        rc = plan_one(&work, plan);
    return rc != 0 ? rc : out->failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}
