/* Phase 3: what the directory shows (V3.1 to V3.8, GL8). */
#include <string.h>

#include "base/text.h"
#include "phases/dial_plans.h"

static void add(const struct umx_view *view, const struct umx_phase_check *check, Umx__Finding__Status status,
                const char *target, const char *expected, const char *actual, struct umx_findings *out)
{
    struct umx_answer answer = {
        .status = status,
        .forest = view->pair->exchange,
        .target = target,
        .expected = expected,
        .actual = actual,
    };
    umx_findings_add(out, view, check, &answer);
}

typedef void judge_plan(const struct umx_view *view, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                        struct umx_findings *out);

/* One finding for each SIP plan; without any the question does not arise. */
static void each_plan(const struct umx_view *view, const struct umx_phase_check *check, judge_plan *judge,
                      struct umx_findings *out)
{
    const Umx__DialPlan *plan;
    size_t i = 0, count = 0;

    for (; (plan = umx_um_next_plan(view->world, view->pair->exchange, &i)) != NULL; count++)
        judge(view, check, plan, out);
    if (count == 0)
        add(view, check, UMX__FINDING__STATUS__NOT_APPLICABLE, view->pair->exchange, NULL, "no SIP dial plan yet", out);
}

/* ---- V3.1 */

void umx_dp_check_sip_plan(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const char *names = "";
    const Umx__DialPlan *plan;
    size_t i = 0, count = 0, others = 0;

    for (; (plan = umx_um_next_plan(view->world, view->pair->exchange, &i)) != NULL; count++)
        names = umx_say(out, "%s%s%s", names, count > 0 ? ", " : "", umx_plan_name(plan));
    for (size_t p = 0; p < view->world->n_dial_plan; p++)
        others += umx_text_equal(view->world->dial_plan[p]->forest, view->pair->exchange) &&
                  !umx_um_is_sip(view->world->dial_plan[p]);
    const char *actual = count > 0    ? names
                         : others > 0 ? umx_say(out, "none; %zu of another URI type, which Lync cannot use", others)
                                      : "none";
    add(view, check, umx_verdict(count > 0), view->pair->exchange, "a UM dial plan with URI type SipName (3)", actual,
        out);
}

/* ---- V3.2 */

/* Whether the context is `anything.domain`; 2: the thing is the name. */
static int matches(const char *context, const char *domain, const char *name)
{
    size_t length = strlen(context), suffix = strlen(umx_or_empty(domain));

    if (suffix == 0 || length <= suffix + 1 || context[length - suffix - 1] != '.' ||
        !umx_text_equal(context + length - suffix, domain))
        return 0;
    size_t first = length - suffix - 1;
    return first == strlen(umx_or_empty(name)) && strncasecmp(context, name, first) == 0 ? 2 : 1;
}

static void judge_context(const struct umx_view *view, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                          struct umx_findings *out)
{
    const char *context = umx_or_empty(plan->phone_context);
    int best = matches(context, view->pair->exchange, plan->name);

    for (size_t i = 0; i < view->world->n_domain; i++) {
        const Umx__Domain *domain = view->world->domain[i];
        int found =
            umx_text_equal(domain->forest, view->pair->exchange) ? matches(context, domain->domain, plan->name) : 0;
        best = found > best ? found : best;
    }
    add(view, check,
        best == 2   ? UMX__FINDING__STATUS__PASS
        : best == 1 ? UMX__FINDING__STATUS__WARN
                    : UMX__FINDING__STATUS__FAIL,
        plan->dn, umx_say(out, "%s.%s, or another domain of the forest", umx_plan_name(plan), view->pair->exchange),
        *context == '\0' ? "not set"
        : best == 1      ? umx_say(out, "%s: the plan was renamed, its phone context stays", context)
        : best == 0      ? umx_say(out, "%s: no domain of the forest", context)
                         : context,
        out);
}

void umx_dp_check_phone_context(const struct umx_view *view, const struct umx_phase_check *check,
                                struct umx_findings *out)
{
    each_plan(view, check, judge_context, out);
}

/* ---- V3.3 */

static void judge_digits(const struct umx_view *view, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                         struct umx_findings *out)
{
    bool good = plan->digits >= 1 && plan->digits <= UMX_PLAN_DIGITS_MAX;

    add(view, check,
        !plan->has_digits ? UMX__FINDING__STATUS__WARN
        : good            ? UMX__FINDING__STATUS__PASS
                          : UMX__FINDING__STATUS__FAIL,
        plan->dn, "1 to 20 digits", plan->has_digits ? umx_say(out, "%d", plan->digits) : "not set: Exchange takes 5",
        out);
}

