/* Phase 3: dial plans, mailbox policies and auto attendants by cmdlet; a gate where no agent can run it. */
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/dial_plans.h"

#define SLUG "dial-plans"
#define EXCHANGE(work) ((work)->view->pair->exchange)

/* Of a gate nobody but a reader of the directory can see that it is done. */
static Umx__PlanStep *new_step(struct umx_dp_work *work, const char *dn, const char *action, const char *command)
{
    const char *reason = umx_steps_say(work->out,
                                       "no agent is connected on an Exchange server of %s: run this in an Exchange "
                                       "shell there, then confirm",
                                       EXCHANGE(work));
    Umx__PlanStep *step = umx_step_cmdlet(work->out, SLUG, UMX__FOREST__SIDE__EXCHANGE, EXCHANGE(work), work->agent,
                                          action, reason, command);

    if (step != NULL)
        step->target = umx_steps_copy(work->out, dn);
    return step;
}

/* Schema strings are char *; these records are only read. */
static char *own(struct umx_dp_work *work, const char *text)
{
    return umx_steps_copy(work->out, text);
}

/* ---- dial plans */

Umx__DialPlan__VoipSecurity umx_dp_security(const struct umx_dp_work *work, const Umx__InputDialPlan *row)
{
    struct umx_media media = umx_lync_media(work->view->world, work->view->pair->lync);

    if (umx_lacks_secured(work->view->world, EXCHANGE(work), NULL) || umx_text_equal(row->security, "sip_secured"))
        return UMX__DIAL_PLAN__VOIP_SECURITY__SIP_SECURED;
    return umx_text_equal(row->security, "secured") ? UMX__DIAL_PLAN__VOIP_SECURITY__SECURED
                                                    : umx_security_for(media.level);
}

/* `NAME Default Policy`, cut so that cn holds it, and free. */
static const char *policy_name(struct umx_dp_work *work, const char *plan)
{
    const Umx__World *world = work->view->world;
    char cut[4 * UMX_PLAN_NAME_POLICY_MAX + 1];
    size_t size = sizeof cut;

    umx_text_copy(cut, size, plan);
    while (umx_characters(cut) > UMX_PLAN_NAME_POLICY_MAX)
        umx_text_copy(cut, --size, plan);
    for (int i = 1;; i++) {
        const char *name = i == 1 ? umx_steps_say(work->out, "%s Default Policy", cut)
                                  : umx_steps_say(work->out, "%.40s Default Policy %d", cut, i);
        bool taken = false;
        for (size_t k = 0; !taken && k < world->n_mailbox_policy; k++)
            taken = umx_text_equal(world->mailbox_policy[k]->forest, EXCHANGE(work)) &&
                    umx_text_equal(world->mailbox_policy[k]->name, name);
        if (!taken || work->out->failed)
            return name;
    }
}

static void promise_policy(struct umx_dp_work *work, Umx__PlanStep *step, const char *name, const char *plan_dn)
{
    Umx__MailboxPolicy policy = UMX__MAILBOX_POLICY__INIT;

    policy.forest = own(work, EXCHANGE(work));
    policy.dn = own(work, umx_step_child_dn(work->out, name, work->policies));
    policy.name = own(work, name);
    policy.dial_plan_dn = own(work, plan_dn);
    umx_step_promise(work->out, step, work->view->world, &policy.base);
}

static const char *plan_command(struct umx_dp_work *work, const Umx__InputDialPlan *row, const char *security)
{
    struct umx_steps *out = work->out;
    const char *numbers = umx_shell_quote_list(out, row->access_number, row->n_access_number);
    const char *country = umx_or_empty(row->country_code);

    return umx_steps_say(
        out, "New-UMDialPlan -Name %s -UriType SipName -VoIPSecurity %s -NumberOfDigitsInExtension %d%s%s%s%s",
        umx_shell_quote(out, row->name), security, row->digits, *numbers != '\0' ? " -AccessTelephoneNumbers " : "",
        numbers, *country != '\0' ? " -CountryOrRegionCode " : "", country);
}

