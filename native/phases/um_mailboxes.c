/* Phase 11: options, checks, proposed rows. */
#include "phases/um_mailboxes.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/build.h"

static int valid_sync(const char *value, struct umx_error *err)
{
    if (strcmp(value, "gate") == 0 || strcmp(value, "umx") == 0)
        return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, "um-mailboxes.sync", "\"%s\" is neither gate nor umx", value);
}

const struct umx_phase_option umx_um_mailboxes_options[] = {
    {"sync", "gate | umx",
     "how EUM addresses come to the Lync user of another forest: gate (default): your directory synchronisation brings "
     "them, umx waits; umx: umx writes them there",
     valid_sync},
    {NULL, NULL, NULL, NULL},
};

static const char nobody[] = "nobody is enabled for UM in a SIP dial plan";

/* ---- V11.1 */

static void run_policies(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__World *world = view->world;
    size_t plans = 0;

    for (size_t p = 0; p < world->n_dial_plan; p++) {
        const Umx__DialPlan *plan = world->dial_plan[p];
        size_t policies = 0;
        if (!umx_is_sip_plan(plan) || !umx_text_equal(plan->forest, view->pair->exchange))
            continue;
        plans++;
        for (size_t i = 0; i < world->n_mailbox_policy; i++)
            policies += umx_text_equal(world->mailbox_policy[i]->forest, plan->forest) &&
                        umx_text_dn_equal(world->mailbox_policy[i]->dial_plan_dn, plan->dn);
        struct umx_answer answer = {
            .status = umx_verdict(policies > 0),
            .forest = plan->forest,
            .target = umx_or_empty(plan->name),
            .expected = "one UM mailbox policy at least",
            .actual = policies > 0 ? umx_say(out, "%zu", policies) : "none",
        };
        umx_findings_add(out, view, check, &answer);
    }
    if (plans == 0) {
        struct umx_answer answer = {.status = UMX__FINDING__STATUS__NOT_APPLICABLE,
                                    .forest = view->pair->exchange,
                                    .target = view->pair->exchange,
                                    .expected = "one UM mailbox policy at least",
                                    .actual = "there is no SIP dial plan"};
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- V11.2 */

static bool of_phase(const Umx__InputUser *row)
{
    return umx_or_empty(row->extension)[0] != '\0' || umx_or_empty(row->policy)[0] != '\0';
}

static void check_rows(struct umx_people *people, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_tally tally = {.view = people->view,
                              .check = check,
                              .out = out,
                              .forest = people->view->pair->exchange,
                              .expected = "enabled for UM, as its row says"};
    struct umx_user_row *rows;
    size_t count;

    if (umx_people_rows(people, NULL, true, of_phase, &rows, &count) != 0) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (rows[i].mailbox->um_enabled)
            umx_tally_good(&tally);
        else
            umx_tally_bad(&tally, UMX__FINDING__STATUS__FAIL, umx_mailbox_name(rows[i].mailbox), "not enabled", NULL);
    }
    umx_tally_end(&tally, "no row is about this phase");
}

static void count_enabled(struct umx_people *people, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t enabled = 0, others = 0;
    const char *first = NULL;

    for (size_t i = 0; i < people->count; i++) {
        const struct umx_match *match = &people->matches[i];
        if (!umx_people_here(people, match) || match->mailbox == NULL || !umx_voice_enabled(match->voice))
            continue;
        if (match->mailbox->um_enabled)
            enabled++;
        else if (others++ == 0)
            first = umx_mailbox_name(match->mailbox);
    }
    struct umx_answer answer = {
        .status = enabled == 0  ? UMX__FINDING__STATUS__FAIL
                  : others == 0 ? UMX__FINDING__STATUS__PASS
                                : UMX__FINDING__STATUS__WARN,
        .forest = people->view->pair->exchange,
        .target = people->view->pair->exchange,
        .expected = "Enterprise Voice users who have a mailbox are enabled for UM",
        .actual = others == 0 ? umx_say(out, "%zu are", enabled)
                              : umx_say(out, "%zu are, %zu are not, %s for example", enabled, others, first),
    };
    umx_findings_add(out, people->view, check, &answer);
}

static void run_enabled(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_people *people = umx_people_open(view);

    if (people == NULL)
        out->failed = 1;
    else if (umx_rows_given(view))
        check_rows(people, check, out);
    else
        count_enabled(people, check, out);
    umx_people_close(people);
}

static void judge_links(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    const Umx__MailboxUser *mailbox = match->mailbox;
    const char *why = NULL;

    if (mailbox == NULL || !mailbox->um_enabled)
        return;
    const Umx__World *world = people->view->world;
    const Umx__MailboxPolicy *policy = umx_find_policy(world, mailbox->forest, mailbox->um_policy_dn);
    const Umx__DialPlan *plan = umx_find_dial_plan(world, mailbox->forest, mailbox->um_dial_plan_dn);
    if (policy == NULL)
        why = umx_say(tally->out, "msExchUMTemplateLink is %s, which is no UM mailbox policy",
                      mailbox->um_policy_dn != NULL ? mailbox->um_policy_dn : "not set");
    else if (plan == NULL)
        why = umx_say(tally->out, "msExchUMRecipientDialPlanLink is %s, which is no dial plan",
                      mailbox->um_dial_plan_dn != NULL ? mailbox->um_dial_plan_dn : "not set");
    else if (!umx_text_dn_equal(policy->dial_plan_dn, plan->dn))
        why = umx_say(tally->out, "policy %s is of another dial plan than %s", umx_or_empty(policy->name),
                      umx_or_empty(plan->name));
    else if (!umx_is_sip_plan(plan))
        why = umx_say(tally->out, "dial plan %s is no SIP URI plan: Lync does not use it", umx_or_empty(plan->name));
    bool addresses = false;
    for (size_t i = 0; why == NULL && i < mailbox->n_proxy_address; i++)
        addresses = addresses || umx_um_of_plan(plan, mailbox->proxy_address[i]);
    if (why == NULL && !addresses)
        why = umx_say(tally->out, "no EUM address in %s (event 1169)", umx_or_empty(plan->phone_context));
    if (why == NULL)
        umx_tally_good(tally);
    else
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_mailbox_name(mailbox), why, NULL);
}

