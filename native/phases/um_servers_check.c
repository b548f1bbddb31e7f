/* Phase 5: servers in the SIP dial plans (V5.1 to V5.9, GL10 to GL13). */
#include <string.h>

#include "base/text.h"
#include "phases/certificates.h"
#include "phases/um_servers.h"

/* ---- what belongs where */

bool umx_us_legacy(const struct umx_um_end *end)
{
    return end->server->version_major < 15;
}

bool umx_us_enabled(const struct umx_um_end *end)
{
    return !umx_us_legacy(end) || end->server->um_status == UMX_UM_ENABLED;
}

static bool open_plan(const Umx__DialPlan *plan)
{
    return !plan->has_voip_security || plan->voip_security == UMX__DIAL_PLAN__VOIP_SECURITY__UNSECURED;
}

/* Exchange 2007 takes its mode from the plan: secured and unsecured ones on one server do not work (F4.2). */
static bool mixes(const struct umx_view *view, const struct umx_um_end *end, const Umx__DialPlan *plan)
{
    for (size_t i = 0; i < view->world->n_dial_plan; i++) {
        const Umx__DialPlan *other = view->world->dial_plan[i];
        if (umx_text_equal(other->forest, plan->forest) && umx_um_linked(end, other) &&
            open_plan(other) != open_plan(plan))
            return true;
    }
    return false;
}

bool umx_us_wanted(const struct umx_view *view, const struct umx_um_end *end, const Umx__DialPlan *plan,
                   const char **why)
{
    *why = NULL;
    if (!umx_us_legacy(end))
        return true;
    if (umx_option(view->options, "um-servers", "servers") != NULL &&
        !umx_um_named(view->options, "um-servers", "servers", end->fqdn) &&
        !umx_um_named(view->options, "um-servers", "standby", end->fqdn)) {
        *why = "um-servers.servers does not name it";
        return false;
    }
    if (!end->has_mode && !umx_um_linked(end, plan) && mixes(view, end, plan)) {
        *why = "Exchange 2007 cannot serve secured and unsecured dial plans at once, and it serves one of the other "
               "kind";
        return false;
    }
    return true;
}

int umx_us_status_wanted(const struct umx_view *view, const struct umx_um_end *ends, size_t count,
                         const struct umx_um_end *end)
{
    bool standby = umx_um_named(view->options, "um-servers", "standby", end->fqdn);
    int status = end->server->um_status;

    if (!umx_us_legacy(end))
        return -1;
    if (standby)
        return status == UMX_UM_DISABLED ? -1 : UMX_UM_DISABLED;
    if (status == UMX_UM_ENABLED)
        return -1;
    if (umx_option(view->options, "um-servers", "standby") != NULL)
        return UMX_UM_ENABLED;
    /* Nobody said which servers stand by: one that is disabled may, as long as others answer. */
    const Umx__DialPlan *plan;
    for (size_t at = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &at)) != NULL;) {
        bool answered = !umx_um_linked(end, plan);
        for (size_t i = 0; i < count; i++)
            answered = answered || (!ends[i].router && umx_us_enabled(&ends[i]) && umx_um_linked(&ends[i], plan));
        if (!answered)
            return UMX_UM_ENABLED;
    }
    return -1;
}

/* ---- findings */

static const struct umx_um_end *all_ends(const struct umx_view *view, struct umx_findings *out, size_t *count)
{
    const struct umx_um_end *ends = umx_um_ends(view->world, view->pair->exchange, out->arena, count);

    if (ends == NULL) {
        out->failed = 1;
        *count = 0;
    }
    return ends;
}

static void say(const struct umx_view *view, const struct umx_phase_check *check, const char *target,
                Umx__Finding__Status status, const char *expected, const char *actual, const char *remedy,
                struct umx_findings *out)
{
    struct umx_answer answer = {
        .status = status,
        .forest = view->pair->exchange,
        .target = target,
        .expected = expected,
        .actual = actual,
        .remedy = remedy,
    };

    umx_findings_add(out, view, check, &answer);
}

static void say_nothing(const struct umx_view *view, const struct umx_phase_check *check, const char *why,
                        struct umx_findings *out)
{
    say(view, check, view->pair->exchange, UMX__FINDING__STATUS__NOT_APPLICABLE, NULL, why, NULL, out);
}

