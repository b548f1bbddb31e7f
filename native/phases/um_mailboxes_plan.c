/* Phase 11: policies, users enabled by cmdlet (Exchange makes the PIN and mails it), then the Lync side. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "phases/batch.h"
#include "phases/um_mailboxes.h"

enum { SYNC_TIMEOUT = 4 * 3600, VISIBLE_TIMEOUT = 1800 };

/* A policy by name: one that is there, or one that this plan makes. */
struct policy {
    const char *name;
    const char *dn;
    const Umx__DialPlan *plan;
    const char *step; /* that makes it; NULL: it is there */
};

/* Somebody who is enabled, now or before, and what his Lync user lacks. */
struct lacking {
    const struct umx_match *match;
    const Umx__MailboxUser *mailbox; /* before that step */
    const char *step;                /* that enables him; NULL: he is */
    const char *added[2];            /* EUM values that the mailbox user gets by that step */
    const Umx__DialPlan *plan;
};

/* A row's person who will be enabled. */
struct coming {
    const struct umx_user_row *person;
    const struct policy *policy;
    const Umx__MailboxUser *mailbox; /* as it then is */
    const char *cleared;             /* the step that has taken old addresses away; NULL: none had to */
    const char *primary;             /* EUM values that he gets */
    const char *extension;
};

struct work {
    struct umx_people *people;
    struct umx_steps *out;
    const char *forest;
    const char *server;
    struct umx_um_plans plans;
    struct umx_index policies; /* by name -> struct policy */
    struct umx_index taken;    /* extension and context of rows before -> row */
    struct umx_index
        promised;            /* DN of a user of either forest -> id of the step before that promises something of him */
    struct umx_batch makes;  /* policies */
    struct umx_batch clears; /* old addresses */
    struct umx_batch batch;  /* users */
    struct lacking *lacking;
    size_t lacking_count;
};

#define REJECT(...) umx_steps_reject(work->out, "user", person->row->row, __VA_ARGS__)

/* ---- policies */

static const char *policies_container(struct work *work)
{
    const Umx__World *world = work->people->view->world;
    const Umx__Container *container = umx_find_container(world, work->forest, UMX__CONTAINER__KIND__MAILBOX_POLICIES);
    const Umx__Forest *forest = work->people->view->exchange;

    if (container != NULL && container->dn != NULL)
        return container->dn;
    for (size_t i = 0; i < world->n_mailbox_policy; i++)
        if (umx_text_equal(world->mailbox_policy[i]->forest, work->forest))
            return umx_text_dn_parent(umx_or_empty(world->mailbox_policy[i]->dn));
    return umx_steps_say(work->out, "CN=UM Mailbox Policies,%s", umx_or_empty(forest->organization_dn));
}

static const struct policy *remember(struct work *work, const char *key, struct policy policy)
{
    struct policy *kept = umx_arena_alloc(work->people->arena, sizeof *kept);

    if (kept == NULL) {
        work->out->failed = 1;
        return NULL;
    }
    *kept = policy;
    umx_index_add(&work->policies, key, kept);
    return kept;
}

static const struct policy *make_policy(struct work *work, const char *name, const Umx__DialPlan *plan)
{
    Umx__PlanStep *step = umx_batch_next(&work->makes, name);
    Umx__MailboxPolicy promise = UMX__MAILBOX_POLICY__INIT;
    const char *dn = umx_step_child_dn(work->out, name, umx_or_empty(policies_container(work)));

    promise.forest = umx_steps_copy(work->out, work->forest);
    promise.dn = umx_steps_copy(work->out, dn);
    promise.name = umx_steps_copy(work->out, name);
    promise.dial_plan_dn = plan->dn;
    umx_step_promise_known(work->out, step, NULL, &promise.base);
    umx_batch_item(&work->makes, umx_item(work->out, "name", name, "dial_plan", plan->name, NULL),
                   umx_item(work->out, "name", name, NULL),
                   umx_steps_say(work->out, "New-UMMailboxPolicy -Name %s -UMDialPlan %s",
                                 umx_shell_quote(work->out, name), umx_shell_quote(work->out, plan->name)));
    return remember(work, name,
                    (struct policy){.name = name, .dn = dn, .plan = plan, .step = step != NULL ? step->id : NULL});
}

