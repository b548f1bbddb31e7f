/* Phase 1, third part: what was tried for real over the trust (V1B.10, V1B.11). LDAP cannot show a broken secret. */
#include "phases/forests.h"

#include <string.h>

#include "base/text.h"

void umx_forests_count_proof(struct umx_proofs *proofs, const Umx__World *world, const Umx__Proof *proof)
{
    if (umx_stale(world, proof->has_collected_at, proof->collected_at)) {
        proofs->stale++;
    } else if (proof->status == UMX__PROOF__STATUS__PASS) {
        proofs->pass++;
        proofs->passed = proof;
    } else if (proof->status == UMX__PROOF__STATUS__FAIL) {
        proofs->fail++;
        proofs->failed = proof;
    } else {
        proofs->unknown++;
        proofs->undecided = proof;
    }
}

bool umx_forests_proof_is(const Umx__Proof *proof, Umx__Proof__Kind kind, const char *from, const char *to)
{
    return proof->has_kind && proof->kind == kind && umx_text_equal(proof->forest, from) &&
           umx_text_equal(proof->target_forest, to);
}

struct umx_proofs umx_forests_proofs(const Umx__World *world, Umx__Proof__Kind kind, const char *from, const char *to)
{
    struct umx_proofs proofs = {0};

    for (size_t i = 0; i < world->n_proof; i++)
        if (umx_forests_proof_is(world->proof[i], kind, from, to))
            umx_forests_count_proof(&proofs, world, world->proof[i]);
    return proofs;
}

static const char *who(struct umx_findings *out, const Umx__Proof *proof)
{
    const char *target = umx_or_empty(proof->target);
    const char *detail = umx_or_empty(proof->detail);

    return umx_say(out, "%s by %s%s%s%s%s", *target != '\0' ? target : "the partner", umx_or_empty(proof->server),
                   proof->identity != NULL ? " as " : "", umx_or_empty(proof->identity), *detail != '\0' ? ": " : "",
                   detail);
}

/* The answer that proofs of one direction give; nothing is said about a direction nobody can have. */
static struct umx_answer outcome(struct umx_findings *out, const struct umx_proofs *proofs, const char *nobody)
{
    struct umx_answer answer = {.status = UMX__FINDING__STATUS__UNKNOWN};

    if (proofs->fail > 0 && proofs->pass > 0) {
        /* The trust holds: one of the hosts is in trouble. */
        answer.status = UMX__FINDING__STATUS__WARN;
        answer.actual =
            umx_say(out, "%zu passed, %zu failed, for one %s", proofs->pass, proofs->fail, who(out, proofs->failed));
    } else if (proofs->fail > 0) {
        answer.status = UMX__FINDING__STATUS__FAIL;
        answer.actual = umx_say(out, "failed: %s", who(out, proofs->failed));
    } else if (proofs->pass > 0) {
        answer.status = UMX__FINDING__STATUS__PASS;
        answer.actual = umx_say(out, "%s", who(out, proofs->passed));
    } else if (proofs->unknown > 0) {
        answer.actual = umx_say(out, "not decided: %s", who(out, proofs->undecided));
    } else {
        answer.actual = proofs->stale > 0
                            ? umx_say(out, "the last attempt is older than %d hours", UMX_FACT_AGE_MAX_HOURS)
                            : nobody;
    }
    return answer;
}

static void live(const struct umx_view *view, const struct umx_phase_check *check, const Umx__Forest *from,
                 const Umx__Forest *to, struct umx_findings *out)
{
    struct umx_proofs proofs = umx_forests_proofs(view->world, UMX__PROOF__KIND__TRUST, from->forest, to->forest);
    const Umx__Trust *trusting = umx_forests_trust(view->world, to, from);
    const Umx__Trust *trusted = umx_forests_trust(view->world, from, to);
    bool outbound = trusting != NULL && (trusting->direction & UMX_TRUST_OUTBOUND) != 0;
    bool guideline = umx_text_equal(to->forest, view->pair->lync);
    struct umx_answer answer =
        outcome(out, &proofs,
                umx_say(out, "the controller's reader of %s has not asked a domain controller of %s yet", from->forest,
                        to->forest));

    answer.forest = to->forest;
    answer.target = umx_say(out, "%s -> %s", from->forest, to->forest);
    answer.expected = umx_say(out, "an account of %s gets a ticket for a domain controller of %s and signs in with it",
                              from->forest, to->forest);
    if (!outbound && guideline && proofs.pass == 0) {
        /* The table does not ask for this direction; trust-both-ways says what is missing. */
        answer.status = UMX__FINDING__STATUS__NOT_APPLICABLE;
        answer.actual = umx_say(out, "%s does not trust %s", to->forest, from->forest);
        answer.remedy = NULL;
    } else if (answer.status == UMX__FINDING__STATUS__FAIL && outbound && trusted != NULL) {
        answer.actual = umx_say(out,
                                "%s (both trust objects look right: the secret does not match, or the clocks or "
                                "authentication rights stand against it)",
                                answer.actual);
        answer.remedy = umx_say(out, "renew the trust's secret: `%s`, then `nltest /sc_verify:%s` on %s",
                                umx_forests_netdom(out, to, from, "/reset"), from->forest,
                                to->domain_controller != NULL ? to->domain_controller : to->forest);
    } else if (answer.status == UMX__FINDING__STATUS__FAIL) {
        answer.remedy =
            umx_say(out, "make the trust: `%s`",
                    umx_forests_netdom(out, view->exchange, view->lync, "/add /twoway /foresttransitive:yes"));
    } else if (answer.status == UMX__FINDING__STATUS__UNKNOWN) {
        answer.remedy =
            umx_say(out,
                    "see that the reader of %s reaches %s on port 88 and 389 (`umx status`), then check "
                    "again; by hand: `nltest /sc_verify:%s`",
                    from->forest, to->domain_controller != NULL ? to->domain_controller : to->forest, to->forest);
    }
    umx_findings_add(out, view, check, &answer);
}