static const char *join(struct umx_findings *out, const char *list, const char *more)
{
    return umx_say(out, "%s%s%s", list, *list != '\0' ? ", " : "", more);
}

void umx_us_check_linked(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count, plans = 0;
    const struct umx_um_end *ends = all_ends(view, out, &count);
    const Umx__DialPlan *plan;

    for (size_t at = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &at)) != NULL; plans++) {
        const char *list = "";
        for (size_t i = 0; i < count; i++)
            if (!ends[i].router && umx_um_linked(&ends[i], plan))
                list = join(out, list, ends[i].fqdn);
        say(view, check, plan->dn, umx_verdict(*list != '\0'),
            umx_say(out, "a UM server is in dial plan %s", umx_or_empty(plan->name)), *list != '\0' ? list : "none",
            NULL, out);
    }
    if (plans == 0)
        say(view, check, view->pair->exchange, UMX__FINDING__STATUS__FAIL, "UM servers in the SIP URI dial plans",
            "no SIP URI dial plan",
            umx_say(out, "make one first: `umx plan create NAME --phase dial-plans --pair %s:%s`", view->pair->exchange,
                    view->pair->lync),
            out);
}

void umx_us_check_redundancy(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count, plans = 0;
    const struct umx_um_end *ends = all_ends(view, out, &count);
    const Umx__DialPlan *plan;

    for (size_t at = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &at)) != NULL; plans++) {
        size_t servers = 0;
        for (size_t i = 0; i < count; i++)
            servers += !ends[i].router && umx_us_enabled(&ends[i]) && umx_um_linked(&ends[i], plan);
        say(view, check, plan->dn, servers >= 2 ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__WARN,
            "two UM servers that answer (guideline)", umx_say(out, "%zu", servers), NULL, out);
    }
    if (plans == 0)
        say_nothing(view, check, "no SIP URI dial plan", out);
}

static const char *missing_plans(const struct umx_view *view, const struct umx_um_end *end, bool wanted_only,
                                 const char **why, struct umx_findings *out)
{
    const char *list = "";
    const Umx__DialPlan *plan;

    for (size_t at = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &at)) != NULL;) {
        const char *reason;
        bool wanted = umx_us_wanted(view, end, plan, &reason);
        if (umx_um_linked(end, plan) || (wanted_only && !wanted))
            continue;
        list = join(out, list, umx_or_empty(plan->name));
        if (reason != NULL)
            *why = reason;
    }
    return list;
}

void umx_us_check_newer(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count, seen = 0;
    const struct umx_um_end *ends = all_ends(view, out, &count);

    for (size_t i = 0; i < count; i++) {
        const char *why = NULL;
        if (umx_us_legacy(&ends[i]))
            continue;
        const char *missing = missing_plans(view, &ends[i], true, &why, out);
        bool there = ends[i].dn != NULL;
        say(view, check, umx_um_name(out, &ends[i]), umx_verdict(there && *missing == '\0'),
            umx_say(out, "Exchange %s: linked to every SIP URI dial plan, or Lync does not trust the server as a peer",
                    ends[i].generation),
            !there             ? "the server has no call-router object: its setup did not finish"
            : *missing == '\0' ? "in all"
                               : umx_say(out, "not in %s", missing),
            there ? NULL : "run Exchange setup again on the server", out);
        seen++;
    }
    if (seen == 0)
        say_nothing(view, check, "no server of Exchange 2013 or 2016", out);
}

void umx_us_check_legacy(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count, seen = 0;
    const struct umx_um_end *ends = all_ends(view, out, &count);

    for (size_t i = 0; i < count; i++) {
        const char *why = NULL;
        if (!umx_us_legacy(&ends[i]))
            continue;
        const char *missing = missing_plans(view, &ends[i], false, &why, out);
        const char *todo = missing_plans(view, &ends[i], true, &why, out);
        say(view, check, umx_um_name(out, &ends[i]),
            *missing == '\0' ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__WARN,
            umx_say(out, "UM server of Exchange %s in the SIP URI dial plans", ends[i].generation),
            *missing == '\0' ? "in all"
            : why != NULL    ? umx_say(out, "not in %s: %s", missing, why)
                             : umx_say(out, "not in %s", missing),
            *missing == '\0' ? NULL
            : *todo == '\0'
                ? "link it by hand when it shall serve the plan: `Set-UMServer SERVER -DialPlans ...`"
                : umx_say(out,
                          "`umx plan create NAME --phase um-servers --pair %s:%s`; servers that shall not serve SIP "
                          "plans are left out with `--set um-servers.servers=A,B`",
                          view->pair->exchange, view->pair->lync),
            out);
        seen++;
    }
    if (seen == 0)
        say_nothing(view, check, "no UM server of Exchange 2007 or 2010", out);
}

