/* Phase 4: V4.1 to V4.4, the mixture of F4.1 and F4.2, and the restart that follows a change. */
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/dial_plan_security.h"
#include "phases/restart.h"

#define SECURED UMX__DIAL_PLAN__VOIP_SECURITY__SECURED
#define SIP_SECURED UMX__DIAL_PLAN__VOIP_SECURITY__SIP_SECURED

static void add(const struct umx_view *view, const struct umx_phase_check *check, Umx__Finding__Status status,
                const char *target, const char *expected, const char *actual, const char *remedy,
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

static void none(const struct umx_view *view, const struct umx_phase_check *check, const char *why,
                 struct umx_findings *out)
{
    add(view, check, UMX__FINDING__STATUS__NOT_APPLICABLE, view->pair->exchange, NULL, why, NULL, out);
}

/* 0: not set, which Exchange takes as Unsecured (4.3). */
static int level_of(const Umx__DialPlan *plan)
{
    bool known = plan->has_voip_security && plan->voip_security >= SIP_SECURED && plan->voip_security <= SECURED;

    return known ? (int)plan->voip_security : 0;
}

static bool encrypted(const Umx__DialPlan *plan)
{
    return level_of(plan) == SECURED || level_of(plan) == SIP_SECURED;
}

/* ---- V4.1 */

void umx_ds_check_level(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__DialPlan *plan;
    Umx__DialPlan__VoipSecurity asked;
    bool named = umx_ds_asked(view->options, &asked);
    size_t i = 0, count = 0;

    for (; (plan = umx_um_next_plan(view->world, view->pair->exchange, &i)) != NULL; count++) {
        bool good = named ? level_of(plan) == (int)asked : encrypted(plan);
        add(view, check, umx_verdict(good), plan->dn, named ? umx_security_words[asked] : "Secured or SIPSecured",
            level_of(plan) != 0 ? umx_security_words[level_of(plan)] : "not set, which means Unsecured", NULL, out);
    }
    if (count == 0)
        none(view, check, "no SIP dial plan yet", out);
}

/* ---- V4.2 (GL14) */

static void judge_encryption(const struct umx_view *view, const struct umx_phase_check *check,
                             const struct umx_media *media, const Umx__DialPlan *plan, struct umx_findings *out)
{
    static const char *const expected[UMX_ENCRYPTION_COUNT] = {
        [UMX_ENCRYPTION_UNKNOWN] = "the level that Lync's media encryption asks for",
        [UMX_ENCRYPTION_REFUSED] = "SIPSecured",
        [UMX_ENCRYPTION_SUPPORTED] = "SIPSecured or Secured",
        [UMX_ENCRYPTION_REQUIRED] = "Secured",
    };
    const char *has = umx_security_words[level_of(plan)];
    Umx__Finding__Status status = UMX__FINDING__STATUS__PASS;
    const char *actual = NULL, *remedy = NULL;

    switch (media->level) {
    case UMX_ENCRYPTION_REQUIRED:
        if (level_of(plan) != SECURED)
            status = UMX__FINDING__STATUS__FAIL;
        break;
    case UMX_ENCRYPTION_SUPPORTED:
        /* Inferred rows of the matrix: they warn. */
        if (!encrypted(plan))
            status = UMX__FINDING__STATUS__WARN;
        break;
    case UMX_ENCRYPTION_REFUSED:
        if (level_of(plan) != SIP_SECURED)
            status = UMX__FINDING__STATUS__WARN;
        break;
    case UMX_ENCRYPTION_UNKNOWN:
    case UMX_ENCRYPTION_COUNT:
        status = UMX__FINDING__STATUS__UNKNOWN;
        actual = media->stale ? umx_say(out, "%s; the report about %s is older than %d hours", has, view->pair->lync,
                                        UMX_FACT_AGE_MAX_HOURS)
                              : umx_say(out, "%s; no agent on a Lync server of %s reports the media encryption", has,
                                        view->pair->lync);
        remedy = "install an agent on a Front End, or look with `Get-CsMediaConfiguration`";
        break;
    }
    if (status == UMX__FINDING__STATUS__PASS && media->mixed)
        status = UMX__FINDING__STATUS__WARN;
    if (actual == NULL)
        actual = umx_say(out, "%s; Lync says %s (%s)%s", has, umx_encryption_words[media->level], media->source,
                         media->mixed ? ", and another part of it refuses encryption: no level fits both" : "");
    if (status == UMX__FINDING__STATUS__FAIL && umx_lacks_secured(view->world, view->pair->exchange, plan))
        remedy = "a linked server is Exchange 2007 without a service pack, which has no Secured: install SP1 or later";
    if (status == UMX__FINDING__STATUS__WARN && (media->mixed || encrypted(plan)))
        remedy = "make Lync's media encryption the same everywhere: `Set-CsMediaConfiguration -EncryptionLevel`";
    add(view, check, status, plan->dn, expected[media->level], actual, remedy, out);
}

void umx_ds_check_encryption(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_media media = umx_lync_media(view->world, view->pair->lync);
    const Umx__DialPlan *plan;
    size_t i = 0, count = 0;

    for (; (plan = umx_um_next_plan(view->world, view->pair->exchange, &i)) != NULL; count++)
        judge_encryption(view, check, &media, plan, out);
    if (count == 0)
        none(view, check, "no SIP dial plan yet", out);
}

/* ---- V4.3 and F4.1, F4.2 */

static bool serves_sip(const struct umx_view *view, const struct umx_um_end *end)
{
    const Umx__DialPlan *plan;

    for (size_t i = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &i)) != NULL;)
        if (umx_um_linked(end, plan))
            return true;
    return false;
}