static void make_plan(struct umx_dp_work *work, size_t index)
{
    const Umx__InputDialPlan *row = work->input->dial_plan[index];
    struct umx_steps *out = work->out;
    Umx__DialPlan__VoipSecurity security = umx_dp_security(work, row);
    const char *dn = umx_step_child_dn(out, row->name, work->plans);
    const char *name = umx_shell_quote(out, row->name);
    Umx__PlanStep *step = new_step(work, dn, "new-um-dial-plan", plan_command(work, row, umx_security_words[security]));
    Umx__DialPlan plan = UMX__DIAL_PLAN__INIT;

    plan.forest = own(work, EXCHANGE(work));
    plan.dn = own(work, dn);
    plan.name = own(work, row->name);
    plan.phone_context = own(work, umx_steps_say(out, "%s.%s", row->name, EXCHANGE(work)));
    plan.has_uri_type = plan.has_voip_security = plan.has_digits = 1;
    plan.uri_type = UMX__DIAL_PLAN__URI_TYPE__SIP_NAME;
    plan.voip_security = security;
    plan.digits = row->digits;
    plan.n_access_number = row->n_access_number;
    plan.access_number = row->access_number;
    plan.country_code = umx_or_empty(row->country_code)[0] != '\0' ? row->country_code : NULL;
    umx_step_promise(out, step, work->view->world, &plan.base);
    promise_policy(work, step, umx_steps_say(out, "%s Default Policy", row->name), dn);
    umx_step_cmdlet_end(
        work->out, step,
        umx_steps_say(out, "make SIP dial plan %s (%d digits, %s) and %s Default Policy", row->name, row->digits,
                      umx_security_words[security], row->name),
        umx_item(out, "name", row->name, "digits", umx_steps_say(out, "%d", row->digits), "security",
                 umx_security_words[security], "access_numbers",
                 umx_join_lines(out, row->access_number, row->n_access_number), "country_code",
                 umx_or_empty(row->country_code), NULL),
        "remove-um-dial-plan", umx_item(out, "name", row->name, NULL),
        umx_steps_say(out,
                      "removes its default policy, then the plan (`Remove-UMDialPlan %s`); refused while "
                      "anything else refers to it",
                      name));
    if (step != NULL)
        work->plan_step[index] = step->id;
    if (strchr(row->name, '.') != NULL)
        umx_steps_note(out, "%s: the name has a dot, so the pilot identifier of its hunt groups will be %.*s (V3.6)",
                       row->name, (int)strcspn(row->name, "."), row->name);
    if (row->n_access_number == 0)
        umx_steps_note(out, "%s gets no access number: Outlook Voice Access cannot be reached from outside (V3.4)",
                       row->name);
}

static bool same_set(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
    size_t found = 0;

    for (size_t i = 0; i < a_count; i++)
        for (size_t k = 0; k < b_count; k++)
            found += umx_text_equal(a[i], b[k]);
    return a_count == b_count && found == a_count;
}

/* What a row of an existing plan gives and the plan has otherwise; what the row leaves empty stays. */
static void correct_plan(struct umx_dp_work *work, const Umx__InputDialPlan *row, const Umx__DialPlan *plan)
{
    struct umx_steps *out = work->out;
    bool numbers = row->n_access_number > 0 &&
                   !same_set(row->access_number, row->n_access_number, plan->access_number, plan->n_access_number);
    bool country = umx_or_empty(row->country_code)[0] != '\0' &&
                   !umx_text_equal(row->country_code, umx_or_empty(plan->country_code));

    if (umx_or_empty(row->security)[0] != '\0')
        umx_steps_note(out, "%s exists: its security is the business of phase dial-plan-security", row->name);
    if (!numbers && !country)
        return;
    const char *name = umx_shell_quote(out, row->name);
    const char *list = umx_join_lines(out, row->access_number, row->n_access_number);
    const char *command =
        umx_steps_say(out, "Set-UMDialPlan %s%s%s%s%s", name, numbers ? " -AccessTelephoneNumbers " : "",
                      numbers ? umx_shell_quote_list(out, row->access_number, row->n_access_number) : "",
                      country ? " -CountryOrRegionCode " : "", country ? row->country_code : "");
    Umx__PlanStep *step = new_step(work, plan->dn, "set-um-dial-plan", command);
    Umx__DialPlan promised = UMX__DIAL_PLAN__INIT;
    promised.forest = own(work, EXCHANGE(work));
    promised.dn = plan->dn;
    promised.n_access_number = numbers ? row->n_access_number : 0;
    promised.access_number = row->access_number;
    promised.country_code = country ? row->country_code : NULL;
    umx_step_promise(out, step, work->view->world, &promised.base);
    umx_step_cmdlet_end(
        work->out, step,
        umx_steps_say(out, "set on dial plan %s:%s%s%s%s", row->name, numbers ? " access numbers " : "",
                      numbers ? umx_shell_quote_list(out, row->access_number, row->n_access_number) : "",
                      country ? " country code " : "", country ? row->country_code : ""),
        umx_item(out, "name", row->name, "access_numbers", numbers ? list : NULL, "country_code",
                 country ? row->country_code : NULL, NULL),
        "set-um-dial-plan",
        umx_item(out, "name", row->name, "access_numbers", numbers ? "@result.previous_access_numbers" : NULL,
                 "country_code", country ? "@result.previous_country_code" : NULL, NULL),
        "sets what was there before");
}