void umx_us_check_only_sip(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count, seen = 0;
    const struct umx_um_end *ends = all_ends(view, out, &count);

    for (size_t i = 0; i < count; i++) {
        const char *wrong = "";
        if (umx_us_legacy(&ends[i]))
            continue;
        for (size_t k = 0; k < view->world->n_dial_plan; k++) {
            const Umx__DialPlan *plan = view->world->dial_plan[k];
            if (umx_text_equal(plan->forest, view->pair->exchange) && !umx_um_is_sip(plan) &&
                umx_um_linked(&ends[i], plan))
                wrong = join(out, wrong, umx_or_empty(plan->name));
        }
        say(view, check, umx_um_name(out, &ends[i]), umx_verdict(*wrong == '\0'),
            "Exchange 2013 and later may be linked to SIP URI dial plans only", *wrong == '\0' ? "no others" : wrong,
            NULL, out);
        seen++;
    }
    if (seen == 0)
        say_nothing(view, check, "no server of Exchange 2013 or 2016", out);
}

void umx_us_check_mode(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_cert_check_mode(view, check, out);
}

void umx_us_check_status(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    static const char *const words[] = {"enabled (0)", "disabled (1)", "no new calls (2)"};
    size_t count, seen = 0;
    const struct umx_um_end *ends = all_ends(view, out, &count);

    for (size_t i = 0; i < count; i++) {
        if (!umx_us_legacy(&ends[i]))
            continue;
        bool standby = umx_um_named(view->options, "um-servers", "standby", ends[i].fqdn);
        int wanted = umx_us_status_wanted(view, ends, count, &ends[i]);
        int status = ends[i].server->um_status;
        bool odd = wanted < 0 && !standby && status != UMX_UM_ENABLED;
        say(view, check, umx_um_name(out, &ends[i]),
            wanted >= 0 ? UMX__FINDING__STATUS__FAIL
            : odd       ? UMX__FINDING__STATUS__WARN
                        : UMX__FINDING__STATUS__PASS,
            standby ? "disabled until failover: um-servers.standby names it" : "enabled",
            status >= 0 && status <= 2
                ? umx_say(out, "%s%s", words[status], odd ? "; another server answers, so it may stand by (GL12)" : "")
                : umx_say(out, "unknown status %d", status),
            odd ? umx_say(out, "`Enable-UMServer %s`, or name it: `--set um-servers.standby=%s`", ends[i].fqdn,
                          ends[i].fqdn)
                : NULL,
            out);
        seen++;
    }
    if (seen == 0)
        say_nothing(view, check, "Exchange 2013 and later have no status", out);
}

void umx_us_check_fresh(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_cert_check_restarted(view, check, out);
}

void umx_us_check_listeners(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const Umx__World *world = view->world;
    const struct umx_um_end *ends = all_ends(view, out, &count);

    for (size_t i = 0; i < count; i++) {
        bool known = false, stale = false, there = false, worker = false;
        for (size_t k = 0; k < world->n_listener; k++) {
            const Umx__Listener *one = world->listener[k];
            if (!umx_text_equal(one->server, ends[i].fqdn))
                continue;
            known = true;
            stale = stale || umx_stale(world, one->has_collected_at, one->collected_at);
            there = there || one->port == ends[i].port;
            worker = worker || one->port == 5066 || one->port == 5068;
        }
        Umx__Finding__Status status = !known || stale ? UMX__FINDING__STATUS__UNKNOWN
                                      : there         ? UMX__FINDING__STATUS__PASS
                                                      : UMX__FINDING__STATUS__FAIL;
        say(view, check, umx_um_name(out, &ends[i]), status,
            umx_say(out, "listens for TLS on port %d", (int)ends[i].port),
            !known  ? umx_say(out, "no agent on %s has reported listeners", ends[i].fqdn)
            : stale ? umx_say(out, "the report of %s is older than %d hours", ends[i].fqdn, UMX_FACT_AGE_MAX_HOURS)
            : there ? umx_say(out, "it does%s",
                              ends[i].router ? ""
                              : worker       ? "; so does a worker process (5066, 5068)"
                                             : "; no worker process listens now (5066, 5068)")
                    : "it does not: mode, certificate or service (see um-servers/startup-mode, certificates/bound)",
            !known || stale ? umx_say_agent(out, view->pair->exchange, ends[i].fqdn) : NULL, out);
    }
    if (count == 0)
        say_nothing(view, check, "no UM server in the forest", out);
}

