/* Phase 2: the checks of each UM service: mode, binding, store, rules, start, and the servers' trusted roots. */
#include <string.h>

#include "base/text.h"
#include "phases/certificates.h"

/* Each UM service of the forest in turn; none: not applicable. */
static const struct umx_um_end *ends_of(const struct umx_view *view, const struct umx_phase_check *check,
                                        struct umx_findings *out, size_t *count)
{
    const struct umx_um_end *ends = umx_um_ends(view->world, view->pair->exchange, out->arena, count);

    if (ends == NULL) {
        out->failed = 1;
        *count = 0;
    } else if (*count == 0) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = view->pair->exchange,
            .actual = "no UM server in the forest",
        };
        umx_findings_add(out, view, check, &answer);
    }
    return ends;
}

void umx_cert_check_rule(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = check->question,
        };
        if (use.bound != NULL) {
            if (!umx_cert_judge(view, &ends[i], use.bound, check->id, out, &answer))
                continue;
            answer.actual = umx_say(out, "%s: %s", use.thumbprint, answer.actual);
        } else if (use.unseen != NULL) {
            answer.status = UMX__FINDING__STATUS__UNKNOWN;
            answer.actual = use.unseen;
            answer.remedy = umx_say_agent(out, view->pair->exchange, ends[i].fqdn);
        } else {
            answer.actual = "no certificate of the store is in use";
        }
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_mode(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        bool warn;
        const char *fault = umx_um_mode_fault(view, &ends[i], &warn);
        struct umx_answer answer = {
            .status = !ends[i].has_mode ? UMX__FINDING__STATUS__NOT_APPLICABLE
                      : fault == NULL   ? UMX__FINDING__STATUS__PASS
                      : warn            ? UMX__FINDING__STATUS__WARN
                                        : UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "startup mode Dual, or TLS: a certificate can be bound to nothing else",
            .actual = !ends[i].has_mode ? "Exchange 2007 follows the security of its dial plan"
                      : fault == NULL   ? umx_um_mode_word(ends[i].mode)
                                        : fault,
        };
        if (warn)
            answer.remedy = umx_say(out, "`Set-UMService %s -UMStartupMode Dual`", ends[i].fqdn);
        if (ends[i].has_mode && ends[i].dn == NULL) {
            answer.status = UMX__FINDING__STATUS__FAIL;
            answer.actual = "the server has no call-router object: its setup did not finish";
            answer.remedy =
                umx_say(out, "`Get-UMCallRouterSettings -Server %s`; run Exchange setup again", ends[i].fqdn);
        }
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_bound(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        bool bound = *use.thumbprint != '\0';
        struct umx_answer answer = {
            .status = !ends[i].has_mode ? UMX__FINDING__STATUS__NOT_APPLICABLE
                      : bound           ? UMX__FINDING__STATUS__PASS
                                        : UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = umx_say(out, "a certificate is assigned to the service %s", ends[i].certificate_service),
            .actual = !ends[i].has_mode ? "Exchange 2007 has no assignment: see certificates/chosen"
                      : bound           ? umx_say(out, "%s, says %s", use.thumbprint, use.source)
                                        : "none",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_store(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "the assigned certificate is in the server's own store",
        };
        if (!ends[i].has_mode) {
            answer.actual = "Exchange 2007 has no assignment: see certificates/chosen";
        } else if (*use.thumbprint == '\0') {
            answer.actual = "none is assigned";
        } else if (use.unseen != NULL && use.bound == NULL) {
            answer.status = UMX__FINDING__STATUS__UNKNOWN;
            answer.actual = use.unseen;
            answer.remedy = umx_say_agent(out, view->pair->exchange, ends[i].fqdn);
        } else {
            answer.status = umx_verdict(use.bound != NULL);
            answer.actual = umx_say(out, "%s%s", use.thumbprint, use.bound != NULL ? "" : " is not there");
        }
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_chosen(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "Exchange 2007 took a certificate that Lync accepts at its start (event 1112)",
            .actual = "Exchange 2010 and later have an assignment: see certificates/bound",
        };
        if (!ends[i].has_mode) {
            struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
            const char *fault = use.bound != NULL ? umx_cert_fault(view, &ends[i], use.bound, out) : NULL;
            answer.status = use.unseen != NULL  ? UMX__FINDING__STATUS__UNKNOWN
                            : use.bound == NULL ? UMX__FINDING__STATUS__FAIL
                                                : umx_verdict(fault == NULL);
            answer.actual = use.unseen != NULL        ? use.unseen
                            : *use.thumbprint == '\0' ? "no certificate in the store"
                            : use.bound == NULL
                                ? umx_say(out, "%s of %s is not in the store", use.thumbprint, use.source)
                            : fault != NULL ? umx_say(out, "%s (%s): %s", use.thumbprint, use.source, fault)
                                            : umx_say(out, "%s (%s)", use.thumbprint, use.source);
            if (use.unseen != NULL)
                answer.remedy =
                    umx_say(out, "by hand on %s: `Get-EventLog Application -InstanceId 1112 -Newest 1`", ends[i].fqdn);
        }
        umx_findings_add(out, view, check, &answer);
    }
}

/* Nobody reports whether a key may be exported; a certificate on two servers answers it. */
void umx_cert_check_exportable(const struct umx_view *view, const struct umx_phase_check *check,
                               struct umx_findings *out)
{
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_cert_use use = umx_cert_use_of(view, &ends[i], out);
        const struct umx_um_end *other = NULL;
        for (size_t k = 0; use.bound != NULL && k < count; k++)
            if (!umx_text_equal(ends[k].fqdn, ends[i].fqdn) &&
                umx_cert_find(view->world, ends[k].fqdn, "My", use.thumbprint) != NULL)
                other = &ends[k];
        struct umx_answer answer = {
            .status = other != NULL ? UMX__FINDING__STATUS__PASS : UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "a certificate for several servers was exported with its key",
            .actual = other != NULL ? umx_say(out, "%s is on %s too", use.thumbprint, other->fqdn)
                                    : "optional, for a certificate that several servers share: this one is not shared",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_cert_check_restarted(const struct umx_view *view, const struct umx_phase_check *check,
                              struct umx_findings *out)
{
    static const Umx__Finding__Status statuses[] = {
        [UMX_UM_FRESH] = UMX__FINDING__STATUS__PASS,
        [UMX_UM_STALE] = UMX__FINDING__STATUS__FAIL,
        [UMX_UM_STOPPED] = UMX__FINDING__STATUS__FAIL,
        [UMX_UM_UNKNOWN] = UMX__FINDING__STATUS__UNKNOWN,
    };
    size_t count;
    const struct umx_um_end *ends = ends_of(view, check, out, &count);

    for (size_t i = 0; i < count; i++) {
        struct umx_answer answer = {
            .forest = view->pair->exchange,
            .target = umx_um_name(out, &ends[i]),
            .expected = "the service was started after its certificate or mode last changed",
        };
        answer.status = statuses[umx_um_fresh(view, &ends[i], out, &answer.actual)];
        if (answer.status == UMX__FINDING__STATUS__UNKNOWN)
            answer.remedy = umx_say_agent(out, view->pair->exchange, ends[i].fqdn);
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- C13 */

static void count_roots(const struct umx_view *view, const struct umx_phase_check *check, const char *forest,
                        const char *server, struct umx_findings *out)
{
    enum { SCHANNEL_LIST_CUT = 36885 };
    const Umx__World *world = view->world;
    const char *unseen = umx_cert_unseen(world, server, out);
    bool logged = false;
    size_t roots = 0;

    for (size_t i = 0; i < world->n_certificate; i++)
        roots += umx_text_equal(world->certificate[i]->server, server) &&
                 umx_text_equal(world->certificate[i]->store, "Root");
    for (size_t i = 0; i < world->n_event; i++)
        logged = logged ||
                 (umx_text_equal(world->event[i]->server, server) && world->event[i]->event_id == SCHANNEL_LIST_CUT);
    struct umx_answer answer = {
        .status = unseen != NULL                ? UMX__FINDING__STATUS__UNKNOWN
                  : logged                      ? UMX__FINDING__STATUS__FAIL
                  : roots > UMX_CERT_ROOTS_MANY ? UMX__FINDING__STATUS__WARN
                                                : UMX__FINDING__STATUS__PASS,
        .forest = forest,
        .target = server,
        .expected = umx_say(out, "no Schannel event 36885, at most %d trusted roots", UMX_CERT_ROOTS_MANY),
        .actual = unseen != NULL ? unseen
                  : logged       ? umx_say(out, "%zu roots, and event 36885: the list sent to clients is cut", roots)
                                 : umx_say(out, "%zu roots", roots),
    };
    if (unseen != NULL)
        answer.remedy = umx_say_agent(out, forest, server);
    umx_findings_add(out, view, check, &answer);
}

void umx_cert_check_roots(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;

    if (check->needs == UMX_NEEDS_EXCHANGE) {
        const struct umx_um_end *ends = ends_of(view, check, out, &count);
        for (size_t i = 0; i < count; i++)
            if (i == 0 || ends[i].server != ends[i - 1].server)
                count_roots(view, check, view->pair->exchange, ends[i].fqdn, out);
        return;
    }
    count = 0;
    for (size_t i = 0; i < view->world->n_server; i++) {
        const Umx__Server *server = view->world->server[i];
        if (!umx_text_equal(server->forest, view->pair->lync) || server->product != UMX__SERVER__PRODUCT__LYNC)
            continue;
        count_roots(view, check, view->pair->lync, server->server, out);
        count++;
    }
    if (count > 0)
        return;
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__UNKNOWN,
        .forest = view->pair->lync,
        .target = view->pair->lync,
        .expected = check->question,
        .actual = umx_say(out, "no agent on a Lync server of %s", view->pair->lync),
        .remedy = umx_say_agent(out, view->pair->lync, NULL),
    };
    umx_findings_add(out, view, check, &answer);
}