/* The row's policy; NULL: rejected. */
static const struct policy *policy_of(struct work *work, const struct umx_user_row *person)
{
    enum { NAME_MAX_LENGTH = 64 };
    const Umx__World *world = work->people->view->world;
    const char *name = umx_or_empty(person->row->policy);
    const struct policy *known = umx_index_find(&work->policies, name);

    if (known != NULL)
        return known;
    const Umx__MailboxPolicy *there = umx_find_policy(world, work->forest, name);
    if (there != NULL) {
        const Umx__DialPlan *plan = umx_find_dial_plan(world, work->forest, there->dial_plan_dn);
        if (umx_is_sip_plan(plan) && umx_or_empty(plan->phone_context)[0] != '\0')
            return remember(work, name, (struct policy){.name = there->name, .dn = there->dn, .plan = plan});
        REJECT("policy \"%s\" is of dial plan %s, which is no SIP URI plan", name,
               plan != NULL ? umx_or_empty(plan->name) : "(none)");
        return NULL;
    }
    const Umx__DialPlan *plan = umx_um_plan_for(&work->plans, name);
    if (work->plans.count == 0)
        REJECT("%s has no SIP dial plan: phase dial-plans comes first", work->forest);
    else if (plan == NULL)
        REJECT("there is no policy \"%s\", and for which dial plan it should be is not clear: begin its name with the "
               "plan's",
               name);
    else if (strlen(name) > NAME_MAX_LENGTH || strchr(name, '=') != NULL)
        REJECT("there is no policy \"%s\", and it cannot be the name of one", name);
    else
        return make_policy(work, name, plan);
    return NULL;
}

/* ---- one row */

static const char *eum(struct work *work, const char *prefix, const char *address, const Umx__DialPlan *plan)
{
    return umx_steps_say(work->out, "%s:%s;phone-context=%s", prefix, address, plan->phone_context);
}

/* He is what the row asks for: nothing to do; or something else: rejected. */
static void enabled_already(struct work *work, const struct umx_user_row *person, const struct policy *policy)
{
    const Umx__MailboxUser *mailbox = person->mailbox;
    const char *extension = eum(work, "eum", person->row->extension, policy->plan);

    if (!umx_text_dn_equal(mailbox->um_policy_dn, policy->dn))
        REJECT("%s is enabled for UM with policy %s: disable him first", umx_mailbox_name(mailbox),
               umx_or_empty(mailbox->um_policy_dn));
    else if (!umx_proxy_has(mailbox->proxy_address, mailbox->n_proxy_address, extension))
        REJECT(
            "%s is enabled for UM with another extension than %s: change it with phase sip-addresses, or disable him "
            "first",
            umx_mailbox_name(mailbox), person->row->extension);
}

/* Why the person cannot be enabled; NULL: he can, with these EUM values. */
static const char *refusal(struct work *work, struct coming *one)
{
    const struct umx_user_row *person = one->person;
    const struct policy *policy = one->policy;
    struct umx_match *match = person->match;
    const char *why = umx_um_extension_refusal(work->out->arena, policy->plan, person->row->extension);

    if (why == NULL)
        why = umx_sip_refusal(work->people, match);
    if (why != NULL)
        return why;
    if (!umx_voice_enabled(match->voice))
        return umx_steps_say(work->out,
                             "%s is not enabled for Enterprise Voice: phase enterprise-voice, with a line in "
                             "the row, comes first",
                             umx_voice_name(match->voice));
    const char *extension = eum(work, "eum", person->row->extension, policy->plan);
    const char *primary = eum(work, "EUM", umx_sip_bare(match->voice->sip_address), policy->plan);
    const char *holder = umx_eum_holder(work->people, match, extension + 4);
    if (holder != NULL)
        return umx_steps_say(work->out, "extension %s in %s belongs to %s", person->row->extension,
                             policy->plan->phone_context, holder);
    holder = umx_eum_holder(work->people, match, primary + 4);
    if (holder != NULL)
        return umx_steps_say(work->out, "%s belongs to %s", primary, holder);
    const struct umx_user_row *before = umx_index_find(&work->taken, extension);
    if (before != NULL)
        return umx_steps_say(work->out, "extension %s is also that of %s in row %d", person->row->extension,
                             umx_mailbox_name(before->mailbox), before->row->row);
    umx_index_add(&work->taken, extension, person);
    one->primary = primary;
    one->extension = extension;
    return NULL;
}