void umx_us_check_versions(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count, plans = 0;
    const struct umx_um_end *ends = all_ends(view, out, &count);
    const Umx__DialPlan *plan;

    for (size_t at = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &at)) != NULL; plans++) {
        int newest = 0;
        const char *older = "", *newer = "";
        for (size_t i = 0; i < count; i++)
            if (!ends[i].router && umx_um_linked(&ends[i], plan) && ends[i].server->version_major > newest)
                newest = ends[i].server->version_major;
        for (size_t i = 0; i < count; i++) {
            if (ends[i].router || !umx_um_linked(&ends[i], plan))
                continue;
            const char **list = ends[i].server->version_major < newest ? &older : &newer;
            *list = join(out, *list, umx_say(out, "%s (%s)", ends[i].fqdn, ends[i].generation));
        }
        say(view, check, plan->dn, *older == '\0' ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__WARN,
            "servers of one major version: Lync 2010 and later send all calls to the newest",
            *older == '\0' ? (*newer != '\0' ? newer : "no server")
                           : umx_say(out, "calls go to %s and never to %s", newer, older),
            *older == '\0' ? NULL
                           : "expected during a migration: mailboxes of the older version rely on redirection (events "
                             "1402, 1403); nothing to do otherwise",
            out);
    }
    if (plans == 0)
        say_nothing(view, check, "no SIP URI dial plan", out);
}

void umx_us_check_access(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count, seen = 0;
    const Umx__World *world = view->world;
    const struct umx_um_end *ends = all_ends(view, out, &count);

    for (size_t i = 0; i < count; i++) {
        const Umx__UmSetting *setting = NULL;
        if (ends[i].router || !ends[i].has_mode)
            continue;
        for (size_t k = 0; k < world->n_um_setting; k++)
            if (umx_text_equal(world->um_setting[k]->server, ends[i].fqdn) &&
                umx_text_equal(world->um_setting[k]->service, ends[i].service))
                setting = world->um_setting[k];
        bool old = setting != NULL && umx_stale(world, setting->has_collected_at, setting->collected_at);
        const char *value = setting != NULL ? umx_or_empty(setting->sip_access_service) : "";
        say(view, check, umx_um_name(out, &ends[i]),
            setting == NULL || old ? UMX__FINDING__STATUS__UNKNOWN
            : *value != '\0'       ? UMX__FINDING__STATUS__PASS
                                   : UMX__FINDING__STATUS__WARN,
            "SIPAccessService set, where users dial in from outside",
            setting == NULL ? umx_say(out, "no Exchange shell on %s has said", ends[i].fqdn)
            : old ? umx_say(out, "the report of %s is older than %d hours", ends[i].fqdn, UMX_FACT_AGE_MAX_HOURS)
            : *value != '\0' ? value
                             : "not set: media of remote users find no way",
            setting == NULL || old ? umx_say_agent(out, view->pair->exchange, ends[i].fqdn)
            : *value != '\0'       ? NULL
            : umx_us_legacy(&ends[i])
                ? umx_say(out, "with remote users: `Set-UMServer %s -SIPAccessService EDGE-POOL:5062`", ends[i].fqdn)
                : umx_say(out, "with remote users: `Set-UMService %s -SIPAccessService FRONT-END-POOL:5061`",
                          ends[i].fqdn),
            out);
        seen++;
    }
    if (seen == 0)
        say_nothing(view, check, "no UM server of Exchange 2010 or later", out);
}

