/* Phase 10, first part: Mediation service, PSTN gateways, usages, policies, routes (spec P10A). */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "phases/batch.h"
#include "phases/enterprise_voice.h"
#include "phases/groups.h"

const struct umx_ev_words umx_ev_words[UMX_EV_KINDS] = {
    [UMX_EV_GATEWAY] = {"pstn_gateway", "PSTN gateways",
                        "define it in Topology Builder and publish, or a gate in a plan: `--set "
                        "enterprise-voice.pstn-gateway=FQDN`"},
    [UMX_EV_USAGE] = {"pstn_usage", "PSTN usages", "`Set-CsPstnUsage -Identity Global -Usage @{Add='NAME'}`"},
    [UMX_EV_POLICY] = {"voice_policy", "voice policies with a PSTN usage",
                       "`Set-CsVoicePolicy -Identity Global -PstnUsages @{Add='USAGE'}`"},
    [UMX_EV_ROUTE] = {"voice_route", "voice routes",
                      "`New-CsVoiceRoute -Identity NAME -NumberPattern '^\\+' -PstnUsages @{Add='USAGE'} "
                      "-PstnGatewayList @{Add='PstnGateway:FQDN'}`"},
};

bool umx_ev_known(const Umx__World *world, const char *forest)
{
    for (size_t i = 0; i < world->n_lync_policy; i++) {
        const Umx__LyncPolicy *policy = world->lync_policy[i];
        if (umx_text_equal(policy->forest, forest) && !umx_stale(world, policy->has_collected_at, policy->collected_at))
            return true;
    }
    return false;
}

const Umx__LyncPolicy *umx_ev_next(const Umx__World *world, const char *forest, enum umx_ev_kind kind, bool empty,
                                   size_t *at)
{
    while (*at < world->n_lync_policy) {
        const Umx__LyncPolicy *policy = world->lync_policy[(*at)++];
        if (umx_text_equal(policy->kind, umx_ev_words[kind].kind) && umx_text_equal(policy->forest, forest) &&
            (empty || policy->n_value > 0))
            return policy;
    }
    return NULL;
}

static bool any(const Umx__World *world, const char *forest, enum umx_ev_kind kind)
{
    size_t at = 0;

    return umx_ev_next(world, forest, kind, false, &at) != NULL;
}

bool umx_ev_routed(const Umx__World *world, const char *forest, const char *usage)
{
    const Umx__LyncPolicy *route;
    size_t at = 0;

    while ((route = umx_ev_next(world, forest, UMX_EV_ROUTE, false, &at)) != NULL)
        if (umx_proxy_has(route->value, route->n_value, usage))
            return true;
    return false;
}

const char *umx_ev_tag(const char *identity)
{
    return identity != NULL && strncasecmp(identity, "tag:", 4) == 0 ? identity + 4 : identity;
}

bool umx_ev_same_tag(const char *a, const char *b)
{
    return umx_text_equal(umx_or_empty(umx_ev_tag(a)), umx_or_empty(umx_ev_tag(b)));
}

const Umx__LyncPolicy *umx_ev_find(const Umx__World *world, const char *forest, const char *kind, const char *identity)
{
    for (size_t i = 0; i < world->n_lync_policy; i++) {
        const Umx__LyncPolicy *policy = world->lync_policy[i];
        if (umx_text_equal(policy->kind, kind) && umx_text_equal(policy->forest, forest) &&
            umx_ev_same_tag(policy->identity, identity))
            return policy;
    }
    return NULL;
}

static bool is_lync(const Umx__World *world, const char *server, const char *forest)
{
    for (size_t i = 0; i < world->n_server; i++)
        if (umx_text_equal(world->server[i]->server, server))
            return world->server[i]->product == UMX__SERVER__PRODUCT__LYNC &&
                   umx_text_equal(world->server[i]->forest, forest);
    return false;
}