static void depend_once(struct work *work, Umx__PlanStep *step, const char *id)
{
    if (id != NULL && (step->n_depends == 0 || strcmp(step->depends[step->n_depends - 1], id) != 0))
        umx_steps_depend(work->out, step, id); /* looks at all; mostly it is the one before */
}

/* Only one EUM address can be primary (V6.3), and one that is there does not become so by being added again: what is
 * left from another dial plan or SIP address has to go first. */
static void clear(struct work *work, struct coming *one)
{
    const Umx__MailboxUser *mailbox = one->person->mailbox;
    struct umx_eum_values values = {0};
    struct umx_eum eum;

    for (size_t i = 0; i < mailbox->n_proxy_address; i++) {
        const char *value = mailbox->proxy_address[i];
        if (umx_eum_parse(value, &eum) && eum.primary != umx_text_equal(value, one->primary))
            umx_eum_remove(&values, value);
        else
            umx_eum_keep(work->out, &values, value, false);
    }
    one->mailbox = mailbox;
    if (values.count == mailbox->n_proxy_address)
        return;
    Umx__MailboxUser *left = umx_arena_alloc(work->people->arena, sizeof *left);
    Umx__PlanStep *step = umx_eum_write(&work->clears, mailbox, &values, umx_index_find(&work->promised, mailbox->dn));
    if (left == NULL || step == NULL) {
        work->out->failed = 1;
        return;
    }
    *left = *mailbox;
    left->proxy_address = values.list;
    left->n_proxy_address = values.count;
    one->mailbox = left;
    one->cleared = step->id;
}

static void enable(struct work *work, const struct coming *one)
{
    const Umx__MailboxUser *mailbox = one->mailbox;
    const struct umx_user_row *person = one->person;
    const struct policy *policy = one->policy;
    const char *identity = umx_mailbox_identity(work->out->arena, mailbox);
    const char *sip = umx_sip_bare(person->match->voice->sip_address);
    Umx__PlanStep *step = umx_batch_next(&work->batch, umx_mailbox_name(mailbox));
    Umx__MailboxUser promise = UMX__MAILBOX_USER__INIT;
    struct lacking *lacking = &work->lacking[work->lacking_count++];

    if (step == NULL)
        return;
    *lacking = (struct lacking){.match = person->match,
                                .mailbox = mailbox,
                                .step = step->id,
                                .added = {one->primary, one->extension},
                                .plan = policy->plan};
    promise.forest = mailbox->forest;
    promise.dn = mailbox->dn;
    promise.has_um_enabled = promise.um_enabled = 1;
    promise.um_policy_dn = umx_steps_copy(work->out, policy->dn);
    promise.um_dial_plan_dn = policy->plan->dn;
    for (size_t i = 0; i < mailbox->n_proxy_address; i++)
        umx_steps_push(work->out, &promise.proxy_address, &promise.n_proxy_address, mailbox->proxy_address[i]);
    for (size_t i = 0; i < 2; i++)
        if (!umx_proxy_has(mailbox->proxy_address, mailbox->n_proxy_address, lacking->added[i]))
            umx_steps_push(work->out, &promise.proxy_address, &promise.n_proxy_address, lacking->added[i]);
    umx_step_promise_known(work->out, step, &mailbox->base, &promise.base);
    depend_once(work, step, policy->step);
    depend_once(work, step, umx_index_find(&work->promised, person->match->voice->dn));
    depend_once(work, step, umx_index_find(&work->promised, mailbox->dn));
    depend_once(work, step, one->cleared);
    umx_batch_item(&work->batch,
                   umx_item(work->out, "user", identity, "policy", policy->name, "extension", person->row->extension,
                            "sip_address", sip, NULL),
                   umx_item(work->out, "user", identity, NULL),
                   umx_steps_say(work->out,
                                 "Enable-UMMailbox -Identity %s -UMMailboxPolicy %s -Extensions %s "
                                 "-SIPResourceIdentifier %s",
                                 umx_shell_quote(work->out, identity), umx_shell_quote(work->out, policy->name),
                                 umx_shell_quote(work->out, person->row->extension), umx_shell_quote(work->out, sip)));
}