/* ---- guidelines */

/* The server of the plan whose certificate does not name `host`; NULL: all that are seen do. */
static const char *unnamed(const struct umx_view *view, const struct umx_um_end *ends, size_t count,
                           const Umx__DialPlan *plan, const char *host, const char **unseen, struct umx_findings *out)
{
    for (size_t i = 0; i < count; i++) {
        if (!umx_um_linked(&ends[i], plan))
            continue;
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        if (use.bound == NULL) {
            *unseen = ends[i].fqdn;
            continue;
        }
        if (!umx_cert_covers(use.bound, host))
            return umx_say(out, "%s does not name %s", ends[i].fqdn, host);
    }
    return NULL;
}

void umx_us_check_second_site(const struct umx_view *view, const struct umx_phase_check *check,
                              struct umx_findings *out)
{
    size_t count, plans = 0;
    const struct umx_um_end *ends = all_ends(view, out, &count);
    const Umx__DialPlan *plan;

    for (size_t at = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &at)) != NULL;) {
        const struct umx_um_end *first = NULL;
        bool sites = false;
        const char *bad = NULL, *unseen = NULL;
        for (size_t i = 0; i < count; i++) {
            if (!umx_um_linked(&ends[i], plan))
                continue;
            if (first == NULL)
                first = &ends[i];
            sites = sites || (first->server->site_dn != NULL && ends[i].server->site_dn != NULL &&
                              !umx_text_dn_equal(first->server->site_dn, ends[i].server->site_dn));
        }
        for (size_t i = 0; sites && bad == NULL && i < count; i++)
            if (umx_um_linked(&ends[i], plan))
                bad = unnamed(view, ends, count, plan, ends[i].fqdn, &unseen, out);
        if (!sites)
            continue;
        plans++;
        say(view, check, plan->dn,
            bad != NULL      ? UMX__FINDING__STATUS__WARN
            : unseen != NULL ? UMX__FINDING__STATUS__UNKNOWN
                             : UMX__FINDING__STATUS__PASS,
            "servers of two sites: each certificate names all of them, so that DNS can point one site's names at the "
            "other (A records with a TTL of at most 300 s, which is not looked up)",
            bad != NULL      ? bad
            : unseen != NULL ? umx_say(out, "the certificate of %s is not known", unseen)
                             : "they do",
            bad != NULL      ? umx_say(out,
                                       "when failover by DNS is wanted: `umx plan create NAME --phase certificates --pair "
                                            "%s:%s --set certificates.names=A,B,...`",
                                       view->pair->exchange, view->pair->lync)
            : unseen != NULL ? umx_say_agent(out, view->pair->exchange, unseen)
                             : NULL,
            out);
    }
    if (plans == 0)
        say_nothing(view, check, "no SIP URI dial plan has servers of two sites", out);
}

void umx_us_check_ipv6(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    enum { GATEWAY_IPV6 = 4 };
    size_t count;
    const struct umx_um_end *ends = all_ends(view, out, &count);
    const char *old = NULL, *gateways = "";

    for (size_t i = 0; old == NULL && i < count; i++)
        if (umx_us_legacy(&ends[i]))
            old = ends[i].fqdn;
    for (size_t i = 0; i < view->world->n_ip_gateway; i++) {
        const Umx__IpGateway *gateway = view->world->ip_gateway[i];
        if (umx_text_equal(gateway->forest, view->pair->exchange) && (gateway->flags & GATEWAY_IPV6) != 0)
            gateways = join(out, gateways, umx_or_empty(gateway->name));
    }
    bool bad = old != NULL && *gateways != '\0';
    say(view, check, view->pair->exchange, bad ? UMX__FINDING__STATUS__WARN : UMX__FINDING__STATUS__PASS,
        "IPv6 for UM only where all UM servers have UCMA 4.0 (Exchange 2013 and later)",
        *gateways == '\0' ? "no gateway with IPv6"
        : bad             ? umx_say(out, "gateway %s has IPv6, and %s cannot do it", gateways, old)
                          : umx_say(out, "gateway %s has IPv6; all servers can do it", gateways),
        NULL, out);
}
