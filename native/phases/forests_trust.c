/* Phase 1, second part: the trust between the two forests as the directories show it (P1B, 5.2, 5.3). */
#include "phases/forests.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

const Umx__Trust *umx_forests_trust(const Umx__World *world, const Umx__Forest *of, const Umx__Forest *partner)
{
    const Umx__Trust *second = NULL;

    for (size_t i = 0; i < world->n_trust; i++) {
        const Umx__Trust *trust = world->trust[i];
        if (!umx_text_equal(trust->forest, of->forest))
            continue;
        if (umx_text_equal(trust->partner, partner->forest))
            return trust;
        if ((partner->netbios != NULL && umx_text_equal(trust->flat_name, partner->netbios)) ||
            (partner->root_sid != NULL && umx_text_equal(trust->partner_sid, partner->root_sid)))
            second = trust;
    }
    return second;
}

static const char *flat(const Umx__Forest *forest)
{
    return umx_or_empty(forest->netbios)[0] != '\0' ? forest->netbios : forest->forest;
}

const char *umx_forests_netdom(struct umx_findings *out, const Umx__Forest *trusting, const Umx__Forest *trusted,
                               const char *arguments)
{
    return umx_say(out,
                   "netdom trust %s /domain:%s %s /userO:%s\\Administrator /passwordO:* /userD:%s\\Administrator "
                   "/passwordD:*",
                   trusting->forest, trusted->forest, arguments, flat(trusting), flat(trusted));
}

bool umx_forests_same(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    if (!view->same)
        return false;
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
        .forest = view->pair->exchange,
        .target = view->pair->exchange,
        .actual = "one forest holds Exchange and Lync: no trust is needed",
    };
    umx_findings_add(out, view, check, &answer);
    return true;
}

/* One side of the trust. */
struct side {
    const Umx__Forest *forest;
    const Umx__Forest *partner;
    const Umx__Trust *trust; /* NULL: there is no object */
    const char *dn;
};

static struct side side_of(const struct umx_view *view, const Umx__Forest *forest, const Umx__Forest *partner,
                           struct umx_findings *out)
{
    struct side side = {.forest = forest, .partner = partner};

    side.trust = umx_forests_trust(view->world, forest, partner);
    side.dn = side.trust != NULL && side.trust->dn != NULL
                  ? side.trust->dn
                  : umx_say(out, "CN=%s,CN=System,%s", partner->forest, umx_or_empty(forest->root_dn));
    return side;
}

static void both_sides(const struct umx_view *view, struct umx_findings *out, struct side sides[2])
{
    sides[0] = side_of(view, view->exchange, view->lync, out);
    sides[1] = side_of(view, view->lync, view->exchange, out);
}

static const char *direction_word(const Umx__Trust *trust)
{
    static const char *const words[] = {"disabled (0)", "inbound only (1)", "outbound only (2)", "both ways (3)"};

    if (trust == NULL)
        return "no trust object";
    return trust->direction >= 0 && trust->direction <= 3 ? words[trust->direction] : "an unknown direction";
}

static void answer_for(const struct umx_view *view, const struct umx_phase_check *check, const struct side *side,
                       Umx__Finding__Status status, const char *expected, const char *actual, const char *remedy,
                       struct umx_findings *out)
{
    struct umx_answer answer = {.status = status,
                                .forest = side->forest->forest,
                                .target = side->dn,
                                .expected = expected,
                                .actual = actual,
                                .remedy = remedy};
    umx_findings_add(out, view, check, &answer);
}

/* How the trust is made anew: what is there is removed first. */
static const char *make_trust(struct umx_findings *out, const struct umx_view *view)
{
    bool some = umx_forests_trust(view->world, view->exchange, view->lync) != NULL ||
                umx_forests_trust(view->world, view->lync, view->exchange) != NULL;
    const char *add = umx_forests_netdom(out, view->exchange, view->lync, "/add /twoway /foresttransitive:yes");

    if (!some)
        return umx_say(out, "make the trust: `%s`", add);
    return umx_say(out, "remove what is left of the trust and make it again: `%s`, then `%s`",
                   umx_forests_netdom(out, view->exchange, view->lync, "/remove /force"), add);
}