/* Policies before users, and what has to go before what comes: a step may wait only for steps before it. */
static void plan_rows(struct work *work, const struct umx_user_row *rows, size_t count)
{
    const struct policy **policies = umx_arena_alloc(work->people->arena, (count + 1) * sizeof *policies);
    struct coming *coming = umx_arena_alloc(work->people->arena, (count + 1) * sizeof *coming);
    size_t comers = 0;

    if (policies == NULL || coming == NULL) {
        work->out->failed = 1;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct umx_user_row *person = &rows[i];
        if (umx_or_empty(person->row->extension)[0] == '\0')
            REJECT("extension is missing");
        else if (umx_or_empty(person->row->policy)[0] == '\0')
            REJECT("policy is missing");
        else
            policies[i] = policy_of(work, person);
    }
    umx_batch_end(&work->makes);
    for (size_t i = 0; i < count; i++) {
        const struct umx_user_row *person = &rows[i];
        if (policies[i] == NULL)
            continue;
        if (person->mailbox->um_enabled) {
            enabled_already(work, person, policies[i]);
            continue;
        }
        struct coming one = {.person = person, .policy = policies[i]};
        const char *why = refusal(work, &one);
        if (why != NULL)
            REJECT("%s", why);
        else
            coming[comers++] = one;
    }
    for (size_t i = 0; i < comers; i++)
        clear(work, &coming[i]);
    umx_batch_end(&work->clears);
    for (size_t i = 0; i < comers; i++)
        enable(work, &coming[i]);
    umx_batch_end(&work->batch);
}

/* ---- the Lync side (X11.4) */

/* Those who were enabled before and whose Lync users lack addresses: of the rows, or all. */
static void add_older(struct work *work, const struct umx_user_row *persons, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct umx_match *match = persons[i].match;
        if (match->mailbox == NULL || umx_um_missing_there(work->people, match) == NULL)
            continue;
        work->lacking[work->lacking_count++] =
            (struct lacking){.match = match,
                             .mailbox = match->mailbox,
                             .plan = umx_find_dial_plan(work->people->view->world, match->mailbox->forest,
                                                        match->mailbox->um_dial_plan_dn)};
    }
}

/* All values that the Lync user shall have; *missing are those that it lacks. */
static void values_of(struct work *work, const struct lacking *one, Umx__VoiceUser *all, char ***missing,
                      size_t *missing_count)
{
    const Umx__VoiceUser *voice = one->match->voice;
    const Umx__MailboxUser *mailbox = one->mailbox;

    for (size_t i = 0; i < voice->n_proxy_address; i++)
        umx_steps_push(work->out, &all->proxy_address, &all->n_proxy_address, voice->proxy_address[i]);
    for (size_t i = 0; i < mailbox->n_proxy_address + 2; i++) {
        const char *value =
            i < mailbox->n_proxy_address ? mailbox->proxy_address[i] : one->added[i - mailbox->n_proxy_address];
        if (value == NULL || !umx_um_of_plan(one->plan, value) ||
            umx_proxy_has(all->proxy_address, all->n_proxy_address, value))
            continue;
        umx_steps_push(work->out, &all->proxy_address, &all->n_proxy_address, value);
        umx_steps_push(work->out, missing, missing_count, value);
    }
}