void umx_forests_live(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    if (umx_forests_same(view, check, out))
        return;
    live(view, check, view->lync, view->exchange, out);
    live(view, check, view->exchange, view->lync, out);
}

static void add_dns(const Umx__World *world, const char *from, const char *to, struct umx_proofs *proofs)
{
    struct umx_proofs more = umx_forests_proofs(world, UMX__PROOF__KIND__DNS, from, to);

    proofs->pass += more.pass;
    proofs->fail += more.fail;
    proofs->unknown += more.unknown;
    proofs->stale += more.stale;
    proofs->failed = more.failed != NULL ? more.failed : proofs->failed;
    proofs->passed = more.passed != NULL ? more.passed : proofs->passed;
    proofs->undecided = more.undecided != NULL ? more.undecided : proofs->undecided;
}

static void dns(const struct umx_view *view, const struct umx_phase_check *check, const Umx__Forest *from,
                const Umx__Forest *to, struct umx_findings *out)
{
    struct umx_proofs proofs = {0};

    add_dns(view->world, from->forest, to->forest, &proofs);
    struct umx_answer answer = outcome(
        out, &proofs, umx_say(out, "no agent on a server of %s has looked names of %s up", from->forest, to->forest));
    /* Every name is needed: one that does not resolve is not made good by another one that does. */
    if (proofs.fail > 0)
        answer.status = UMX__FINDING__STATUS__FAIL;
    answer.forest = from->forest;
    answer.target = umx_say(out, "names of %s seen from %s", to->forest, from->forest);
    answer.expected = umx_say(out, "_ldap._tcp.dc._msdcs.%s and its sisters resolve", to->forest);
    if (answer.status == UMX__FINDING__STATUS__FAIL || answer.status == UMX__FINDING__STATUS__WARN)
        answer.remedy = umx_say(out,
                                "make a conditional forwarder in %s: `dnscmd /ZoneAdd %s /DsForwarder ADDRESS` with "
                                "the DNS servers of %s, then `nltest /dsgetdc:%s /force`",
                                from->forest, to->forest, to->forest, to->forest);
    else if (answer.status == UMX__FINDING__STATUS__UNKNOWN)
        answer.remedy = umx_say(out, "by hand on a server of %s: `nslookup -type=SRV _ldap._tcp.dc._msdcs.%s`",
                                from->forest, to->forest);
    umx_findings_add(out, view, check, &answer);
}

void umx_forests_dns(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    if (umx_forests_same(view, check, out))
        return;
    dns(view, check, view->exchange, view->lync, out);
    dns(view, check, view->lync, view->exchange, out);
}

void umx_forests_lookup(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const char *exchange = view->pair->exchange;
    const char *lync = view->pair->lync;

    if (umx_forests_same(view, check, out))
        return;
    struct umx_proofs proofs = umx_forests_proofs(view->world, UMX__PROOF__KIND__SID, exchange, lync);
    struct umx_answer answer =
        outcome(out, &proofs, umx_say(out, "no agent on an Exchange server of %s has tried", exchange));
    answer.forest = exchange;
    answer.target = "RTCUniversalServerAdmins";
    answer.expected = umx_say(out, "an Exchange server of %s resolves the SID of a Lync group of %s", exchange, lync);
    if (answer.status != UMX__FINDING__STATUS__PASS)
        answer.remedy = umx_say(out,
                                "by hand on an Exchange server: `([Security.Principal.NTAccount]'%s\\"
                                "RTCUniversalServerAdmins').Translate([Security.Principal.SecurityIdentifier])`",
                                umx_or_empty(view->lync->netbios)[0] != '\0' ? view->lync->netbios : lync);
    umx_findings_add(out, view, check, &answer);
}