/* Whether the end was judged; its finding is then in out. */
typedef bool judge_end(const struct umx_view *view, const struct umx_phase_check *check, const struct umx_um_end *end,
                       struct umx_findings *out);

/* nobody: what to say when no end was. */
static void each_end(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out,
                     judge_end *judge, const char *nobody)
{
    size_t count, judged = 0;
    const struct umx_um_end *ends = umx_um_ends(view->world, view->pair->exchange, out->arena, &count);

    if (ends == NULL) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < count; i++)
        judged += judge(view, check, &ends[i], out);
    if (judged == 0)
        none(view, check, nobody, out);
}

static bool judge_mode(const struct umx_view *view, const struct umx_phase_check *check, const struct umx_um_end *end,
                       struct umx_findings *out)
{
    if (!serves_sip(view, end))
        return false;
    bool good = !end->has_mode || end->mode == UMX_MODE_TLS || end->mode == UMX_MODE_DUAL;
    add(view, check, umx_verdict(good), umx_um_name(out, end), "TLS or Dual",
        !end->has_mode   ? "Exchange 2007 follows the plan"
        : !end->mode_set ? "not set, which means TCP"
                         : umx_um_mode_word(end->mode),
        NULL, out);
    return true;
}

void umx_ds_check_mode(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_end(view, check, out, judge_mode, "no server is linked to a SIP dial plan yet");
}

static bool judge_mixed(const struct umx_view *view, const struct umx_phase_check *check, const struct umx_um_end *end,
                        struct umx_findings *out)
{
    const char *open = NULL, *closed = NULL;

    for (size_t p = 0; p < view->world->n_dial_plan; p++) {
        const Umx__DialPlan *plan = view->world->dial_plan[p];
        if (!umx_text_equal(plan->forest, view->pair->exchange) || !umx_um_linked(end, plan))
            continue;
        if (encrypted(plan))
            closed = umx_plan_name(plan);
        else
            open = umx_plan_name(plan);
    }
    if (closed == NULL)
        return false;
    bool good = open == NULL || (end->has_mode && end->mode == UMX_MODE_DUAL);
    add(view, check, good ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__WARN, umx_um_name(out, end),
        "secured plans only, or startup mode Dual",
        open == NULL ? "secured plans only"
                     : umx_say(out, "%s is secured, %s is not; %s", closed, open,
                               end->has_mode ? umx_um_mode_word(end->mode) : "Exchange 2007 cannot serve both (F4.2)"),
        NULL, out);
    return true;
}