static const char *write_there(struct work *work, const struct lacking *one, char *const *missing, size_t count)
{
    const Umx__VoiceUser *voice = one->match->voice;
    Umx__PlanStep *step =
        umx_step_write(work->out, "um-mailboxes", UMX__FOREST__SIDE__LYNC, voice->forest, UMX__CHANGE__KIND__MODIFY,
                       voice->dn, voice->has_object_guid ? &voice->object_guid : NULL);

    for (size_t i = 0; i < count; i++)
        umx_step_add_value(work->out, step, "proxyAddresses", missing[i], false);
    if (step == NULL)
        return NULL;
    if (one->step != NULL)
        umx_steps_push(work->out, &step->depends, &step->n_depends, one->step);
    step->summary = umx_steps_copy(
        work->out, umx_steps_say(work->out, "add %zu EUM address%s of %s to proxyAddresses of the Lync user", count,
                                 count == 1 ? "" : "es", umx_mailbox_name(one->match->mailbox)));
    step->undo = umx_steps_copy(work->out, "takes these values away again; the others stay");
    return step->id;
}

static Umx__PlanStep *add_gate(struct work *work)
{
    const struct umx_pair *pair = work->people->view->pair;
    Umx__PlanStep *gate = umx_step_gate(
        work->out, "um-mailboxes", UMX__FOREST__SIDE__LYNC, pair->lync, pair->lync,
        umx_steps_say(work->out, "the EUM addresses have to come to the Lync users: Lync reads them in %s",
                      pair->lync));

    if (gate == NULL)
        return NULL;
    gate->summary = umx_steps_copy(
        work->out, umx_steps_say(work->out,
                                 "run the directory synchronisation of proxyAddresses from %s to %s, then "
                                 "confirm",
                                 pair->exchange, pair->lync));
    gate->undo = umx_steps_copy(work->out, "the synchronisation takes the addresses away again when they are gone from "
                                           "the mailbox users");
    umx_step_command(work->out, gate,
                     umx_steps_say(work->out,
                                   "# run the profiles of your synchronisation (FIM, MIM): import from %s, "
                                   "synchronise, export to %s; or plan with --set um-mailboxes.sync=umx",
                                   pair->exchange, pair->lync));
    return gate;
}

static void plan_lync_side(struct work *work)
{
    const struct umx_pair *pair = work->people->view->pair;
    const char *sync = umx_option(work->people->view->options, "um-mailboxes", "sync");
    bool write = sync != NULL && strcmp(sync, "umx") == 0;
    Umx__PlanStep *gate = NULL;
    struct {
        const struct lacking *who;
        Umx__VoiceUser all;
        const char *step;
    } *waits = umx_arena_alloc(work->people->arena, (work->lacking_count + 1) * sizeof *waits);
    size_t count = 0;

    if (waits == NULL) {
        work->out->failed = 1;
        return;
    }
    for (size_t i = 0; i < work->lacking_count; i++) {
        const struct lacking *one = &work->lacking[i];
        char **missing = NULL;
        size_t missing_count = 0;
        Umx__VoiceUser all = UMX__VOICE_USER__INIT;
        if (one->match->rule == UMX_MATCH_SAME)
            continue;
        all.forest = one->match->voice->forest;
        all.dn = one->match->voice->dn;
        values_of(work, one, &all, &missing, &missing_count);
        if (missing_count == 0)
            continue;
        waits[count].who = one;
        waits[count].all = all;
        if (write && umx_people_writable(work->people->view->lync, all.dn))
            waits[count].step = write_there(work, one, missing, missing_count);
        else if (gate == NULL)
            gate = add_gate(work);
        if (waits[count].step == NULL && gate != NULL)
            depend_once(work, gate, one->step);
        count++;
    }
    if (count == 0)
        return;
    Umx__PlanStep *wait = umx_step_wait(work->out, "um-mailboxes", UMX__FOREST__SIDE__LYNC, pair->lync, "visible", NULL,
                                        gate == NULL ? VISIBLE_TIMEOUT : SYNC_TIMEOUT);
    if (wait == NULL)
        return;
    wait->summary =
        umx_steps_copy(work->out, umx_steps_say(work->out, "wait until %zu Lync user%s in %s %s the EUM addresses",
                                                count, count == 1 ? "" : "s", pair->lync, count == 1 ? "has" : "have"));
    if (gate != NULL)
        umx_steps_depend(work->out, wait, gate->id);
    for (size_t i = 0; i < count; i++) {
        if (waits[i].step != NULL)
            umx_steps_push(work->out, &wait->depends, &wait->n_depends, waits[i].step);
        umx_step_promise_known(work->out, wait, &waits[i].who->match->voice->base, &waits[i].all.base);
    }
}