void umx_dp_check_digits(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_plan(view, check, judge_digits, out);
}

/* ---- V3.4 and the numbers of auto attendants (GL8) */

static const char *join(char *const *numbers, size_t count, struct umx_findings *out)
{
    const char *text = "";

    for (size_t i = 0; i < count; i++)
        text = umx_say(out, "%s%s%s", text, i > 0 ? ", " : "", numbers[i]);
    return text;
}

static void judge_numbers(const struct umx_view *view, const struct umx_phase_check *check, const char *target,
                          char *const *numbers, size_t count, Umx__Finding__Status empty, const char *when_empty,
                          struct umx_findings *out)
{
    const char *bad = NULL;

    for (size_t i = 0; bad == NULL && i < count; i++)
        if (!umx_is_e164(numbers[i]))
            bad = numbers[i];
    add(view, check,
        count == 0    ? empty
        : bad != NULL ? UMX__FINDING__STATUS__FAIL
                      : UMX__FINDING__STATUS__PASS,
        target, "at least one number, each in E.164 (+ and 2 to 15 digits)",
        count == 0    ? when_empty
        : bad != NULL ? umx_say(out, "%s is not E.164 (of %s)", bad, join(numbers, count, out))
                      : join(numbers, count, out),
        out);
}

static void judge_access(const struct umx_view *view, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                         struct umx_findings *out)
{
    judge_numbers(view, check, plan->dn, plan->access_number, plan->n_access_number, UMX__FINDING__STATUS__WARN,
                  "none: no Outlook Voice Access from outside, and nothing for the Subscriber Access contact", out);
}

void umx_dp_check_access_numbers(const struct umx_view *view, const struct umx_phase_check *check,
                                 struct umx_findings *out)
{
    each_plan(view, check, judge_access, out);
}

void umx_dp_check_attendants(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count = 0;

    for (size_t i = 0; i < view->world->n_auto_attendant; i++) {
        const Umx__AutoAttendant *attendant = view->world->auto_attendant[i];
        const Umx__DialPlan *plan;
        size_t p = 0;
        while ((plan = umx_um_next_plan(view->world, view->pair->exchange, &p)) != NULL)
            if (umx_text_equal(attendant->forest, plan->forest) && umx_text_dn_equal(attendant->dial_plan_dn, plan->dn))
                break;
        if (plan == NULL)
            continue;
        count++;
        if (!attendant->has_enabled || !attendant->enabled)
            add(view, check, UMX__FINDING__STATUS__NOT_APPLICABLE, attendant->dn, NULL, "not enabled", out);
        else
            judge_numbers(view, check, attendant->dn, attendant->number, attendant->n_number,
                          UMX__FINDING__STATUS__FAIL, "none: nobody can call it", out);
    }
    if (count == 0)
        add(view, check, UMX__FINDING__STATUS__NOT_APPLICABLE, view->pair->exchange, NULL,
            "no auto attendant on a SIP dial plan", out);
}

/* ---- V3.5 */

bool umx_dp_country_needed(const Umx__World *world, const char *forest)
{
    for (size_t i = 0; i < world->n_exchange_server; i++)
        if (umx_text_equal(world->exchange_server[i]->forest, forest) && world->exchange_server[i]->has_version_major &&
            world->exchange_server[i]->version_major >= 15)
            return true;
    return false;
}

static void judge_country(const struct umx_view *view, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                          struct umx_findings *out)
{
    bool needed = umx_dp_country_needed(view->world, view->pair->exchange);
    bool set = umx_or_empty(plan->country_code)[0] != '\0';

    add(view, check,
        set      ? UMX__FINDING__STATUS__PASS
        : needed ? UMX__FINDING__STATUS__FAIL
                 : UMX__FINDING__STATUS__WARN,
        plan->dn, "a country code, for example 49",
        set      ? plan->country_code
        : needed ? "not set, and Exchange 2013 or later demands one"
                 : "not set",
        out);
}

void umx_dp_check_country_code(const struct umx_view *view, const struct umx_phase_check *check,
                               struct umx_findings *out)
{
    each_plan(view, check, judge_country, out);
}