void umx_ds_check_mixed(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_end(view, check, out, judge_mixed, "no server is linked to a secured dial plan yet");
}

/* ---- V4.4 */

static bool lync_pool(const struct umx_view *view, const char *address)
{
    for (size_t i = 0; i < view->world->n_lync_pool; i++)
        if (umx_text_equal(view->world->lync_pool[i]->pool, address))
            return true;
    return false;
}

/* A name with a dot, and not only digits and dots or a colon, as IP addresses are. */
static bool is_fqdn(const char *address)
{
    return strchr(address, '.') != NULL && strchr(address, ':') == NULL &&
           address[strspn(address, "0123456789.")] != '\0';
}

static const Umx__DialPlan *secured_plan(const struct umx_view *view, const Umx__IpGateway *gateway)
{
    for (size_t i = 0; i < view->world->n_hunt_group; i++) {
        const Umx__HuntGroup *group = view->world->hunt_group[i];
        const char *parent =
            group->gateway_dn != NULL ? group->gateway_dn : umx_text_dn_parent(umx_or_empty(group->dn));
        if (!umx_text_equal(group->forest, gateway->forest) || parent == NULL ||
            !umx_text_dn_equal(parent, gateway->dn))
            continue;
        for (size_t p = 0; p < view->world->n_dial_plan; p++) {
            const Umx__DialPlan *plan = view->world->dial_plan[p];
            if (umx_text_equal(plan->forest, gateway->forest) && encrypted(plan) &&
                umx_text_dn_equal(plan->dn, group->dial_plan_dn))
                return plan;
        }
    }
    return NULL;
}

void umx_ds_check_gateways(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t judged = 0;

    for (size_t i = 0; i < view->world->n_ip_gateway; i++) {
        const Umx__IpGateway *gateway = view->world->ip_gateway[i];
        const char *address = umx_or_empty(gateway->address);
        const Umx__DialPlan *plan;
        if (!umx_text_equal(gateway->forest, view->pair->exchange) || lync_pool(view, address) ||
            (plan = secured_plan(view, gateway)) == NULL)
            continue;
        judged++;
        /* 0: the transport decides, which is 5061 for TLS. */
        bool port = !gateway->has_port || gateway->port == 0 || gateway->port == UMX_SIP_TLS_PORT;
        add(view, check, umx_verdict(port && is_fqdn(address)), gateway->dn,
            umx_say(out, "an FQDN and port 5061: %s is secured", umx_plan_name(plan)),
            umx_say(out, "%s, port %d%s", *address != '\0' ? address : "no address", gateway->port,
                    gateway->port == 0 ? " (by the transport)" : ""),
            NULL, out);
    }
    if (judged == 0)
        none(view, check, "no gateway besides those of Lync pools belongs to a secured dial plan", out);
}

/* ---- the restart */

static bool judge_restart(const struct umx_view *view, const struct umx_phase_check *check,
                          const struct umx_um_end *linked, struct umx_findings *out)
{
    const Umx__DialPlan *plan;
    struct umx_um_end end = *linked;

    end.has_changed_at = false;
    end.changed_at = 0;
    for (size_t p = 0; (plan = umx_um_next_plan(view->world, view->pair->exchange, &p)) != NULL;)
        if (umx_um_linked(&end, plan) && plan->has_changed_at && plan->changed_at > end.changed_at) {
            end.has_changed_at = true;
            end.changed_at = plan->changed_at;
        }
    if (!end.has_changed_at)
        return false;
    const char *why;
    enum umx_um_fresh fresh = umx_um_fresh(view, &end, out, &why);
    add(view, check,
        fresh == UMX_UM_FRESH     ? UMX__FINDING__STATUS__PASS
        : fresh == UMX_UM_UNKNOWN ? UMX__FINDING__STATUS__UNKNOWN
                                  : UMX__FINDING__STATUS__FAIL,
        umx_um_name(out, &end), umx_say(out, "%s started after the last change of its dial plans", end.service), why,
        NULL, out);
    return true;
}

void umx_ds_check_restart(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_end(view, check, out, judge_restart, "no linked dial plan whose last change is known");
}