const Umx__Service *umx_ev_mediation(const Umx__World *world, const char *forest)
{
    const Umx__Service *found = NULL;

    for (size_t i = 0; i < world->n_service; i++) {
        const Umx__Service *service = world->service[i];
        if (!umx_text_equal(service->name, "RTCMEDSRV") || !is_lync(world, service->server, forest) ||
            umx_stale(world, service->has_collected_at, service->collected_at))
            continue;
        if (service->state == UMX__SERVICE__STATE__RUNNING)
            return service;
        found = service;
    }
    return found;
}

/* ---- checks */

static void answer(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out,
                   Umx__Finding__Status status, const char *target, const char *expected, const char *actual,
                   const char *remedy)
{
    struct umx_answer one = {.status = status,
                             .forest = view->pair->lync,
                             .target = target,
                             .expected = expected,
                             .actual = actual,
                             .remedy = remedy};
    umx_findings_add(out, view, check, &one);
}

static const char install[] =
    "install an agent on a Front End (`umx token create`, then `umx-agent enroll` there), or look by hand: "
    "`Get-CsVoicePolicy`, `Get-CsVoiceRoute`, `Get-CsPstnUsage`, `Get-CsService -PstnGateway`";

static bool unknown(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out,
                    const char *expected)
{
    if (umx_ev_known(view->world, view->pair->lync))
        return false;
    answer(view, check, out, UMX__FINDING__STATUS__UNKNOWN, view->pair->lync, expected,
           umx_say(out, "no agent on a Lync server of %s reported it in the last %d hours", view->pair->lync,
                   UMX_FACT_AGE_MAX_HOURS),
           install);
    return true;
}

void umx_ev_check_mediation(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    static const char expected[] = "RTCMEDSRV runs on a Front End or on a server of its own";
    const Umx__Service *service = umx_ev_mediation(view->world, view->pair->lync);

    if (service != NULL && service->state == UMX__SERVICE__STATE__RUNNING)
        answer(view, check, out, UMX__FINDING__STATUS__PASS, service->server, expected, "it runs", NULL);
    else if (service != NULL)
        answer(view, check, out, UMX__FINDING__STATUS__FAIL, service->server, expected, "it is there and does not run",
               "`Start-CsWindowsService -Name RTCMEDSRV` there");
    else if (umx_shell_agent(view->world, view->pair->lync, UMX__SERVER__PRODUCT__LYNC) == NULL)
        answer(view, check, out, UMX__FINDING__STATUS__UNKNOWN, view->pair->lync, expected,
               umx_say(out, "no agent is connected on a Lync server of %s", view->pair->lync),
               "install an agent on the Mediation Server, or look there: `Get-CsWindowsService -Name RTCMEDSRV`");
    else
        answer(view, check, out, UMX__FINDING__STATUS__FAIL, view->pair->lync, expected,
               "no agent on a Lync server reports the service", NULL);
}

void umx_ev_check_pstn(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    for (enum umx_ev_kind kind = 0; kind < UMX_EV_KINDS; kind++) {
        const char *expected = umx_say(out, "one at least of: %s", umx_ev_words[kind].words);
        const Umx__LyncPolicy *policy;
        size_t at = 0, count = 0;
        if (kind == 0 && unknown(view, check, out, "PSTN gateways, usages, voice policies and voice routes"))
            return;
        while ((policy = umx_ev_next(view->world, view->pair->lync, kind, false, &at)) != NULL)
            count++;
        answer(view, check, out, umx_verdict(count > 0), umx_ev_words[kind].words, expected,
               count > 0 ? umx_say(out, "%zu", count) : "none", count > 0 ? NULL : umx_ev_words[kind].remedy);
    }
}

