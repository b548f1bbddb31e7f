/* Phase 7: what the directories show (V7.1 to V7.5). */
#include <string.h>

#include "base/text.h"
#include "phases/exchucutil.h"

/* The model, or false after marking the result as failed: only memory can be missing here. */
static bool model(const struct umx_view *view, struct umx_findings *out, struct umx_uc *uc)
{
    if (umx_uc_build(view, out->arena, uc, NULL) == 0)
        return true;
    out->failed = 1;
    return false;
}

static void say_not_applicable(const struct umx_view *view, const struct umx_phase_check *check, const char *target,
                               const char *why, struct umx_findings *out)
{
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
        .forest = view->pair->exchange,
        .target = target,
        .actual = why,
    };
    umx_findings_add(out, view, check, &answer);
}

void umx_uc_check_groups(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    for (size_t i = 0; i < UMX_UC_GROUP_COUNT; i++) {
        const Umx__AdminGroup *group = umx_find_group(view->world, view->pair->lync, umx_uc_groups[i].meaning);
        bool good = group != NULL && umx_or_empty(group->sid)[0] != '\0';
        struct umx_answer answer = {
            .status = umx_verdict(good),
            .forest = view->pair->lync,
            .target = umx_uc_groups[i].name,
            .expected = "the group is in the Lync forest",
            .actual = good ? umx_say(out, "%s, %s", umx_or_empty(group->name), group->sid) : "not found",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_uc_check_scope(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    static const Umx__Finding__Status statuses[] = {
        [UMX_UC_OUT] = UMX__FINDING__STATUS__NOT_APPLICABLE,
        [UMX_UC_IN] = UMX__FINDING__STATUS__PASS,
        [UMX_UC_UNDECIDED] = UMX__FINDING__STATUS__UNKNOWN,
    };
    struct umx_uc uc;

    if (!model(view, out, &uc))
        return;
    for (size_t i = 0; i < uc.pool_count; i++) {
        struct umx_answer answer = {
            .status = statuses[uc.pools[i].scope],
            .forest = view->pair->lync,
            .target = uc.pools[i].fqdn,
            .expected = "known whether the pool needs a gateway",
            .actual = uc.pools[i].why,
        };
        if (uc.pools[i].scope == UMX_UC_UNDECIDED)
            answer.remedy = umx_say(out,
                                    "install an agent on a Front End, look with `Get-CsPool -Identity %s`, or name the "
                                    "pool: `--set exchucutil.pools=%s`",
                                    uc.pools[i].fqdn, uc.pools[i].fqdn);
        umx_findings_add(out, view, check, &answer);
    }
    if (uc.pool_count == 0) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->lync,
            .target = view->pair->lync,
            .expected = "a Front End pool or Standard Edition server",
            .actual = "no pool with an FQDN and version 0x30000 or later",
            .remedy = "publish the topology: `Enable-CsTopology`",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- V7.1 */

static void check_access(const struct umx_view *view, const struct umx_phase_check *check,
                         const struct umx_uc_need *need, const struct umx_uc_group *kind, struct umx_findings *out)
{
    const Umx__AdminGroup *group = umx_find_group(view->world, view->pair->lync, kind->meaning);
    const Umx__Container *container = umx_find_container(view->world, view->pair->exchange, need->kind);
    struct umx_uc_access access = {.found = ""};
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__FAIL,
        .forest = view->pair->exchange,
        .target = container != NULL && container->dn != NULL ? container->dn : need->name,
    };

    if (group == NULL || umx_or_empty(group->sid)[0] == '\0') {
        answer.status = UMX__FINDING__STATUS__UNKNOWN;
        answer.expected = umx_say(out, "%s may %s", kind->name, need->words);
        answer.actual = umx_say(out, "%s was not found in %s", kind->name, view->pair->lync);
        answer.remedy = "prepare the Lync forest: `Enable-CsAdForest`";
        umx_findings_add(out, view, check, &answer);
        return;
    }
    answer.expected = umx_say(out, "%s may %s", kind->name, need->words);
    if (container == NULL) {
        answer.actual = "the container is not there";
    } else if (umx_or_empty(container->dacl_error)[0] != '\0') {
        answer.status = UMX__FINDING__STATUS__UNKNOWN;
        answer.actual = umx_say(out, "its access-control list could not be read: %s", container->dacl_error);
        answer.remedy = umx_say(out, "give the reader the right: `umx grants show %s`", view->pair->exchange);
    } else if (umx_uc_judge_access(view->world, container, need, group->sid, out->arena, &access) != 0) {
        out->failed = 1;
        return;
    } else if (access.denied != NULL) {
        answer.actual =
            umx_say(out, "denied: %s%s", umx_or_empty(umx_uc_entry_words(access.denied, out->arena)),
                    access.granted ? ", which comes before what is allowed" : "; nothing sufficient is allowed");
        answer.remedy =
            umx_text_quotable(answer.target)
                ? umx_say(out, "remove the deny entry: `dsacls \"%s\"` shows it, ADSI Edit removes it", answer.target)
                : "remove the deny entry with ADSI Edit";
    } else if (access.granted) {
        answer.status = access.wider ? UMX__FINDING__STATUS__WARN : UMX__FINDING__STATUS__PASS;
        answer.actual =
            access.wider ? umx_say(out, "%s: inherited further down than needed", access.found) : access.found;
        answer.remedy = access.wider ? "narrow the entry to this object only, when it is not needed below" : NULL;
    } else {
        answer.actual = *access.found == '\0' ? "no entry for the group"
                        : access.object_only
                            ? umx_say(out, "%s: on the container only, not inherited by what is below", access.found)
                            : umx_say(out, "%s: not sufficient", access.found);
    }
    umx_findings_add(out, view, check, &answer);
}

void umx_uc_check_access(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    for (size_t n = 0; n < UMX_UC_NEED_COUNT; n++)
        for (size_t g = 0; g < UMX_UC_GROUP_COUNT; g++)
            check_access(view, check, &umx_uc_needs[n], &umx_uc_groups[g], out);
}

void umx_uc_check_dacl(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    for (size_t n = 0; n < UMX_UC_NEED_COUNT; n++) {
        const Umx__Container *container = umx_find_container(view->world, view->pair->exchange, umx_uc_needs[n].kind);
        if (container == NULL)
            continue;
        bool unread = umx_or_empty(container->dacl_error)[0] != '\0' || !container->has_dacl_canonical;
        struct umx_answer answer = {
            .status = unread                      ? UMX__FINDING__STATUS__UNKNOWN
                      : container->dacl_canonical ? UMX__FINDING__STATUS__PASS
                                                  : UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = container->dn,
            .expected = "entries in canonical order: explicit before inherited, denies before allows",
            .actual = unread                      ? umx_say(out, "not read: %s", umx_or_empty(container->dacl_error))
                      : container->dacl_canonical ? "canonical"
                                                  : "not canonical: umx refuses to add to it",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- V7.2 */

/* A finding that says why the pool is left out; false when it is in scope. */
static bool out_of_scope(const struct umx_view *view, const struct umx_phase_check *check,
                         const struct umx_uc_pool *pool, struct umx_findings *out)
{
    if (pool->scope == UMX_UC_IN)
        return false;
    say_not_applicable(view, check, pool->fqdn, pool->why, out);
    return true;
}

void umx_uc_check_gateways(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_uc uc;

    if (!model(view, out, &uc))
        return;
    for (size_t i = 0; i < uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &uc.pools[i];
        if (out_of_scope(view, check, pool, out))
            continue;
        struct umx_answer answer = {
            .status = umx_verdict(pool->gateway != NULL && pool->second == NULL),
            .forest = view->pair->exchange,
            .target = pool->fqdn,
            .expected = "exactly one UM IP gateway with this address",
            .actual = pool->gateway == NULL  ? "none"
                      : pool->second != NULL ? umx_say(out, "several: %s and %s", pool->gateway->dn, pool->second->dn)
                                             : pool->gateway->dn,
        };
        if (pool->second != NULL)
            answer.remedy = umx_say(out, "remove one of them with its hunt groups: `Remove-UMIPGateway \"%s\"`",
                                    umx_or_empty(pool->second->name));
        umx_findings_add(out, view, check, &answer);
    }
    if (uc.pool_count == 0)
        say_not_applicable(view, check, view->pair->lync, "no pool is published", out);
}

void umx_uc_check_peers(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__World *world = view->world;
    size_t count = 0;

    for (size_t i = 0; i < world->n_ip_gateway; i++) {
        const Umx__IpGateway *gateway = world->ip_gateway[i];
        if (!umx_text_equal(gateway->forest, view->pair->exchange) || umx_or_empty(gateway->address)[0] == '\0')
            continue;
        for (size_t k = 0; k < i; k++) {
            const Umx__IpGateway *other = world->ip_gateway[k];
            if (!umx_text_equal(other->forest, gateway->forest) || !umx_text_equal(other->address, gateway->address))
                continue;
            struct umx_answer answer = {
                .status = UMX__FINDING__STATUS__FAIL,
                .forest = view->pair->exchange,
                .target = gateway->dn,
                .expected = "an address that no other gateway has (event 1175)",
                .actual = umx_say(out, "%s is the address of %s too", gateway->address, umx_or_empty(other->dn)),
                .remedy = umx_say(out, "remove one of them: `Remove-UMIPGateway \"%s\"`", umx_or_empty(gateway->name)),
            };
            umx_findings_add(out, view, check, &answer);
            count++;
            break;
        }
    }
    if (count == 0) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__PASS,
            .forest = view->pair->exchange,
            .target = view->pair->exchange,
            .expected = "no two gateways share an address",
            .actual = "none do",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- V7.3 */

void umx_uc_check_pilots(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_uc uc;

    if (!model(view, out, &uc))
        return;
    for (size_t i = 0; i < uc.plan_count; i++) {
        const Umx__DialPlan *plan = uc.plans[i];
        const char *pilot = umx_uc_pilot(out->arena, plan);
        const Umx__DialPlan *rival = NULL;
        for (size_t k = 0; pilot != NULL && k < uc.plan_count; k++)
            if (k != i && umx_text_equal(umx_uc_pilot(out->arena, uc.plans[k]), pilot))
                rival = uc.plans[k];
        bool cut = pilot != NULL && !umx_text_equal(pilot, umx_or_empty(plan->name));
        struct umx_answer answer = {
            .status = pilot == NULL || rival != NULL ? UMX__FINDING__STATUS__FAIL
                      : cut                          ? UMX__FINDING__STATUS__WARN
                                                     : UMX__FINDING__STATUS__PASS,
            .forest = view->pair->exchange,
            .target = plan->dn,
            .expected = "a pilot identifier (phone context up to its first dot) that no other SIP plan has",
            .actual = pilot == NULL   ? "the plan has no phone context"
                      : rival != NULL ? umx_say(out, "%s, as %s has", pilot, umx_or_empty(rival->name))
                      : cut           ? umx_say(out, "%s: the plan's name is %s", pilot, umx_or_empty(plan->name))
                                      : pilot,
            .remedy = pilot != NULL && rival == NULL && !cut
                          ? NULL
                          : "make a plan whose name has no dot; the phone context does not follow a rename",
        };
        umx_findings_add(out, view, check, &answer);
    }
    if (uc.plan_count == 0)
        say_not_applicable(view, check, view->pair->exchange, "no SIP URI dial plan", out);
}

/* Whether the pool's gateway has the plan's hunt group as it must be. */
static bool has_hunt_group(const struct umx_uc *uc, const struct umx_uc_pool *pool, const Umx__DialPlan *plan,
                           struct umx_findings *out)
{
    const Umx__HuntGroup *group =
        pool->gateway != NULL ? umx_uc_hunt_group(uc->view->world, pool->gateway, plan) : NULL;
    const char *pilot = umx_uc_pilot(out->arena, plan);

    return group != NULL && pilot != NULL && umx_text_equal(group->pilot_identifier, pilot);
}

/* Nobody said which mode is meant, and what is there is what mode safe-map leaves: the pool serves another plan, and
 * the plan is served by another pool. */
static bool looks_mapped(const struct umx_uc *uc, const struct umx_uc_pool *pool, const Umx__DialPlan *plan,
                         struct umx_findings *out)
{
    bool serves = false, served = false;

    if (umx_option(uc->view->options, "exchucutil", "mode") != NULL)
        return false;
    for (size_t p = 0; p < uc->plan_count; p++)
        serves = serves || (uc->plans[p] != plan && has_hunt_group(uc, pool, uc->plans[p], out));
    for (size_t i = 0; i < uc->pool_count; i++)
        served = served || (&uc->pools[i] != pool && uc->pools[i].scope == UMX_UC_IN &&
                            has_hunt_group(uc, &uc->pools[i], plan, out));
    return serves && served;
}

static void check_hunt_group(const struct umx_uc *uc, const struct umx_phase_check *check,
                             const struct umx_uc_pool *pool, const Umx__DialPlan *plan, struct umx_findings *out)
{
    const Umx__HuntGroup *group = umx_uc_hunt_group(uc->view->world, pool->gateway, plan);
    const char *pilot = umx_uc_pilot(out->arena, plan);
    bool good = has_hunt_group(uc, pool, plan, out);
    bool mapped = group == NULL && looks_mapped(uc, pool, plan, out);
    struct umx_answer answer = {
        .status = good     ? UMX__FINDING__STATUS__PASS
                  : mapped ? UMX__FINDING__STATUS__WARN
                           : UMX__FINDING__STATUS__FAIL,
        .forest = uc->view->pair->exchange,
        .target = group != NULL ? group->dn : umx_say(out, "%s below %s", umx_or_empty(plan->name), pool->gateway->dn),
        .expected = umx_say(out, "a hunt group of %s for dial plan %s with pilot identifier %s", pool->fqdn,
                            umx_or_empty(plan->name), umx_or_empty(pilot)),
        .actual = mapped          ? "none; the pool serves another plan and another pool serves this one, as mode "
                                    "safe-map leaves it"
                  : group == NULL ? "none"
                                  : umx_say(out, "pilot identifier %s", umx_or_empty(group->pilot_identifier)),
    };
    if (mapped)
        answer.remedy =
            umx_say(out,
                    "nothing when a map is meant (check with its options: `umx check --phase exchucutil "
                    "--set exchucutil.mode=safe-map --set exchucutil.hunt-map=...`); for the mesh: `umx plan "
                    "create NAME --phase exchucutil --pair %s:%s`",
                    uc->view->pair->exchange, uc->view->pair->lync);
    if (!good && group != NULL)
        answer.remedy = umx_say(out, "remove it, then run the phase: `Remove-UMHuntGroup \"%s\\%s\"`",
                                umx_or_empty(pool->gateway->name), umx_or_empty(group->name));
    umx_findings_add(out, uc->view, check, &answer);
}

void umx_uc_check_hunt_groups(const struct umx_view *view, const struct umx_phase_check *check,
                              struct umx_findings *out)
{
    struct umx_uc uc;

    if (!model(view, out, &uc))
        return;
    if (uc.plan_count == 0) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = view->pair->exchange,
            .expected = "a hunt group for each SIP URI dial plan",
            .actual = "the forest has no SIP URI dial plan: phase dial-plans comes first",
            .remedy = "`New-UMDialPlan -Name NAME -UriType SipName -VoIPSecurity Secured "
                      "-NumberOfDigitsInExtension 5 -CountryOrRegionCode CODE`",
        };
        umx_findings_add(out, view, check, &answer);
    }
    for (size_t i = 0; i < uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &uc.pools[i];
        size_t wanted = 0;
        if (out_of_scope(view, check, pool, out))
            continue;
        for (size_t p = 0; p < uc.plan_count; p++) {
            if (!umx_uc_wanted(&uc, pool, uc.plans[p]))
                continue;
            wanted++;
            if (pool->gateway != NULL)
                check_hunt_group(&uc, check, pool, uc.plans[p], out);
        }
        if (uc.plan_count == 0 || (wanted > 0 && pool->gateway != NULL))
            continue;
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = pool->fqdn,
            .expected = umx_say(out, "hunt groups for %zu dial plans", wanted > 0 ? wanted : uc.plan_count),
            .actual = wanted == 0 ? "exchucutil.hunt-map names no dial plan of this forest for the pool"
                                  : "the pool has no gateway",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- V7.4, V7.5, 2.6 */

static const char *outdial_remedy(const struct umx_uc *uc, struct umx_findings *out)
{
    const struct umx_uc_pool *best = NULL;

    for (size_t i = 0; i < uc->pool_count; i++)
        if (uc->pools[i].scope == UMX_UC_IN && !uc->pools[i].branch &&
            (best == NULL || uc->pools[i].users > best->users))
            best = &uc->pools[i];
    return umx_say(out, "`umx plan create NAME --phase exchucutil --pair %s:%s --set exchucutil.outdial=%s`",
                   uc->view->pair->exchange, uc->view->pair->lync, best != NULL ? best->fqdn : "POOL");
}

/* Names of the in-scope gateways that may dial out; plan NULL: whatever their hunt groups are. */
static const char *dialling(const struct umx_uc *uc, const Umx__DialPlan *plan, size_t *may, size_t *of,
                            struct umx_findings *out)
{
    const char *names = "";

    *may = *of = 0;
    for (size_t i = 0; i < uc->pool_count; i++) {
        const struct umx_uc_pool *pool = &uc->pools[i];
        if (pool->scope != UMX_UC_IN || pool->gateway == NULL ||
            (plan != NULL && umx_uc_hunt_group(uc->view->world, pool->gateway, plan) == NULL))
            continue;
        (*of)++;
        if (!umx_uc_outcalls(pool->gateway))
            continue;
        (*may)++;
        names = umx_say(out, "%s%s%s", names, *names != '\0' ? ", " : "", pool->fqdn);
    }
    return names;
}

static void check_outdial(const struct umx_uc *uc, const struct umx_phase_check *check, const Umx__DialPlan *plan,
                          struct umx_findings *out)
{
    size_t may;
    size_t of;
    const char *names = dialling(uc, plan, &may, &of, out);
    const char *target = plan != NULL ? plan->dn : umx_say(out, "gateways of %s", uc->view->pair->lync);

    if (of == 0) {
        say_not_applicable(uc->view, check, target, "no gateway of a Lync pool in scope serves it yet", out);
        return;
    }
    struct umx_answer answer = {
        .status = umx_verdict(may == 1),
        .forest = uc->view->pair->exchange,
        .target = target,
        .expected = umx_say(out, "exactly one of %zu gateways of %s may dial out", of, uc->view->pair->lync),
        .actual = may == 0 ? "none" : names,
        .remedy = may == 1 ? NULL : outdial_remedy(uc, out),
    };
    umx_findings_add(out, uc->view, check, &answer);
}

void umx_uc_check_outdial(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_uc uc;

    if (!model(view, out, &uc))
        return;
    for (size_t p = 0; p < uc.plan_count; p++)
        check_outdial(&uc, check, uc.plans[p], out);
    if (uc.plan_count == 0)
        check_outdial(&uc, check, NULL, out);
    for (size_t i = 0; i < uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &uc.pools[i];
        if (pool->scope != UMX_UC_IN || !pool->branch || pool->gateway == NULL)
            continue;
        bool may = umx_uc_outcalls(pool->gateway);
        struct umx_answer answer = {
            .status = may ? UMX__FINDING__STATUS__FAIL : UMX__FINDING__STATUS__PASS,
            .forest = view->pair->exchange,
            .target = pool->gateway->dn,
            .expected = umx_say(out, "no out-dialling through the branch pool %s", pool->fqdn),
            .actual = may ? "msExchUMOutcallsAllowed is TRUE" : "not allowed",
            .remedy = may ? outdial_remedy(&uc, out) : NULL,
        };
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_uc_check_state(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_uc uc;
    size_t count = 0;

    if (!model(view, out, &uc))
        return;
    for (size_t i = 0; i < uc.pool_count; i++) {
        const Umx__IpGateway *gateway = uc.pools[i].gateway;
        if (uc.pools[i].scope != UMX_UC_IN || gateway == NULL)
            continue;
        bool enabled = gateway->status == 0;
        bool port = gateway->port == 0;
        count++;
        struct umx_answer answer = {
            .status = !enabled                ? UMX__FINDING__STATUS__FAIL
                      : port                  ? UMX__FINDING__STATUS__PASS
                      : gateway->port == 5061 ? UMX__FINDING__STATUS__WARN
                                              : UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = gateway->dn,
            .expected = "enabled (status 0), port by transport (0)",
            .actual = umx_say(out, "status %d%s, port %d", gateway->status,
                              gateway->status == 1   ? " (disabled)"
                              : gateway->status == 2 ? " (no new calls)"
                                                     : "",
                              gateway->port),
            .remedy = !enabled ? umx_say(out, "`Enable-UMIPGateway \"%s\"`", umx_or_empty(gateway->name))
                      : port   ? NULL
                               : umx_say(out, "`Set-UMIPGateway \"%s\" -Port 0`", umx_or_empty(gateway->name)),
        };
        umx_findings_add(out, view, check, &answer);
    }
    if (count == 0)
        say_not_applicable(view, check, view->pair->exchange, "no gateway of a Lync pool in scope yet", out);
}

void umx_uc_check_waiting(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_uc uc;
    size_t count = 0;

    if (!model(view, out, &uc))
        return;
    for (size_t i = 0; i < uc.pool_count; i++) {
        const struct umx_uc_pool *pool = &uc.pools[i];
        if (pool->scope != UMX_UC_IN || pool->gateway == NULL)
            continue;
        bool allowed = umx_uc_waiting(pool->gateway);
        count++;
        /* The safe modes leave existing gateways alone: a failure that they cannot put right would never end. */
        struct umx_answer answer = {
            .status = allowed == pool->message_waiting ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__WARN,
            .forest = view->pair->exchange,
            .target = pool->gateway->dn,
            .expected = umx_say(out, "message waiting %s (pool version 0x%x%s)",
                                pool->message_waiting ? "allowed" : "not allowed", (unsigned)pool->pool->version,
                                pool->branch ? ", branch" : ""),
            .actual = allowed ? "allowed" : "not allowed",
            .remedy = allowed == pool->message_waiting
                          ? NULL
                          : umx_say(out, "`Set-UMIPGateway \"%s\" -MessageWaitingIndicatorAllowed $%s`",
                                    umx_or_empty(pool->gateway->name), pool->message_waiting ? "true" : "false"),
        };
        umx_findings_add(out, view, check, &answer);
    }
    if (count == 0)
        say_not_applicable(view, check, view->pair->exchange, "no gateway of a Lync pool in scope yet", out);
}
