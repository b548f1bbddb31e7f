/* Phase 1: Exchange roles and the trust between the forests. It writes nothing: its plan is a list of operator gates.
 */
#include "phases/forests.h"

#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/groups.h"

static int valid_trust(const char *value, struct umx_error *err)
{
    if (strcmp(value, "table") == 0 || strcmp(value, "strict") == 0)
        return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, "forests.trust", "\"%s\" is neither table nor strict", value);
}

const struct umx_phase_option umx_forests_options[] = {
    {"trust", "table | strict",
     "strict: trust in one direction only is a failure (guideline GL5), not a warning (deployment table)", valid_trust},
    {NULL, NULL, NULL, NULL},
};

#define TRUST_TABLES "trust"

const struct umx_phase_check umx_forests_checks[] = {
    {"forests/organization", "V1A.1", "Is there exactly one Exchange organisation?",
     "install Exchange, or remove what a failed setup left below CN=Microsoft Exchange,CN=Services", UMX_NEEDS_EXCHANGE,
     "", true, umx_forests_organization},
    {"forests/servers", "V1A.2", "Are there Exchange servers in the organisation?",
     "install Exchange: `Setup.exe /mode:Install /roles:Mailbox,ClientAccess`", UMX_NEEDS_EXCHANGE, "exchange_server",
     true, umx_forests_servers},
    {"forests/version", "V1A.3", "Is the server of a version that has Unified Messaging and is supported?",
     "update or replace the server", UMX_NEEDS_EXCHANGE, "exchange_server", false, umx_forests_version},
    {"forests/roles", "V1A.4", "Are all roles that Unified Messaging needs installed in the forest?",
     "install the missing roles with Exchange setup", UMX_NEEDS_EXCHANGE, "exchange_server", true, umx_forests_roles},
    {"forests/mailbox-role", "GL3", "Does the forest have an Exchange Mailbox server of its own?",
     "install the Mailbox role: `Setup.exe /mode:Install /roles:Mailbox`", UMX_NEEDS_EXCHANGE, "exchange_server", false,
     umx_forests_mailbox_role},
    {"forests/transport-site", "V1A.5", "Is there a Hub Transport server in each 2007 or 2010 UM server's site?",
     "install Hub Transport in the site: `setup.com /mode:Install /roles:HubTransport`", UMX_NEEDS_EXCHANGE,
     "exchange_server", false, umx_forests_transport_site},
    {"forests/setup", "V1A.6", "Does the setup registry of the server say that its roles are completely installed?",
     "run Exchange setup again on the server: `Setup.exe /mode:Install`", UMX_NEEDS_EXCHANGE, "exchange_server", false,
     umx_forests_setup},
    {"forests/services", "V1A.6", "Are the services of the server's roles installed and not disabled?",
     "`Get-Service MSExchange*` on the server, then `Set-Service NAME -StartupType Automatic`, or repair the role",
     UMX_NEEDS_EXCHANGE, "exchange_server", false, umx_forests_services},
    {"forests/setup-pending", "V1A.7", "Is no setup of a role left half done on the server?",
     "finish the setup: run `Setup.exe /mode:Install` again, then see that Action and Watermark are gone",
     UMX_NEEDS_EXCHANGE, "exchange_server", false, umx_forests_setup_pending},
    {"forests/lync-users", "V1A.8", "Are users enabled for Lync?",
     "enable users: `Enable-CsUser -Identity USER -RegistrarPool POOL -SipAddressType EmailAddress`", UMX_NEEDS_LYNC,
     "voice_user", false, umx_forests_lync_users},
    {"forests/mediation", "V1A.8", "Does a Mediation service run?",
     "start it: `Start-CsWindowsService RTCMEDSRV`, or add the role in Topology Builder", UMX_NEEDS_LYNC, "", false,
     umx_forests_mediation},
    {"forests/pools", "GL1", "Is a Front End pool or Standard Edition server published?",
     "publish the topology: `Enable-CsTopology`", UMX_NEEDS_LYNC, "lync_pool", true, umx_forests_pools},
    {"forests/exchange-names", "5.1", "Is no domain of the Exchange forest single-label?",
     "nothing repairs this: Lync does not support the forest", UMX_NEEDS_EXCHANGE, "domain", false,
     umx_forests_exchange_names},
    {"forests/lync-names", "5.1", "Is no domain of the Lync forest single-label?",
     "nothing repairs this: Lync does not support the forest", UMX_NEEDS_LYNC, "domain", false, umx_forests_lync_names},
    {"forests/separate", "V1B.1", "Are Exchange and Lync in two forests, so that a trust is needed?", "",
     UMX_NEEDS_BOTH, "", false, umx_forests_separate},
    {"forests/trust-direction", "V1B.2", "Does the Exchange forest trust the Lync forest?",
     "`netdom trust EXCHANGE /domain:LYNC /add /twoway /foresttransitive:yes`", UMX_NEEDS_BOTH, TRUST_TABLES, true,
     umx_forests_direction},
    {"forests/trust-inbound", "V1B.3", "Does the Lync forest have its half of that trust?",
     "`netdom trust EXCHANGE /domain:LYNC /add /twoway /foresttransitive:yes`", UMX_NEEDS_BOTH, TRUST_TABLES, true,
     umx_forests_inbound},
    {"forests/trust-agreement", "V1B.3", "Do both forests describe the same trust?",
     "remove the trust on both sides and make it again (`netdom trust ... /remove /force`, `/add`)", UMX_NEEDS_BOTH,
     TRUST_TABLES, false, umx_forests_agreement},
    {"forests/trust-both-ways", "V1B.4", "Do the forests trust each other in both directions (GL5)?",
     "`netdom trust EXCHANGE /domain:LYNC /add /twoway /foresttransitive:yes`", UMX_NEEDS_BOTH, TRUST_TABLES, false,
     umx_forests_both_ways},
    {"forests/trust-kind", "V1B.5", "Is it a forest trust between Active Directory forests?",
     "remove the trust and make a forest trust: `netdom trust ... /foresttransitive:yes`", UMX_NEEDS_BOTH, TRUST_TABLES,
     false, umx_forests_kind},
    {"forests/trust-quarantine", "V1B.6", "Is the trust free of quarantine?", "`netdom trust ... /quarantine:No`",
     UMX_NEEDS_BOTH, TRUST_TABLES, false, umx_forests_quarantine},
    {"forests/trust-selective", "V1B.7", "May the partner's Lync accounts authenticate?",
     "grant Allowed to Authenticate with dsacls, or `netdom trust ... /SelectiveAUTH:No`", UMX_NEEDS_BOTH, TRUST_TABLES,
     false, umx_forests_selective},
    {"forests/trust-sid", "V1B.8", "Does the trust name the SID that the other forest has?",
     "remove the trust on both sides and make it again", UMX_NEEDS_BOTH, TRUST_TABLES, false, umx_forests_sid},
    {"forests/trust-suffixes", "V1B.9", "Are the partner's names routed: present, not disabled, not in conflict?",
     "`netdom trust ... /namesuffixes` and `/togglesuffix`", UMX_NEEDS_BOTH, TRUST_TABLES, false, umx_forests_suffixes},
    {"forests/dns", "V1B.10", "Do the names of each forest resolve from the other?",
     "make a conditional forwarder: `dnscmd /ZoneAdd FOREST /DsForwarder ADDRESS`", UMX_NEEDS_BOTH, "", false,
     umx_forests_dns},
    {"forests/trust-live", "V1B.11", "Does the trust work: a ticket over it, and a sign-in with that ticket?",
     "`netdom trust ... /reset`, then `nltest /sc_verify:FOREST`", UMX_NEEDS_BOTH, TRUST_TABLES, true,
     umx_forests_live},
    {"forests/sid-lookup", "V1B.11", "Does an Exchange server resolve the SID of a Lync group over the trust?",
     "see that the Exchange server reaches a domain controller of the Lync forest", UMX_NEEDS_BOTH, "", false,
     umx_forests_lookup},
    {"forests/clock", "V1B.12", "Are the clocks of the domain controllers at most 5 minutes apart?",
     "`w32tm /resync /rediscover` on the one that is off", UMX_NEEDS_BOTH, UMX_CLOCK, false, umx_forests_clock},
    {.id = NULL},
};