void umx_ev_check_usages(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    static const char expected[] = "a voice route for each PSTN usage of the policy";
    const Umx__LyncPolicy *policy;
    size_t at = 0, found = 0;

    if (unknown(view, check, out, expected))
        return;
    for (; (policy = umx_ev_next(view->world, view->pair->lync, UMX_EV_POLICY, true, &at)) != NULL; found++) {
        const char *lost = NULL;
        for (size_t i = 0; i < policy->n_value && lost == NULL; i++)
            if (!umx_ev_routed(view->world, view->pair->lync, policy->value[i]))
                lost = policy->value[i];
        if (policy->n_value == 0)
            answer(view, check, out, UMX__FINDING__STATUS__WARN, policy->identity, expected,
                   "it has no usage: who has this policy cannot call the telephone network",
                   umx_ev_words[UMX_EV_POLICY].remedy);
        else
            answer(view, check, out, umx_verdict(lost == NULL), policy->identity, expected,
                   lost == NULL ? "all have one" : umx_say(out, "none for usage \"%s\"", lost), NULL);
    }
    if (found == 0)
        answer(view, check, out, UMX__FINDING__STATUS__NOT_APPLICABLE, view->pair->lync, expected,
               "there is no voice policy", NULL);
}

void umx_ev_check_media(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    static const char expected[] = "the encryption level is known (dial-plan-security compares it)";

    for (size_t i = 0; i < view->world->n_lync_policy; i++) {
        const Umx__LyncPolicy *policy = view->world->lync_policy[i];
        if (!umx_text_equal(policy->forest, view->pair->lync) || !umx_text_equal(policy->kind, "media") ||
            policy->n_value == 0 || umx_stale(view->world, policy->has_collected_at, policy->collected_at))
            continue;
        answer(view, check, out, UMX__FINDING__STATUS__PASS, umx_or_empty(policy->identity), expected, policy->value[0],
               NULL);
        return;
    }
    answer(view, check, out, UMX__FINDING__STATUS__UNKNOWN, view->pair->lync, expected,
           umx_say(out, "no agent on a Lync server of %s reported it in the last %d hours", view->pair->lync,
                   UMX_FACT_AGE_MAX_HOURS),
           "install an agent on a Front End, or look by hand: `Get-CsMediaConfiguration`");
}

static bool dial_plan_exists(const Umx__World *world, const char *forest, const char *name, bool *known)
{
    *known = false;
    for (size_t i = 0; i < world->n_lync_dial_plan; i++) {
        if (!umx_text_equal(world->lync_dial_plan[i]->forest, forest))
            continue;
        *known = true;
        if (umx_ev_same_tag(world->lync_dial_plan[i]->identity, name))
            return true;
    }
    return false;
}

void umx_ev_check_granted(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const char *forest = view->pair->lync;
    bool policies = umx_ev_known(view->world, forest), plans;
    struct umx_tally tally = {.view = view,
                              .check = check,
                              .out = out,
                              .forest = forest,
                              .expected = "the voice policy and dial plan that the user has exist"};
    size_t users = 0;

    for (size_t i = 0; i < view->world->n_lync_user; i++) {
        const Umx__LyncUser *user = view->world->lync_user[i];
        if (!umx_text_equal(user->forest, forest) || umx_stale(view->world, user->has_collected_at, user->collected_at))
            continue;
        users++;
        const char *policy = umx_or_empty(user->voice_policy), *plan = umx_or_empty(user->dial_plan);
        bool there = dial_plan_exists(view->world, forest, plan, &plans);
        if (*policy != '\0' && policies && umx_ev_find(view->world, forest, "voice_policy", policy) == NULL)
            umx_tally_bad(&tally, UMX__FINDING__STATUS__FAIL, user->sip_address,
                          umx_say(out, "voice policy \"%s\" does not exist: the user cannot call", policy), NULL);
        else if (*plan != '\0' && plans && !there)
            umx_tally_bad(&tally, UMX__FINDING__STATUS__FAIL, user->sip_address,
                          umx_say(out, "dial plan \"%s\" does not exist", plan), NULL);
        else
            umx_tally_good(&tally);
    }
    if (users == 0)
        answer(view, check, out, UMX__FINDING__STATUS__UNKNOWN, forest, tally.expected,
               umx_say(out, "no agent on a Lync server of %s reported users in the last %d hours", forest,
                       UMX_FACT_AGE_MAX_HOURS),
               "install an agent on a Front End, or look by hand: `Get-CsUser | select SipAddress, VoicePolicy, "
               "DialPlan`");
    else
        umx_tally_end(&tally, "");
}