static void run_links(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR,
                    "a policy, the SIP dial plan of that policy, and EUM addresses in it", nobody, judge_links);
}

/* ---- V11.3 */

static void judge_extension(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    const Umx__MailboxUser *mailbox = match->mailbox;
    const char *why = NULL;

    if (mailbox == NULL || !mailbox->um_enabled)
        return;
    const Umx__DialPlan *plan = umx_find_dial_plan(people->view->world, mailbox->forest, mailbox->um_dial_plan_dn);
    if (!umx_is_sip_plan(plan))
        return;
    for (size_t i = 0; why == NULL && i < mailbox->n_proxy_address; i++) {
        struct umx_eum eum;
        if (!umx_eum_parse(mailbox->proxy_address[i], &eum) || !umx_text_equal(eum.context, plan->phone_context))
            continue;
        const char *holder = umx_eum_holder(people, match, mailbox->proxy_address[i] + 4);
        if (holder != NULL)
            why = umx_say(tally->out, "%s has %s too", holder, mailbox->proxy_address[i]);
        else if (umx_eum_is_extension(&eum) && plan->has_digits && eum.length != (size_t)plan->digits)
            why = umx_say(tally->out, "extension %.*s has %zu digits, and dial plan %s wants %d (event 1109)",
                          (int)eum.length, eum.address, eum.length, umx_or_empty(plan->name), plan->digits);
    }
    if (why == NULL)
        umx_tally_good(tally);
    else
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_mailbox_name(mailbox), why, NULL);
}

static void run_extensions(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR,
                    "an extension of the plan's length that nobody else in both forests has", nobody, judge_extension);
}

/* ---- V11.4, V11.6 */

static void judge_there(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    if (match->mailbox == NULL || !match->mailbox->um_enabled || match->rule == UMX_MATCH_SAME)
        return;
    const char *missing = umx_um_missing_there(people, match);
    if (missing == NULL)
        umx_tally_good(tally);
    else
        umx_tally_bad(
            tally, UMX__FINDING__STATUS__FAIL, umx_voice_name(match->voice),
            umx_say(tally->out, "%s of %s is not on the Lync user", missing, umx_mailbox_name(match->mailbox)), NULL);
}

static void run_there(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR,
                    "the Lync user has the EUM addresses of the mailbox user: Lync reads them there",
                    "nobody is enabled for UM whose Lync user is in another forest", judge_there);
}