int umx_forests_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                      struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("forests"), world, pair, options, out, err);
}

/* Checks whose failure a person can put right, with the groups that it takes. Those of a trust need both roots. */
static const struct {
    const char *prefix;
    const char *groups;
} gates[] = {
    {"forests/organization", UMX_GROUPS_FORESTS},
    {"forests/servers", UMX_GROUPS_FORESTS},
    {"forests/roles", UMX_GROUPS_FORESTS},
    {"forests/mailbox-role", UMX_GROUPS_FORESTS},
    {"forests/transport-site", UMX_GROUPS_FORESTS},
    {"forests/trust-", UMX_GROUPS_TRUST},
    {"forests/clock", UMX_GROUPS_TRUST},
};

static const char *gate_groups(const char *id)
{
    for (size_t i = 0; i < sizeof gates / sizeof gates[0]; i++)
        if (strncmp(id, gates[i].prefix, strlen(gates[i].prefix)) == 0)
            return gates[i].groups;
    return NULL;
}

/* The commands of a remedy stand between back-quotes. */
static void add_commands(struct umx_steps *out, Umx__PlanStep *step, const char *remedy)
{
    Umx__GateChange *gate = step->change->gate;

    for (const char *p = strchr(remedy, '`'); p != NULL; p = strchr(p + 1, '`')) {
        size_t length = strcspn(p + 1, "`");
        char *command = umx_arena_copy(out->arena, p + 1, length);
        if (command == NULL) {
            out->failed = 1;
            return;
        }
        umx_steps_push(out, &gate->command, &gate->n_command, command);
        p += 1 + length;
        if (*p == '\0')
            return;
    }
}