/* ---- gates */

struct gates {
    const struct umx_view *view;
    struct umx_steps *out;
    const char *groups;
    const char **ids;
    size_t count;
};

enum { GATES_MAX = 8 };

static Umx__PlanStep *gate(struct gates *gates, const char *target, const char *reason, const char *summary)
{
    Umx__PlanStep *step =
        umx_step_gate(gates->out, "enterprise-voice", UMX__FOREST__SIDE__LYNC, gates->view->pair->lync, target, reason);

    if (step == NULL || gates->count == GATES_MAX)
        return NULL;
    step->groups = umx_steps_copy(gates->out, gates->groups);
    step->summary = umx_steps_copy(gates->out, summary);
    step->undo = umx_steps_copy(gates->out, "by hand, with the matching Remove-Cs... or Set-Cs... -...@{Remove=...}");
    for (size_t i = 0; i < gates->count; i++)
        umx_steps_depend(gates->out, step, gates->ids[i]);
    gates->ids[gates->count++] = step->id;
    return step;
}

/* The record of the identity will have these values besides those that it has. */
static void promise(struct gates *gates, Umx__PlanStep *step, enum umx_ev_kind kind, const char *identity,
                    const char *const *values)
{
    const Umx__LyncPolicy *now =
        umx_ev_find(gates->view->world, gates->view->pair->lync, umx_ev_words[kind].kind, identity);
    Umx__LyncPolicy record = UMX__LYNC_POLICY__INIT;

    record.forest = umx_steps_copy(gates->out, gates->view->pair->lync);
    record.kind = umx_steps_copy(gates->out, umx_ev_words[kind].kind);
    record.identity = now != NULL ? now->identity : umx_steps_copy(gates->out, identity);
    for (size_t i = 0; now != NULL && i < now->n_value; i++)
        umx_steps_push(gates->out, &record.value, &record.n_value, now->value[i]);
    for (size_t i = 0; values[i] != NULL; i++)
        if (!umx_proxy_has(record.value, record.n_value, values[i]))
            umx_steps_push(gates->out, &record.value, &record.n_value, values[i]);
    umx_step_promise_known(gates->out, step, now != NULL ? &now->base : NULL, &record.base);
}

static const char *in_add(struct umx_steps *out, const char *value)
{
    return umx_steps_say(out, "@{Add=%s}", umx_shell_quote(out, value));
}

static void plan_mediation(struct gates *gates)
{
    const Umx__World *world = gates->view->world;
    const char *forest = gates->view->pair->lync;
    const Umx__Service *service = umx_ev_mediation(world, forest);
    const char *named = umx_option(gates->view->options, "enterprise-voice", "mediation");
    const char *server = named != NULL ? named : umx_shell_agent(world, forest, UMX__SERVER__PRODUCT__LYNC);

    if (service != NULL && service->state == UMX__SERVICE__STATE__RUNNING)
        return;
    if (service == NULL && server == NULL) {
        umx_steps_note(gates->out,
                       "enterprise-voice: whether a Mediation Server runs in %s is not known: no agent is "
                       "connected there",
                       forest);
        return;
    }
    if (service != NULL && named == NULL)
        server = service->server;
    if (!is_lync(world, server, forest)) {
        umx_steps_note(
            gates->out,
            "enterprise-voice: no agent tells of %s, so nothing could show that RTCMEDSRV runs there: install "
            "one, or see to it by hand",
            server);
        return;
    }
    Umx__PlanStep *step = gate(
        gates, server, "calls to the telephone network go through the Mediation Server",
        umx_steps_say(gates->out, "%s RTCMEDSRV on %s, then confirm", service != NULL ? "start" : "install", server));
    if (service == NULL) {
        umx_step_command(gates->out, step,
                         umx_steps_say(gates->out,
                                       "# Topology Builder: add the Mediation Server to "
                                       "the pool of %s, publish the topology",
                                       server));
        umx_step_command(gates->out, step,
                         "& \"$env:ProgramFiles\\Microsoft Lync Server 2013\\Deployment\\"
                         "Bootstrapper.exe\"");
    }
    umx_step_command(gates->out, step, "Start-CsWindowsService -Name RTCMEDSRV");
    Umx__Service running = UMX__SERVICE__INIT;
    running.server = umx_steps_copy(gates->out, server);
    running.name = umx_steps_copy(gates->out, "RTCMEDSRV");
    running.has_state = 1;
    running.state = UMX__SERVICE__STATE__RUNNING;
    umx_step_promise(gates->out, step, world, &running.base);
}