void umx_forests_separate(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    if (umx_forests_same(view, check, out))
        return;
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__PASS,
        .forest = view->pair->exchange,
        .target = umx_say(out, "%s:%s", view->pair->exchange, view->pair->lync),
        .expected = "two forests need a trust",
        .actual = "two forests: the checks of the trust apply",
    };
    umx_findings_add(out, view, check, &answer);
}

static void one_direction(const struct umx_view *view, const struct umx_phase_check *check, bool lync_side, int bit,
                          const char *expected, struct umx_findings *out)
{
    struct side sides[2];

    if (umx_forests_same(view, check, out))
        return;
    both_sides(view, out, sides);
    const struct side *side = &sides[lync_side ? 1 : 0];
    bool good = side->trust != NULL && (side->trust->direction & bit) != 0;
    answer_for(view, check, side, umx_verdict(good), expected, direction_word(side->trust),
               good ? NULL : make_trust(out, view), out);
}

void umx_forests_direction(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    one_direction(view, check, false, UMX_TRUST_OUTBOUND,
                  umx_say(out, "%s trusts %s: outbound (2) or both ways (3)", view->pair->exchange, view->pair->lync),
                  out);
}

void umx_forests_inbound(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    one_direction(view, check, true, UMX_TRUST_INBOUND,
                  umx_say(out, "%s knows that %s trusts it: inbound (1) or both ways (3)", view->pair->lync,
                          view->pair->exchange),
                  out);
}

void umx_forests_agreement(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct side sides[2];

    if (umx_forests_same(view, check, out))
        return;
    both_sides(view, out, sides);
    int here = sides[0].trust != NULL ? sides[0].trust->direction : 0;
    int there = sides[1].trust != NULL ? sides[1].trust->direction : 0;
    int mirrored = (there & 1) << 1 | (there & 2) >> 1;
    bool agree = here == mirrored && (sides[0].trust != NULL) == (sides[1].trust != NULL);
    bool forest_here = sides[0].trust != NULL && (sides[0].trust->attributes & UMX_TRUST_FOREST) != 0;
    bool forest_there = sides[1].trust != NULL && (sides[1].trust->attributes & UMX_TRUST_FOREST) != 0;
    struct umx_answer answer = {
        .status = umx_verdict(agree && forest_here == forest_there),
        .forest = view->pair->exchange,
        .target = umx_say(out, "%s and %s", sides[0].dn, sides[1].dn),
        .expected = "both forests describe the same trust",
        .actual = umx_say(out, "%s: %s%s; %s: %s%s", view->pair->exchange, direction_word(sides[0].trust),
                          forest_here ? ", forest" : "", view->pair->lync, direction_word(sides[1].trust),
                          forest_there ? ", forest" : ""),
    };
    if (answer.status == UMX__FINDING__STATUS__FAIL)
        answer.remedy = make_trust(out, view);
    if (sides[0].trust == NULL && sides[1].trust == NULL) {
        answer.status = UMX__FINDING__STATUS__NOT_APPLICABLE;
        answer.remedy = NULL;
        answer.actual = "neither forest has a trust object";
    }
    umx_findings_add(out, view, check, &answer);
}

void umx_forests_both_ways(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct side sides[2];
    const char *policy = umx_option(view->options, "forests", "trust");

    if (umx_forests_same(view, check, out))
        return;
    both_sides(view, out, sides);
    bool good = true;
    for (int i = 0; i < 2; i++)
        good = good && sides[i].trust != NULL && sides[i].trust->direction == UMX_TRUST_BOTH;
    struct umx_answer answer = {
        .status = good                               ? UMX__FINDING__STATUS__PASS
                  : umx_text_equal(policy, "strict") ? UMX__FINDING__STATUS__FAIL
                                                     : UMX__FINDING__STATUS__WARN,
        .forest = view->pair->exchange,
        .target = umx_say(out, "%s:%s", view->pair->exchange, view->pair->lync),
        .expected = "trust in both directions (guideline; the deployment table asks for one)",
        .actual = umx_say(out, "%s: %s; %s: %s", view->pair->exchange, direction_word(sides[0].trust), view->pair->lync,
                          direction_word(sides[1].trust)),
        .remedy = good ? NULL : make_trust(out, view),
    };
    umx_findings_add(out, view, check, &answer);
}