static Umx__PlanStep *find_gate(struct umx_steps *out, size_t first, const char *reason)
{
    for (size_t i = first; i < out->count; i++)
        if (out->items[i]->change->gate != NULL &&
            strcmp(umx_or_empty(out->items[i]->change->gate->reason), reason) == 0)
            return out->items[i];
    return NULL;
}

static Umx__PlanStep *new_gate(struct umx_steps *out, const struct umx_view *view, const char *forest,
                               const char *target, const char *groups, const char *reason)
{
    bool lync = umx_text_equal(forest, view->pair->lync) && !view->same;
    Umx__PlanStep *step = umx_steps_add(out, "forests", lync ? UMX__FOREST__SIDE__LYNC : UMX__FOREST__SIDE__EXCHANGE,
                                        forest, UMX__CHANGE__KIND__GATE);
    Umx__GateChange *gate = umx_reflect_new(&umx__gate_change__descriptor, out->arena);
    const char *conditions[2];

    if (step == NULL || gate == NULL) {
        out->failed = 1;
        return NULL;
    }
    step->change->gate = gate;
    gate->reason = umx_steps_copy(out, reason);
    add_commands(out, step, reason);
    step->target = umx_steps_copy(out, target);
    step->groups =
        umx_groups_resolve(groups, conditions, umx_forest_conditions(view->world, forest, conditions), out->arena);
    step->undo = umx_steps_copy(out, "not undone: what an administrator did by hand stays");
    step->has_irreversible = 1;
    step->irreversible = 1;
    if (step->groups == NULL)
        out->failed = 1;
    return step;
}

static void add_check(struct umx_steps *out, Umx__PlanStep *step, const char *id)
{
    Umx__GateChange *gate = step->change->gate;

    for (size_t i = 0; i < gate->n_check; i++)
        if (strcmp(gate->check[i], id) == 0)
            return;
    umx_steps_push(out, &gate->check, &gate->n_check, id);
    umx_steps_attribute(out, &step->before->attribute, &step->before->n_attribute, id, "fail");
    umx_steps_attribute(out, &step->after->attribute, &step->after->n_attribute, id, "pass");
}

/* The direction as the gates so far leave it: one that makes the trust again may come before one about its names. */
static int32_t direction_of(const struct umx_steps *out, const Umx__Forest *of, const Umx__Trust *now)
{
    for (size_t i = out->count; i-- > 0;) {
        const Umx__World *promised = out->items[i]->predicted;
        for (size_t k = 0; promised != NULL && k < promised->n_trust; k++)
            if (umx_text_equal(promised->trust[k]->forest, of->forest) &&
                umx_text_equal(promised->trust[k]->partner, now->partner))
                return promised->trust[k]->direction;
    }
    return now->direction;
}

/* What both halves will look like when somebody has run the commands: later phases are planned on it, and the gate is
 * verified by it. That the trust works is a check of the gate. */