/* ---- everybody */

/* Steps of the phases before: forests are worked on side by side, and what comes first has to be said. */
static void index_promised(struct work *work)
{
    umx_index_begin(&work->promised, work->people->arena);
    for (size_t i = 0; i < work->out->count; i++) {
        const Umx__PlanStep *step = work->out->items[i];
        if (step->predicted == NULL)
            continue;
        for (size_t k = 0; k < step->predicted->n_voice_user; k++)
            umx_index_add(&work->promised, step->predicted->voice_user[k]->dn, step->id);
        for (size_t k = 0; k < step->predicted->n_mailbox_user; k++)
            umx_index_add(&work->promised, step->predicted->mailbox_user[k]->dn, step->id);
    }
}

static bool of_phase(const Umx__InputUser *row)
{
    return umx_or_empty(row->extension)[0] != '\0' || umx_or_empty(row->policy)[0] != '\0';
}

static struct umx_batch batch_of(struct work *work, const char *action, const char *undo_action, const char *verb,
                                 const char *undo, struct umx_text *names)
{
    return (struct umx_batch){.out = work->out,
                              .world = work->people->view->world,
                              .slug = "um-mailboxes",
                              .side = UMX__FOREST__SIDE__EXCHANGE,
                              .forest = work->forest,
                              .server = work->server,
                              .action = action,
                              .undo_action = undo_action,
                              .verb = verb,
                              .undo = undo,
                              .names = names};
}

int umx_um_mailboxes_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                          struct umx_steps *out, struct umx_error *err)
{
    const struct umx_view view = umx_view_of(world, pair, options);
    struct umx_people *people = umx_people_open(&view);
    struct umx_text names = {0}, policy_names = {0}, clear_names = {0};
    struct work work = {.people = people, .out = out, .forest = pair->exchange};
    struct umx_user_row *rows, *older;
    size_t count, older_count;

    if (people == NULL || umx_people_rows(people, out, true, of_phase, &rows, &count) != 0) {
        umx_people_close(people);
        return umx_fail(err, UMX_ERR_MEMORY, "um-mailboxes", NULL);
    }
    older = rows;
    older_count = count;
    if (!umx_rows_given(&view)) {
        older = umx_people_enabled(people, &older_count);
        umx_steps_note(out, "um-mailboxes: without rows nobody is enabled for UM: `umx plan template --phase "
                            "um-mailboxes` proposes them");
    }
    work.server = umx_shell_agent(world, pair->exchange, UMX__SERVER__PRODUCT__EXCHANGE);
    work.plans = umx_um_plans_of(people);
    umx_index_begin(&work.policies, people->arena);
    umx_index_begin(&work.taken, people->arena);
    index_promised(&work);
    work.lacking = umx_arena_alloc(people->arena, (count + older_count + 1) * sizeof *work.lacking);
    work.makes = batch_of(&work, "new-um-mailbox-policy", "remove-um-mailbox-policy", "create a UM mailbox policy",
                          "removes the policy, when no mailbox uses it", &policy_names);
    work.clears = umx_eum_batch(out, world, "um-mailboxes", pair->exchange, &clear_names);
    work.clears.verb = "take old EUM addresses away";
    work.batch = batch_of(&work, "enable-um-mailbox", "disable-um-mailbox", "enable for UM",
                          "disables these mailboxes again and keeps their properties (greetings, PIN)", &names);
    if (older != NULL && work.plans.items != NULL && work.lacking != NULL) {
        plan_rows(&work, rows, count);
        add_older(&work, older, older_count);
        plan_lync_side(&work);
    } else {
        out->failed = 1;
    }
    out->failed = out->failed || work.policies.failed || work.taken.failed || work.promised.failed;
    umx_text_free(&names);
    umx_text_free(&policy_names);
    umx_text_free(&clear_names);
    umx_people_close(people);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "um-mailboxes", NULL) : 0;
}