/* The PSTN gateway that routes lead to: one that is there, else the one that the option names; NULL: none. */
static const char *plan_gateway(struct gates *gates)
{
    const char *named = umx_option(gates->view->options, "enterprise-voice", "pstn-gateway");
    size_t at = 0;
    const Umx__LyncPolicy *there = umx_ev_next(gates->view->world, gates->view->pair->lync, UMX_EV_GATEWAY, false, &at);

    if (there != NULL)
        return there->value[0];
    if (named == NULL) {
        umx_steps_note(gates->out,
                       "enterprise-voice: %s has no PSTN gateway; `--set "
                       "enterprise-voice.pstn-gateway=FQDN` makes a gate for it and for its routes",
                       gates->view->pair->lync);
        return NULL;
    }
    Umx__PlanStep *step =
        gate(gates, named, "the topology has no PSTN gateway",
             umx_steps_say(gates->out, "define the PSTN gateway %s in Topology Builder, then confirm", named));
    umx_step_command(gates->out, step,
                     umx_steps_say(gates->out,
                                   "# Topology Builder: PSTN gateways, New IP/PSTN Gateway: %s, with a "
                                   "trunk to the Mediation Server; publish the topology",
                                   named));
    umx_step_command(gates->out, step, "Enable-CsTopology");
    promise(gates, step, UMX_EV_GATEWAY, umx_steps_say(gates->out, "PstnGateway:%s", named),
            (const char *const[]){named, NULL});
    return named;
}

/* The usage that a forest without any gets. */
static const char *plan_usage(struct gates *gates)
{
    const char *named = umx_option(gates->view->options, "enterprise-voice", "usage");
    size_t at = 0;
    const Umx__LyncPolicy *there = umx_ev_next(gates->view->world, gates->view->pair->lync, UMX_EV_USAGE, false, &at);

    if (there != NULL)
        return named != NULL && umx_proxy_has(there->value, there->n_value, named) ? named : there->value[0];
    named = named != NULL ? named : "Long Distance";
    Umx__PlanStep *step = gate(gates, gates->view->pair->lync, "there is no PSTN usage",
                               umx_steps_say(gates->out, "make the PSTN usage %s, then confirm", named));
    umx_step_command(
        gates->out, step,
        umx_steps_say(gates->out, "Set-CsPstnUsage -Identity Global -Usage %s", in_add(gates->out, named)));
    promise(gates, step, UMX_EV_USAGE, "Global", (const char *const[]){named, NULL});
    return named;
}

static void plan_policy(struct gates *gates, const char *usage)
{
    if (any(gates->view->world, gates->view->pair->lync, UMX_EV_POLICY))
        return;
    Umx__PlanStep *step = gate(gates, gates->view->pair->lync, "no voice policy has a PSTN usage: nobody can call out",
                               umx_steps_say(gates->out, "give the global voice policy usage %s, then confirm", usage));
    umx_step_command(
        gates->out, step,
        umx_steps_say(gates->out, "Set-CsVoicePolicy -Identity Global -PstnUsages %s", in_add(gates->out, usage)));
    promise(gates, step, UMX_EV_POLICY, "Global", (const char *const[]){usage, NULL});
}