typedef void judge_side(const struct umx_view *view, const struct umx_phase_check *check, const struct side *side,
                        struct umx_findings *out);

/* Judges each trust object that is there; direction and agreement speak about missing ones. */
static void each_side(const struct umx_view *view, const struct umx_phase_check *check, judge_side *judge,
                      struct umx_findings *out)
{
    struct side sides[2];
    bool any = false;

    if (umx_forests_same(view, check, out))
        return;
    both_sides(view, out, sides);
    for (int i = 0; i < 2; i++) {
        if (sides[i].trust == NULL)
            continue;
        any = true;
        judge(view, check, &sides[i], out);
    }
    if (!any)
        answer_for(view, check, &sides[0], UMX__FINDING__STATUS__NOT_APPLICABLE, NULL,
                   "neither forest has a trust object", NULL, out);
}

static void judge_kind(const struct umx_view *view, const struct umx_phase_check *check, const struct side *side,
                       struct umx_findings *out)
{
    const Umx__Trust *trust = side->trust;
    bool ad = trust->type == UMX_TRUST_TYPE_AD;
    bool forest = (trust->attributes & UMX_TRUST_FOREST) != 0;

    answer_for(view, check, side,
               !ad      ? UMX__FINDING__STATUS__FAIL
               : forest ? UMX__FINDING__STATUS__PASS
                        : UMX__FINDING__STATUS__WARN,
               "an Active Directory forest trust (type 2, attribute 0x8)",
               umx_say(out, "type %d, attributes 0x%x%s", trust->type, (unsigned)trust->attributes,
                       ad && !forest ? ": an external trust, no Kerberos across forest-level names" : ""),
               ad && forest ? NULL : make_trust(out, view), out);
}

void umx_forests_kind(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_side(view, check, judge_kind, out);
}

static void judge_quarantine(const struct umx_view *view, const struct umx_phase_check *check, const struct side *side,
                             struct umx_findings *out)
{
    int attributes = side->trust->attributes;
    bool quarantined = (attributes & UMX_TRUST_QUARANTINED) != 0;
    bool forest = (attributes & UMX_TRUST_FOREST) != 0;
    bool relaxed = (attributes & UMX_TRUST_AS_EXTERNAL) != 0;
    const char *remedy = NULL;

    if (quarantined && forest)
        remedy = umx_say(out, "lift the quarantine: `%s`",
                         umx_forests_netdom(out, side->forest, side->partner, "/quarantine:No"));
    answer_for(view, check, side,
               quarantined && forest ? UMX__FINDING__STATUS__FAIL
               : relaxed             ? UMX__FINDING__STATUS__WARN
                                     : UMX__FINDING__STATUS__PASS,
               "SID filtering as a forest trust has it",
               quarantined && forest ? "quarantined (0x4): only SIDs of the partner's root domain pass"
               : relaxed             ? "treated as external (0x40): SID filtering is relaxed"
               : quarantined         ? "quarantined, as external trusts are"
                                     : "not quarantined",
               remedy, out);
}

void umx_forests_quarantine(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_side(view, check, judge_quarantine, out);
}

/* The grants stand on computer objects that are not read: what answers is whether somebody got through. */
static void judge_selective(const struct umx_view *view, const struct umx_phase_check *check, const struct side *side,
                            struct umx_findings *out)
{
    const char *expected = "everybody of the partner may authenticate, or its Lync groups are allowed to";
    bool outbound = (side->trust->direction & UMX_TRUST_OUTBOUND) != 0;