static void judge_mailbox(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    (void)people;
    if (match->mailbox != NULL)
        umx_tally_good(tally);
    else
        umx_tally_bad(tally, UMX__FINDING__STATUS__WARN, umx_voice_name(match->voice),
                      match->undecided
                          ? umx_say(tally->out, "%s names more than one mailbox", umx_match_words[match->rule])
                          : "no mailbox in an Exchange forest that was read",
                      NULL);
}

static void run_mailboxes(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR, "a mailbox in the Exchange forest",
                    "there is no Enterprise Voice user yet", judge_mailbox);
}

/* ---- V11.5 */

static bool of_forest(const Umx__World *world, const char *server, const char *forest)
{
    const Umx__Agent *agent = umx_find_agent(world, server);

    return agent != NULL && umx_text_equal(agent->forest, forest);
}

/* What UM said when a call came for somebody: not resolved, mailbox not reachable, not provisioned, wrong extension. */
static void run_calls(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    static const int32_t ids[] = {1109, 1169, 1406, 1407, 1444};
    const Umx__World *world = view->world;
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__UNKNOWN,
        .forest = view->pair->exchange,
        .target = view->pair->exchange,
        .expected = "a call to a user's voice mail is answered",
        .actual = "umx makes no calls",
    };
    size_t found = 0;

    for (size_t i = 0; i < world->n_event; i++) {
        const Umx__Event *event = world->event[i];
        bool named = false;
        for (size_t k = 0; k < sizeof ids / sizeof ids[0]; k++)
            named = named || event->event_id == ids[k];
        if (!named || !of_forest(world, event->server, view->pair->exchange) ||
            !umx_text_equal(event->provider, "MSExchange Unified Messaging") ||
            umx_stale(world, event->has_logged_at, event->logged_at))
            continue;
        answer.status = UMX__FINDING__STATUS__WARN;
        answer.target = event->server;
        answer.actual = umx_say(out, "%zu events of the last %d hours, the last read: %d: %s", ++found,
                                UMX_FACT_AGE_MAX_HOURS, event->event_id, umx_or_empty(event->message));
        answer.remedy = "look at the user that the event names: `umx check --phase um-mailboxes`";
    }
    umx_findings_add(out, view, check, &answer);
}

/* ---- the table */

#define BY_ROW                                                                                                         \
    "fill in rows and plan them: `umx plan template --phase um-mailboxes --pair EXCHANGE:LYNC`, `umx plan create "     \
    "NAME "                                                                                                            \
    "--phase um-mailboxes --input FILE`"

const struct umx_phase_check umx_um_mailboxes_checks[] = {
    {"um-mailboxes/policies", "V11.1", "Has each SIP dial plan a UM mailbox policy?",
     "`New-UMMailboxPolicy -Name NAME -UMDialPlan PLAN`, or name it in a row of a user", UMX_NEEDS_EXCHANGE,
     "dial_plan mailbox_policy", false, run_policies},
    {"um-mailboxes/enabled", "V11.2", "Are users enabled for UM; with rows, those of the rows?", BY_ROW, UMX_NEEDS_BOTH,
     "mailbox_user voice_user", true, run_enabled},
    {"um-mailboxes/links", "V11.2",
     "Has each user who is enabled a policy, the SIP dial plan of that policy, and addresses in it?",
     "disable and enable him again with the right policy: `Disable-UMMailbox`, then a row", UMX_NEEDS_BOTH,
     "mailbox_user voice_user dial_plan mailbox_policy", true, run_links},
    {"um-mailboxes/extensions", "V11.3", "Is each extension of the plan's length, and nobody else's?",
     "give one of them another extension: `Set-Mailbox NAME -EmailAddresses @{Add='eum:...';Remove='eum:...'}`",
     UMX_NEEDS_BOTH, "mailbox_user voice_user dial_plan", true, run_extensions},
    {"um-mailboxes/lync-side", "V11.4",
     "In separate forests, are the EUM addresses on the Lync user too, where Lync reads them (GL6)?",
     "run the directory synchronisation, or `umx plan create NAME --phase um-mailboxes --pair EXCHANGE:LYNC --set "
     "um-mailboxes.sync=umx`",
     UMX_NEEDS_BOTH, "mailbox_user voice_user dial_plan", true, run_there},
    {"um-mailboxes/calls", "V11.5", "Is voice mail answered?",
     "try it: `Test-CsExUMConnectivity -TargetFqdn POOL -UserSipAddress sip:USER`, `Test-CsExUMVoiceMail`",
     UMX_NEEDS_BOTH, NULL, false, run_calls},
    {"um-mailboxes/mailboxes", "V11.6", "Has each Enterprise Voice user a mailbox?",
     "make one (`Enable-Mailbox`) for who shall have voice mail; the others can stay so", UMX_NEEDS_BOTH,
     "mailbox_user voice_user", false, run_mailboxes},
    {.id = NULL},
};