/* ---- mailbox policies of plans that have none (V3.7) */

static void make_policy(struct umx_dp_work *work, const Umx__DialPlan *plan)
{
    struct umx_steps *out = work->out;
    const char *name = policy_name(work, umx_plan_name(plan));
    const char *dn = umx_step_child_dn(out, name, work->policies);
    Umx__PlanStep *step =
        new_step(work, dn, "new-um-mailbox-policy",
                 umx_steps_say(out, "New-UMMailboxPolicy -Name %s -UMDialPlan %s", umx_shell_quote(out, name),
                               umx_shell_quote(out, umx_plan_name(plan))));

    promise_policy(work, step, name, plan->dn);
    umx_step_cmdlet_end(work->out, step,
                        umx_steps_say(out, "make UM mailbox policy %s for dial plan %s", name, umx_plan_name(plan)),
                        umx_item(out, "name", name, "dial_plan", umx_plan_name(plan), NULL), "remove-um-mailbox-policy",
                        umx_item(out, "name", name, NULL), "removes the policy; refused while a mailbox uses it");
}

/* ---- auto attendants */

static const Umx__AutoAttendant *find_attendant(const struct umx_dp_work *work, const char *name)
{
    const Umx__World *world = work->view->world;

    for (size_t i = 0; i < world->n_auto_attendant; i++)
        if (umx_text_equal(world->auto_attendant[i]->forest, EXCHANGE(work)) &&
            umx_text_equal(world->auto_attendant[i]->name, name))
            return world->auto_attendant[i];
    return NULL;
}

static void enable_attendant(struct umx_dp_work *work, const Umx__AutoAttendant *attendant)
{
    struct umx_steps *out = work->out;
    const char *name = umx_or_empty(attendant->name);
    Umx__AutoAttendant promised = UMX__AUTO_ATTENDANT__INIT;

    if (attendant->has_enabled && attendant->enabled)
        return;
    Umx__PlanStep *step = new_step(work, attendant->dn, "enable-um-auto-attendant",
                                   umx_steps_say(out, "Enable-UMAutoAttendant %s", umx_shell_quote(out, name)));
    promised.forest = own(work, EXCHANGE(work));
    promised.dn = attendant->dn;
    promised.has_enabled = promised.enabled = 1;
    umx_step_promise(out, step, work->view->world, &promised.base);
    umx_step_cmdlet_end(work->out, step, umx_steps_say(out, "enable auto attendant %s", name),
                        umx_item(out, "name", name, NULL), "disable-um-auto-attendant",
                        umx_item(out, "name", name, NULL), "disables it again");
}

static void make_attendant(struct umx_dp_work *work, const Umx__InputAutoAttendant *row)
{
    struct umx_steps *out = work->out;
    const char *dn = umx_step_child_dn(out, row->name, work->attendants);
    const char *name = umx_shell_quote(out, row->name);
    const Umx__DialPlan *plan = umx_find_plan(work->view->world, EXCHANGE(work), row->dial_plan);
    Umx__PlanStep *step = new_step(
        work, dn, "new-um-auto-attendant",
        umx_steps_say(out, "New-UMAutoAttendant -Name %s -UMDialPlan %s -PilotIdentifierList %s -Status Enabled", name,
                      umx_shell_quote(out, row->dial_plan), umx_shell_quote_list(out, row->number, row->n_number)));
    Umx__AutoAttendant promised = UMX__AUTO_ATTENDANT__INIT;

    promised.forest = own(work, EXCHANGE(work));
    promised.dn = own(work, dn);
    promised.name = own(work, row->name);
    promised.dial_plan_dn = own(work, plan != NULL ? plan->dn : umx_step_child_dn(out, row->dial_plan, work->plans));
    promised.n_number = row->n_number;
    promised.number = row->number;
    promised.has_enabled = promised.enabled = 1;
    umx_step_promise(out, step, work->view->world, &promised.base);
    for (size_t i = 0; step != NULL && i < work->input->n_dial_plan; i++)
        if (work->plan_step[i] != NULL && umx_text_equal(work->input->dial_plan[i]->name, row->dial_plan))
            umx_steps_depend(out, step, work->plan_step[i]);
    umx_step_cmdlet_end(
        work->out, step,
        umx_steps_say(out, "make auto attendant %s of dial plan %s, enabled", row->name, row->dial_plan),
        umx_item(out, "name", row->name, "dial_plan", row->dial_plan, "numbers",
                 umx_join_lines(out, row->number, row->n_number), NULL),
        "remove-um-auto-attendant", umx_item(out, "name", row->name, NULL),
        umx_steps_say(out, "removes it (`Remove-UMAutoAttendant %s`), before its dial plan", name));
}