    if ((side->trust->attributes & UMX_TRUST_SELECTIVE) == 0) {
        answer_for(view, check, side, UMX__FINDING__STATUS__PASS, expected, "forest-wide authentication", NULL, out);
        return;
    }
    struct umx_proofs proofs =
        umx_forests_proofs(view->world, UMX__PROOF__KIND__TRUST, side->partner->forest, side->forest->forest);
    const char *controller = side->forest->domain_controller != NULL ? side->forest->domain_controller : "DC";
    const char *remedy = umx_say(
        out,
        "allow the groups of %s on each domain controller of %s: `dsacls \"CN=%.*s,OU=Domain Controllers,%s\" "
        "/G \"%s\\RTCUniversalServerAdmins:CA;Allowed to Authenticate\"`, or take selective authentication off: "
        "`%s`",
        side->partner->forest, side->forest->forest, (int)strcspn(controller, "."), controller,
        umx_or_empty(side->forest->root_dn), flat(side->partner),
        umx_forests_netdom(out, side->forest, side->partner, "/SelectiveAUTH:No"));
    answer_for(view, check, side,
               proofs.fail > 0                ? UMX__FINDING__STATUS__FAIL
               : proofs.pass > 0 || !outbound ? UMX__FINDING__STATUS__WARN
                                              : UMX__FINDING__STATUS__UNKNOWN,
               expected,
               proofs.fail > 0 ? "selective authentication (0x10), and an account of the partner was refused"
               : proofs.pass > 0
                   ? "selective authentication (0x10); the account of the proof may authenticate, others may not"
               : !outbound ? "selective authentication (0x10) on a side that trusts nobody"
                           : "selective authentication (0x10), and nobody of the partner has tried: no live proof",
               remedy, out);
}

void umx_forests_selective(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_side(view, check, judge_selective, out);
}

static void judge_sid(const struct umx_view *view, const struct umx_phase_check *check, const struct side *side,
                      struct umx_findings *out)
{
    const char *stored = side->trust->partner_sid;
    const char *real = side->partner->root_sid;
    bool known = umx_or_empty(stored)[0] != '\0' && umx_or_empty(real)[0] != '\0';
    bool equal = known && umx_text_equal(stored, real);

    answer_for(view, check, side,
               !known  ? UMX__FINDING__STATUS__UNKNOWN
               : equal ? UMX__FINDING__STATUS__PASS
                       : UMX__FINDING__STATUS__FAIL,
               umx_say(out, "the SID of %s: %s", side->partner->forest, known ? real : "not read"),
               !known  ? "a SID could not be read"
               : equal ? stored
                       : umx_say(out, "%s: the forest was rebuilt, or another one has its name", stored),
               known && !equal ? make_trust(out, view) : NULL, out);
}

void umx_forests_sid(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_side(view, check, judge_sid, out);
}

/* ---- name suffixes (V1B.9) */

static bool covers(const char *suffix, const char *name)
{
    size_t n = strlen(name);
    size_t s = strlen(suffix);

    if (s > n)
        return false;
    return umx_text_equal(name + (n - s), suffix) && (n == s || name[n - s - 1] == '.');
}

static bool covered_by(char *const *suffixes, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (covers(suffixes[i], name))
            return true;
    return false;
}

static const char *suffix_fault(const Umx__Trust *trust, const char *name)
{
    if (covered_by(trust->suffix_conflict, trust->n_suffix_conflict, name))
        return "in conflict";
    if (covered_by(trust->suffix_excluded, trust->n_suffix_excluded, name))
        return "excluded";
    if (covered_by(trust->suffix_enabled, trust->n_suffix_enabled, name))
        return NULL;
    if (covered_by(trust->suffix_disabled, trust->n_suffix_disabled, name))
        return "disabled";
    return "not listed";
}

static bool listed(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(names[i], name))
            return true;
    return false;
}

static void judge_suffixes(const struct umx_view *view, const struct umx_phase_check *check, const struct side *side,
                           struct umx_findings *out)
{
    const Umx__Trust *trust = side->trust;
    const Umx__Forest *partner = side->partner;
    const char *expected = umx_say(out, "names of %s are routed", partner->forest);
    const char *list =
        umx_forests_netdom(out, side->forest, partner, umx_say(out, "/namesuffixes:%s", partner->forest));