int umx_um_mailboxes_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                           struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("um-mailboxes"), world, pair, options, out, err);
}

/* ---- proposals */

/* An extension that two proposed rows would have is nobody's. */
struct proposals {
    struct umx_people *people;
    struct umx_um_plans plans;
    struct umx_index lync_users;
    struct umx_index extensions; /* of plan and extension -> match */
};

/* The plan that a person would be of: the only one, or the one that his Lync dial plan is named after. */
static const Umx__DialPlan *plan_of(struct proposals *all, const struct umx_match *match)
{
    const Umx__LyncUser *user = umx_find_lync_user(&all->lync_users, match->voice);
    const Umx__World *world = all->people->view->world;

    if (all->plans.count == 1)
        return all->plans.items[0];
    if (user == NULL || umx_or_empty(user->dial_plan)[0] == '\0')
        return NULL;
    for (size_t i = 0; i < world->n_lync_dial_plan; i++) {
        const Umx__LyncDialPlan *dial_plan = world->lync_dial_plan[i];
        if (!umx_text_equal(dial_plan->forest, match->voice->forest) ||
            (!umx_text_equal(dial_plan->identity, user->dial_plan) &&
             !umx_text_equal(dial_plan->identity, umx_arena_format(all->people->arena, "Tag:%s", user->dial_plan))))
            continue;
        for (size_t k = 0; k < all->plans.count; k++)
            if (umx_text_equal(all->plans.items[k]->phone_context, dial_plan->simple_name))
                return all->plans.items[k];
    }
    return NULL;
}

static bool proposable(const struct umx_people *people, const struct umx_match *match)
{
    return umx_people_here(people, match) && match->mailbox != NULL && !match->mailbox->um_enabled &&
           umx_voice_enabled(match->voice);
}

static const char *extension_of(struct proposals *all, const struct umx_match *match, const Umx__DialPlan *plan,
                                const char **key)
{
    const char *extension = plan != NULL ? umx_um_propose_extension(all->people, match, plan) : NULL;

    *key = extension != NULL ? umx_arena_format(all->people->arena, "%s %s", plan->phone_context, extension) : NULL;
    return extension;
}

int umx_um_mailboxes_propose(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                             struct umx_proposal *out, struct umx_error *err)
{
    const struct umx_view view = umx_view_of(world, pair, options);
    struct umx_people *people = umx_people_open(&view);
    struct proposals all = {.people = people};

    if (people == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "um-mailboxes", NULL);
    all.plans = umx_um_plans_of(people);
    umx_index_lync_users(people, &all.lync_users);
    umx_index_begin(&all.extensions, people->arena);
    const char *key;
    for (size_t i = 0; all.plans.items != NULL && i < people->count; i++)
        if (proposable(people, &people->matches[i]) &&
            extension_of(&all, &people->matches[i], plan_of(&all, &people->matches[i]), &key) != NULL)
            umx_index_add(&all.extensions, key, &people->matches[i]);
    for (size_t i = 0; all.plans.items != NULL && i < people->count; i++) {
        const struct umx_match *match = &people->matches[i];
        Umx__InputUser row = UMX__INPUT_USER__INIT;
        bool several = false;
        if (!proposable(people, match))
            continue;
        const Umx__DialPlan *plan = plan_of(&all, match);
        const Umx__MailboxPolicy *policy = plan != NULL ? umx_um_default_policy(world, plan) : NULL;
        const char *extension = extension_of(&all, match, plan, &key);
        umx_people_propose(people, match, &row);
        if (extension != NULL && umx_index_only(&all.extensions, key, &several) != NULL)
            row.extension = umx_arena_string(people->arena, extension);
        row.policy = policy != NULL ? policy->name : NULL;
        umx_propose_user(out, &row);
    }
    out->failed = out->failed || all.plans.items == NULL || all.lync_users.failed || all.extensions.failed;
    umx_people_close(people);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "um-mailboxes", NULL) : 0;
}