static void promise_half(struct umx_steps *out, const struct umx_view *view, Umx__PlanStep *step, const Umx__Forest *of,
                         const Umx__Forest *partner, const char *remedy)
{
    const Umx__Trust *now = umx_forests_trust(view->world, of, partner);
    bool made = strstr(remedy, " /add ") != NULL;
    bool filtered = now != NULL && (now->attributes & UMX_TRUST_QUARANTINED) != 0 &&
                    strstr(remedy, "/quarantine:No") != NULL && umx_text_equal(step->forest, of->forest);
    bool routed = now != NULL && strstr(remedy, "/namesuffixes") != NULL && umx_text_equal(step->forest, of->forest);
    Umx__Trust trust = UMX__TRUST__INIT;
    char *suffix[] = {partner->forest};

    if (now == NULL && !made)
        return;
    trust.forest = of->forest;
    trust.partner = now != NULL ? now->partner : partner->forest;
    trust.has_direction = 1;
    trust.direction = made ? UMX_TRUST_BOTH : direction_of(out, of, now);
    if (made) {
        trust.dn =
            umx_steps_copy(out, umx_steps_say(out, "CN=%s,CN=System,%s", partner->forest, umx_or_empty(of->root_dn)));
        trust.partner_sid = partner->root_sid;
        trust.has_type = trust.has_attributes = 1;
        trust.type = UMX_TRUST_TYPE_AD;
        trust.attributes = UMX_TRUST_FOREST;
    }
    if (filtered) {
        trust.has_attributes = 1;
        trust.attributes = now->attributes & ~UMX_TRUST_QUARANTINED;
    }
    if (made || routed) {
        trust.suffix_enabled = suffix;
        trust.n_suffix_enabled = 1;
    }
    umx_step_promise(out, step, view->world, &trust.base);
}

/* A trust has a half in each forest: the other forest's administrators take part in making one and look at the result.
 */
static void add_other_half(struct umx_steps *out, const struct umx_view *view, const Umx__PlanStep *made)
{
    bool lync = umx_text_equal(made->forest, view->pair->lync);
    const Umx__Forest *here = lync ? view->exchange : view->lync;
    const Umx__Forest *there = lync ? view->lync : view->exchange;
    const char *reason = umx_steps_say(out, "look at the trust from this side: `netdom trust %s /domain:%s /verify`",
                                       here->forest, there->forest);
    Umx__PlanStep *step = new_gate(out, view, here->forest,
                                   umx_steps_say(out, "CN=%s,CN=System,%s", there->forest, umx_or_empty(here->root_dn)),
                                   UMX_GROUPS_TRUST, reason);

    if (step == NULL)
        return;
    step->summary =
        umx_steps_copy(out, umx_steps_say(out, "an administrator of %s agrees to the trust with %s and verifies it",
                                          here->forest, there->forest));
    umx_steps_depend(out, step, made->id);
    promise_half(out, view, step, view->exchange, view->lync, made->change->gate->reason);
    promise_half(out, view, step, view->lync, view->exchange, made->change->gate->reason);
    add_check(out, step, "forests/trust-live");
}

/* Several checks fail for one reason: what they tell a person to do decides which gate they belong to. */
static void add_gate(struct umx_steps *out, size_t first, const struct umx_view *view, const Umx__Finding *finding)
{
    const char *remedy = umx_or_empty(finding->remedy);
    Umx__PlanStep *step = find_gate(out, first, remedy);

    if (step == NULL) {
        step = new_gate(out, view, finding->forest, finding->target, gate_groups(finding->id), remedy);
        if (step == NULL)
            return;
        step->summary =
            umx_steps_copy(out, umx_steps_say(out, "an administrator puts right: %s (now: %s)",
                                              umx_or_empty(finding->expected), umx_or_empty(finding->actual)));
        if (strncmp(finding->id, "forests/trust-", strlen("forests/trust-")) == 0) {
            promise_half(out, view, step, view->exchange, view->lync, remedy);
            promise_half(out, view, step, view->lync, view->exchange, remedy);
        }
        if (strstr(remedy, " /add ") != NULL || strstr(remedy, " /reset ") != NULL)
            add_other_half(out, view, step);
    }
    add_check(out, step, finding->id);
}

int umx_forests_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                     struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct umx_findings findings = {.arena = out->arena};
    size_t first = out->count;
    int rc = umx_forests_check(world, pair, options, &findings, err);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < findings.count; i++) {
        const Umx__Finding *finding = findings.items[i];
        if (finding->status != UMX__FINDING__STATUS__FAIL)
            continue;
        if (gate_groups(finding->id) != NULL)
            add_gate(out, first, &view, finding);
        else
            umx_steps_note(out, "%s fails for %s and is left to its administrators: %s", finding->id,
                           umx_or_empty(finding->target), umx_or_empty(finding->remedy));
    }
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "forests", NULL) : 0;
}