/* ---- the phase */

static const char *container(struct umx_dp_work *work, Umx__Container__Kind kind, const char *name)
{
    const Umx__Container *found = umx_find_container(work->view->world, EXCHANGE(work), kind);

    return found != NULL && found->dn != NULL
               ? found->dn
               : umx_steps_say(work->out, "CN=%s,%s", name, umx_or_empty(work->view->exchange->organization_dn));
}

static int prepare(struct umx_dp_work *work)
{
    static const Umx__Input nothing = UMX__INPUT__INIT;
    struct umx_arena *arena = work->out->arena;

    if (umx_or_empty(work->view->exchange->organization_dn)[0] == '\0')
        return umx_fail(work->err, UMX_ERR_PLAN_WORLD_INCOMPLETE, EXCHANGE(work), "no Exchange organisation was found");
    if (work->input == NULL)
        work->input = &nothing;
    work->plan_good = umx_arena_alloc(arena, work->input->n_dial_plan + 1);
    work->attendant_good = umx_arena_alloc(arena, work->input->n_auto_attendant + 1);
    work->plan_step = umx_arena_alloc(arena, (work->input->n_dial_plan + 1) * sizeof *work->plan_step);
    if (work->plan_good == NULL || work->attendant_good == NULL || work->plan_step == NULL)
        return umx_fail(work->err, UMX_ERR_MEMORY, SLUG, NULL);
    work->agent = umx_shell_agent(work->view->world, EXCHANGE(work), UMX__SERVER__PRODUCT__EXCHANGE);
    work->country_needed = umx_dp_country_needed(work->view->world, EXCHANGE(work));
    work->plans = container(work, UMX__CONTAINER__KIND__DIAL_PLANS, "UM DialPlan Container");
    work->policies = container(work, UMX__CONTAINER__KIND__MAILBOX_POLICIES, "UM Mailbox Policies");
    work->attendants = container(work, UMX__CONTAINER__KIND__AUTO_ATTENDANTS, "UM AutoAttendant Container");
    return 0;
}

int umx_dial_plans_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                        struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct umx_dp_work work = {.view = &view, .out = out, .err = err, .input = options != NULL ? options->input : NULL};
    int rc = prepare(&work);
    size_t made = 0;

    if (rc != 0)
        return rc;
    umx_dp_judge_rows(&work);
    for (size_t i = 0; i < work.input->n_dial_plan; i++) {
        const Umx__InputDialPlan *row = work.input->dial_plan[i];
        const Umx__DialPlan *plan = umx_find_plan(world, pair->exchange, row->name);
        if (!work.plan_good[i])
            continue;
        made++;
        if (plan != NULL)
            correct_plan(&work, row, plan);
        else
            make_plan(&work, i);
    }
    const Umx__DialPlan *plan;
    for (size_t i = 0; (plan = umx_um_next_plan(world, pair->exchange, &i)) != NULL; made++)
        if (umx_dp_policy(world, plan) == NULL)
            make_policy(&work, plan);
    for (size_t i = 0; i < work.input->n_auto_attendant; i++) {
        const Umx__InputAutoAttendant *row = work.input->auto_attendant[i];
        if (!work.attendant_good[i])
            continue;
        if (find_attendant(&work, row->name) != NULL)
            enable_attendant(&work, find_attendant(&work, row->name));
        else
            make_attendant(&work, row);
    }
    if (made == 0)
        umx_steps_note(out,
                       "%s has no SIP dial plan and no row makes one: `umx plan template --phase dial-plans` proposes "
                       "rows",
                       pair->exchange);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}

/* Rows of forests that no pair of the plan has: left out without a word they would be believed done. */
int umx_dial_plans_finish(const Umx__World *world, const struct umx_pair *pairs, size_t pair_count,
                          const struct umx_options *options, size_t first, struct umx_steps *out, struct umx_error *err)
{
    const Umx__Input *input = options != NULL ? options->input : NULL;
    size_t plans = input != NULL ? input->n_dial_plan : 0;
    size_t count = plans + (input != NULL ? input->n_auto_attendant : 0);

    (void)world;
    (void)first;
    for (size_t i = 0; i < count; i++) {
        const char *forest = i < plans ? input->dial_plan[i]->forest : input->auto_attendant[i - plans]->forest;
        int32_t row = i < plans ? input->dial_plan[i]->row : input->auto_attendant[i - plans]->row;
        bool found = false;
        for (size_t p = 0; !found && p < pair_count; p++)
            found = umx_text_equal(pairs[p].exchange, forest);
        if (!found)
            umx_steps_note(out, "%s row %d is left out: this plan has no pair with the forest %s",
                           i < plans ? "dial_plan" : "auto_attendant", row, forest);
    }
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}