    if ((trust->attributes & UMX_TRUST_FOREST) == 0) {
        answer_for(view, check, side, UMX__FINDING__STATUS__NOT_APPLICABLE, NULL, "an external trust routes no names",
                   NULL, out);
        return;
    }
    if (umx_or_empty(trust->trust_info_error)[0] != '\0') {
        /* The trusted side of a one-way trust cannot ask the other side for its names and often has none. */
        bool needed = (trust->direction & UMX_TRUST_OUTBOUND) != 0;
        answer_for(view, check, side, needed ? UMX__FINDING__STATUS__FAIL : UMX__FINDING__STATUS__WARN, expected,
                   umx_say(out, "msDS-TrustForestTrustInfo: %s", trust->trust_info_error),
                   umx_say(out, "refresh the name suffixes: `%s`", list), out);
        return;
    }
    Umx__Finding__Status status = UMX__FINDING__STATUS__PASS;
    const char *bad = "";
    const char *why = suffix_fault(trust, partner->forest);
    if (why != NULL) {
        status = UMX__FINDING__STATUS__FAIL;
        bad = umx_say(out, "%s: %s", partner->forest, why);
    }
    for (size_t i = 0; i < partner->n_upn_suffix; i++) {
        const char *suffix = partner->upn_suffix[i];
        why = suffix_fault(trust, suffix);
        if (why == NULL)
            continue;
        /* A name that nobody dials by and that was never listed hurts nobody but its users' logon by UPN. */
        bool sip = listed(partner->sip_domain, partner->n_sip_domain, suffix);
        bool grave = sip || strcmp(why, "not listed") != 0;
        if (grave)
            status = UMX__FINDING__STATUS__FAIL;
        else if (status == UMX__FINDING__STATUS__PASS)
            status = UMX__FINDING__STATUS__WARN;
        bad = umx_say(out, "%s%s%s: %s%s", bad, *bad != '\0' ? "; " : "", suffix, why, sip ? " (a SIP domain)" : "");
    }
    for (size_t i = 0; i < trust->n_domain_disabled; i++) {
        status = UMX__FINDING__STATUS__FAIL;
        bad = umx_say(out, "%s%sdomain SID %s: disabled or in conflict", bad, *bad != '\0' ? "; " : "",
                      trust->domain_disabled[i]);
    }
    answer_for(view, check, side, status, expected, *bad == '\0' ? "all enabled" : bad,
               *bad == '\0' ? NULL
                            : umx_say(out,
                                      "list the suffixes, then switch the one named on: `%s`, then `netdom trust %s "
                                      "/domain:%s /togglesuffix:NUMBER`",
                                      list, side->forest->forest, partner->forest),
               out);
}

void umx_forests_suffixes(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_side(view, check, judge_suffixes, out);
}

void umx_forests_clock(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__Forest *exchange = view->exchange;
    const Umx__Forest *lync = view->lync;

    if (umx_forests_same(view, check, out))
        return;
    bool known = exchange->has_clock_offset && lync->has_clock_offset;
    int64_t skew = known ? exchange->clock_offset - lync->clock_offset : 0;
    int64_t distance = skew < 0 ? -skew : skew;
    const char *late = skew < 0 ? exchange->domain_controller : lync->domain_controller;
    struct umx_answer answer = {
        .status = !known                       ? UMX__FINDING__STATUS__UNKNOWN
                  : distance <= 5 * UMX_MINUTE ? UMX__FINDING__STATUS__PASS
                                               : UMX__FINDING__STATUS__FAIL,
        .forest = exchange->forest,
        .target =
            umx_say(out, "%s and %s", umx_or_empty(exchange->domain_controller), umx_or_empty(lync->domain_controller)),
        .expected = "clocks at most 5 minutes apart (Kerberos)",
        .actual = known ? umx_say(out, "%lld s apart", (long long)(distance / UMX_SECOND)) : "a clock was not read",
    };
    if (answer.status == UMX__FINDING__STATUS__FAIL)
        answer.remedy = umx_say(out,
                                "set the clocks right; on %s, which is behind: `w32tm /resync /rediscover`, then "
                                "`w32tm /query /status`",
                                late != NULL ? late : "the one that is behind");
    umx_findings_add(out, view, check, &answer);
}