/* ---- V3.6 */

static void judge_name(const struct umx_view *view, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                       struct umx_findings *out)
{
    const char *name = umx_or_empty(plan->name);
    size_t length = umx_characters(name);
    const Umx__MailboxPolicy *policy = umx_dp_policy(view->world, plan);
    struct umx_text made = {0};

    umx_text_addf(&made, "%s Default Policy", name);
    bool generated = policy == NULL || umx_text_equal(policy->name, umx_text_string(&made));
    umx_text_free(&made);
    size_t most = generated ? UMX_PLAN_NAME_POLICY_MAX : UMX_PLAN_NAME_MAX;
    Umx__Finding__Status status = UMX__FINDING__STATUS__PASS;
    const char *actual = name;
    if (length > most) {
        status = UMX__FINDING__STATUS__FAIL;
        actual = umx_say(out, "%s: %zu characters", name, length);
    } else if (strpbrk(name, " \t") != NULL) {
        status = UMX__FINDING__STATUS__FAIL;
        actual = umx_say(out, "%s: Lync allows no space in the name that has to match", name);
    } else if (strchr(name, '.') != NULL) {
        status = UMX__FINDING__STATUS__WARN;
        actual = umx_say(out, "%s: the pilot identifier is only %.*s", name, (int)strcspn(name, "."), name);
    }
    add(view, check, status, plan->dn, umx_say(out, "at most %zu characters, no space, no dot", most), actual, out);
}

void umx_dp_check_name(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_plan(view, check, judge_name, out);
}

/* ---- V3.7 */

const Umx__MailboxPolicy *umx_dp_policy(const Umx__World *world, const Umx__DialPlan *plan)
{
    for (size_t i = 0; i < world->n_mailbox_policy; i++)
        if (umx_text_equal(world->mailbox_policy[i]->forest, plan->forest) &&
            umx_text_dn_equal(world->mailbox_policy[i]->dial_plan_dn, plan->dn))
            return world->mailbox_policy[i];
    return NULL;
}

static void judge_policy(const struct umx_view *view, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                         struct umx_findings *out)
{
    const Umx__MailboxPolicy *policy = umx_dp_policy(view->world, plan);

    add(view, check, umx_verdict(policy != NULL), plan->dn, "a UM mailbox policy of the plan",
        policy != NULL ? umx_or_empty(policy->name) : "none", out);
}

void umx_dp_check_mailbox_policy(const struct umx_view *view, const struct umx_phase_check *check,
                                 struct umx_findings *out)
{
    each_plan(view, check, judge_policy, out);
}

/* ---- V3.8 */

/* An Exchange forest whose plans are not known: with it the answer could be another one. */
static const Umx__Forest *unread_forest(const struct umx_view *view)
{
    for (size_t i = 0; i < view->world->n_forest; i++) {
        const Umx__Forest *forest = view->world->forest[i];
        bool exchange = forest->has_side && forest->side != UMX__FOREST__SIDE__LYNC;
        if (exchange && (!umx_forest_readable(forest) || umx_forest_incomplete(forest, "dial_plan") != NULL))
            return forest;
    }
    return NULL;
}

static void judge_unique(const struct umx_view *view, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                         struct umx_findings *out)
{
    const Umx__DialPlan *other = NULL;
    const Umx__Forest *unread = unread_forest(view);

    for (size_t i = 0; other == NULL && i < view->world->n_dial_plan; i++)
        if (view->world->dial_plan[i] != plan && umx_um_is_sip(view->world->dial_plan[i]) &&
            umx_text_equal(umx_or_empty(view->world->dial_plan[i]->name), umx_or_empty(plan->name)))
            other = view->world->dial_plan[i];
    add(view, check,
        other != NULL    ? UMX__FINDING__STATUS__FAIL
        : unread != NULL ? UMX__FINDING__STATUS__UNKNOWN
                         : UMX__FINDING__STATUS__PASS,
        plan->dn, "no other SIP dial plan of that name in any Exchange forest",
        other != NULL    ? umx_say(out, "%s in %s has the name too", umx_or_empty(other->dn), other->forest)
        : unread != NULL ? umx_say(out, "the dial plans of %s are not known", umx_or_empty(unread->forest))
                         : umx_plan_name(plan),
        out);
}

void umx_dp_check_unique(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_plan(view, check, judge_unique, out);
}