/* One route for a usage that has none, named as it; the gate is made when the first is needed. */
static void plan_route(struct gates *gates, Umx__PlanStep **step, const char *usage, const char *gateway)
{
    const Umx__World *world = gates->view->world;
    const char *forest = gates->view->pair->lync;
    const char *quoted = umx_shell_quote(gates->out, usage);

    if (umx_ev_routed(world, forest, usage))
        return;
    for (size_t i = 0; *step != NULL && (*step)->predicted != NULL && i < (*step)->predicted->n_lync_policy; i++)
        if (umx_text_equal((*step)->predicted->lync_policy[i]->identity, usage))
            return;
    if (*step == NULL)
        *step = gate(gates, forest, "usages of voice policies have no route",
                     "make voice routes for usages that have none, then confirm");
    bool there = umx_ev_find(world, forest, umx_ev_words[UMX_EV_ROUTE].kind, usage) != NULL;
    umx_step_command(gates->out, *step,
                     there
                         ? umx_steps_say(gates->out, "Set-CsVoiceRoute -Identity %s -PstnUsages %s -PstnGatewayList %s",
                                         quoted, in_add(gates->out, usage),
                                         in_add(gates->out, umx_steps_say(gates->out, "PstnGateway:%s", gateway)))
                         : umx_steps_say(gates->out,
                                         "New-CsVoiceRoute -Identity %s -NumberPattern '^\\+' -PstnUsages %s "
                                         "-PstnGatewayList %s",
                                         quoted, in_add(gates->out, usage),
                                         in_add(gates->out, umx_steps_say(gates->out, "PstnGateway:%s", gateway))));
    promise(gates, *step, UMX_EV_ROUTE, usage, (const char *const[]){usage, NULL});
}

static void plan_routes(struct gates *gates, const char *usage, const char *gateway)
{
    bool policies = any(gates->view->world, gates->view->pair->lync, UMX_EV_POLICY);
    const Umx__LyncPolicy *policy;
    Umx__PlanStep *step = NULL;
    size_t at = 0;

    if (!policies || !any(gates->view->world, gates->view->pair->lync, UMX_EV_ROUTE))
        plan_route(gates, &step, usage, gateway);
    while ((policy = umx_ev_next(gates->view->world, gates->view->pair->lync, UMX_EV_POLICY, false, &at)) != NULL)
        for (size_t i = 0; i < policy->n_value; i++)
            plan_route(gates, &step, policy->value[i], gateway);
}

const char **umx_ev_plan_servers(const struct umx_view *view, struct umx_steps *out, size_t *count)
{
    static const char *const condition[] = {"server_steps"};
    struct gates gates = {.view = view, .out = out};

    *count = 0;
    gates.groups = umx_groups_resolve(umx_phase("enterprise-voice")->groups_lync, condition, 1, out->arena);
    gates.ids = umx_arena_alloc(out->arena, GATES_MAX * sizeof *gates.ids);
    if (gates.groups == NULL || gates.ids == NULL) {
        out->failed = 1;
        return NULL;
    }
    plan_mediation(&gates);
    if (umx_ev_known(view->world, view->pair->lync)) {
        const char *usage = plan_usage(&gates);
        plan_policy(&gates, usage);
        const char *gateway = plan_gateway(&gates);
        if (gateway != NULL)
            plan_routes(&gates, usage, gateway);
    } else {
        umx_steps_note(out,
                       "enterprise-voice: PSTN usages, voice policies and routes of %s are not known: no agent on "
                       "a Lync server reports them",
                       view->pair->lync);
    }
    *count = gates.count;
    return gates.ids;
}
