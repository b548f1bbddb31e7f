/* Phase 2: whether both sides trust each other: roots in the stores (V2.15), and handshakes tried for real (C6, 6.3).
 */
#include <string.h>

#include "base/text.h"
#include "phases/certificates.h"
#include "phases/exchucutil.h"
#include "phases/index.h"
#include "phases/restart.h"

/* The Lync pools that talk to UM, with the Front Ends that are known. */
struct sides {
    const struct umx_um_end *ends;
    size_t end_count;
    struct umx_uc uc;
    struct umx_index handshakes; /* by target */
};

static void index_handshakes(const Umx__World *world, struct umx_arena *arena, struct umx_index *index)
{
    umx_index_begin(index, arena);
    for (size_t i = world->n_proof; i-- > 0;)
        if (world->proof[i]->kind == UMX__PROOF__KIND__TLS)
            umx_index_add(index, world->proof[i]->target, world->proof[i]);
}

static bool build(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out,
                  struct sides *sides)
{
    size_t in_scope = 0;

    *sides = (struct sides){0};
    sides->ends = umx_um_ends(view->world, view->pair->exchange, out->arena, &sides->end_count);
    index_handshakes(view->world, out->arena, &sides->handshakes);
    if (sides->ends == NULL || sides->handshakes.failed || umx_uc_build(view, out->arena, &sides->uc, NULL) != 0) {
        out->failed = 1;
        return false;
    }
    for (size_t i = 0; i < sides->uc.pool_count; i++)
        in_scope += sides->uc.pools[i].scope == UMX_UC_IN;
    if (sides->end_count > 0 && in_scope > 0)
        return true;
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
        .forest = view->pair->exchange,
        .target = umx_say(out, "%s:%s", view->pair->exchange, view->pair->lync),
        .actual = sides->end_count == 0 ? "no UM server in the forest" : "no pool in scope",
    };
    umx_findings_add(out, view, check, &answer);
    return false;
}

static bool same_server(const struct sides *sides, size_t i)
{
    return i > 0 && sides->ends[i].server == sides->ends[i - 1].server;
}

/* What the Front End shows on 5061, as far as its store tells: the certificate with a key and the pool's name that is
 * good for longest. */
static const Umx__Certificate *shown_by(const Umx__World *world, const char *front_end, const char *pool)
{
    const Umx__Certificate *best = NULL;

    for (size_t i = 0; i < world->n_certificate; i++) {
        const Umx__Certificate *one = world->certificate[i];
        if (umx_text_equal(one->server, front_end) && umx_text_equal(one->store, "My") && one->private_key &&
            umx_cert_covers(one, pool) && (best == NULL || one->not_after_at > best->not_after_at))
            best = one;
    }
    return best;
}

struct root {
    const Umx__Certificate *certificate; /* whose root it is */
    const char *owner, *owner_forest;
    const char *reader; /* where it has to be trusted */
};

static const char *subject_of(const Umx__World *world, const char *server, const char *root)
{
    const Umx__Certificate *found = umx_cert_find(world, server, "Root", root);

    return found != NULL && found->subject != NULL ? found->subject : "the root";
}

static void judge_root(const struct umx_view *view, const struct umx_phase_check *check, const struct root *root,
                       const char *forest, struct umx_findings *out)
{
    const Umx__World *world = view->world;
    const char *thumbprint = root->certificate != NULL ? umx_or_empty(root->certificate->root_thumbprint) : "";
    const char *unseen = umx_cert_unseen(world, root->reader, out);
    const char *owner_unseen = umx_cert_unseen(world, root->owner, out);
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__UNKNOWN,
        .forest = forest,
        .target = umx_say(out, "%s trusts %s", root->reader, root->owner),
        .expected = umx_say(out, "the root of the certificate of %s is among the trusted roots of %s", root->owner,
                            root->reader),
    };

    if (unseen != NULL || owner_unseen != NULL) {
        answer.actual = unseen != NULL ? unseen : owner_unseen;
        answer.remedy = umx_say_agent(out, unseen != NULL ? forest : root->owner_forest,
                                      unseen != NULL ? root->reader : root->owner);
    } else if (root->certificate == NULL) {
        answer.actual = umx_say(out, "%s has no certificate in use that could be looked at", root->owner);
        answer.remedy = umx_say(out, "`umx query \"SELECT * FROM certificate WHERE server = '%s'\"`", root->owner);
    } else if (umx_cert_expected(root->certificate)) {
        answer.actual = "the certificate is not issued yet";
        answer.remedy = "look again when it is";
    } else if (*thumbprint == '\0') {
        answer.status = UMX__FINDING__STATUS__FAIL;
        answer.actual = umx_say(out, "%s: not even its own server finds a root for it: %s",
                                umx_or_empty(root->certificate->thumbprint), umx_or_empty(root->certificate->chain));
        answer.remedy =
            umx_say(out, "replace the certificate of %s by one of an authority that both sides trust", root->owner);
    } else if (umx_cert_find(world, root->reader, "Root", thumbprint) != NULL) {
        answer.status = UMX__FINDING__STATUS__PASS;
        answer.actual = umx_say(out, "%s (%s)", subject_of(world, root->reader, thumbprint), thumbprint);
    } else {
        answer.status = UMX__FINDING__STATUS__FAIL;
        answer.actual = umx_say(out, "%s does not have %s (%s)", root->reader,
                                subject_of(world, root->owner, thumbprint), thumbprint);
        answer.remedy = umx_say(out,
                                "export it on %s: `certutil -store Root %s root.cer`, then on %s: `certutil -addstore "
                                "Root root.cer`, or by group policy",
                                root->owner, thumbprint, root->reader);
    }
    umx_findings_add(out, view, check, &answer);
}

/* Calls judge for each UM server (service with mine) and each Front End of a pool in scope. */
typedef void judge_pair(const struct umx_view *view, const struct umx_phase_check *check, const struct sides *sides,
                        const struct umx_um_end *end, const struct umx_uc_pool *pool, const char *front_end,
                        struct umx_findings *out);

static void each_front_end(const struct umx_view *view, const struct umx_phase_check *check, bool services,
                           judge_pair *judge, struct umx_findings *out)
{
    struct sides sides;

    if (!build(view, check, out, &sides))
        return;
    for (size_t p = 0; p < sides.uc.pool_count; p++) {
        const struct umx_uc_pool *pool = &sides.uc.pools[p];
        size_t count;
        if (pool->scope != UMX_UC_IN)
            continue;
        const char **front_ends = umx_uc_front_ends(view->world, pool, out->arena, &count);
        if (front_ends == NULL) {
            out->failed = 1;
            return;
        }
        for (size_t f = 0; f < count; f++)
            for (size_t i = 0; i < sides.end_count; i++)
                if (services || !same_server(&sides, i))
                    judge(view, check, &sides, &sides.ends[i], pool, front_ends[f], out);
        if (count > 0)
            continue;
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__UNKNOWN,
            .forest = view->pair->lync,
            .target = pool->fqdn,
            .expected = check->question,
            .actual = umx_say(out, "no agent says which Front Ends pool %s has", pool->fqdn),
            .remedy = umx_say_agent(out, view->pair->lync, NULL),
        };
        umx_findings_add(out, view, check, &answer);
    }
}

static void pool_root(const struct umx_view *view, const struct umx_phase_check *check, const struct sides *sides,
                      const struct umx_um_end *end, const struct umx_uc_pool *pool, const char *front_end,
                      struct umx_findings *out)
{
    const struct root root = {
        .certificate = shown_by(view->world, front_end, pool->fqdn),
        .owner = front_end,
        .owner_forest = view->pair->lync,
        .reader = end->fqdn,
    };

    (void)sides;
    judge_root(view, check, &root, view->pair->exchange, out);
}

static void um_root(const struct umx_view *view, const struct umx_phase_check *check, const struct sides *sides,
                    const struct umx_um_end *end, const struct umx_uc_pool *pool, const char *front_end,
                    struct umx_findings *out)
{
    struct umx_cert_use use = umx_cert_use_of(view, end, out);
    const struct root root = {
        .certificate = use.bound,
        .owner = end->fqdn,
        .owner_forest = view->pair->exchange,
        .reader = front_end,
    };

    (void)sides;
    (void)pool;
    judge_root(view, check, &root, view->pair->lync, out);
}

void umx_cert_check_pool_root(const struct umx_view *view, const struct umx_phase_check *check,
                              struct umx_findings *out)
{
    each_front_end(view, check, false, pool_root, out);
}

void umx_cert_check_um_root(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    each_front_end(view, check, false, um_root, out);
}

/* ---- handshakes */

/* What the server itself tried, else why nobody is asked to try. */
static const Umx__Proof *find_proof(const struct sides *sides, const char *from, const char *target)
{
    const Umx__Proof *proof, *left_out = NULL;
    size_t at = 0;

    while ((proof = umx_index_next(&sides->handshakes, target, &at)) != NULL) {
        if (umx_text_equal(proof->server, from))
            return proof;
        if (umx_text_equal(proof->server, "controller"))
            left_out = proof;
    }
    return left_out;
}

static void judge_handshake(const struct umx_view *view, const struct umx_phase_check *check, const struct sides *sides,
                            const char *forest, const char *from, const char *host, int port, struct umx_findings *out)
{
    static const Umx__Finding__Status statuses[] = {
        [UMX__PROOF__STATUS__PASS] = UMX__FINDING__STATUS__PASS,
        [UMX__PROOF__STATUS__FAIL] = UMX__FINDING__STATUS__FAIL,
        [UMX__PROOF__STATUS__UNKNOWN] = UMX__FINDING__STATUS__UNKNOWN,
    };
    const char *target = umx_say(out, "%s:%d", host, port);
    const Umx__Proof *proof = find_proof(sides, from, target);
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__UNKNOWN,
        .forest = forest,
        .target = umx_say(out, "%s -> %s", from, target),
        .expected = umx_say(out, "%s accepts the certificate that %s shows: it trusts the root, and the name is right",
                            from, host),
    };

    if (proof == NULL || umx_stale(view->world, proof->has_collected_at, proof->collected_at)) {
        answer.actual = proof == NULL ? umx_say(out, "no agent on %s has tried", from)
                                      : umx_say(out, "the last attempt is older than %d hours", UMX_FACT_AGE_MAX_HOURS);
        answer.remedy = umx_say_agent(out, forest, from);
        umx_findings_add(out, view, check, &answer);
        return;
    }
    const char *detail = umx_or_empty(proof->detail);
    answer.status = statuses[proof->status];
    if (strstr(detail, " refused what this server showed") != NULL) {
        answer.actual = umx_say(out, "%s does not trust %s: %s", host, from, detail);
        umx_findings_add(out, view, check, &answer);
        return;
    }
    answer.actual = umx_say(out, "%s%s",
                            answer.status == UMX__FINDING__STATUS__FAIL && strstr(detail, "certificate ") != NULL
                                ? umx_say(out, "%s does not trust %s: ", from, host)
                                : "",
                            detail);
    if (answer.status == UMX__FINDING__STATUS__FAIL && strstr(detail, "certificate ") == NULL)
        answer.remedy = umx_say(out,
                                "see that %s listens there and that no firewall is between: on %s `Test-NetConnection "
                                "%s -Port %d` (2008: `telnet %s %d`)",
                                host, from, host, port, host, port);
    else if (answer.status == UMX__FINDING__STATUS__UNKNOWN && umx_text_equal(proof->server, from))
        answer.remedy = umx_say(out, "`umx query \"SELECT * FROM proof WHERE server = '%s'\"` tries again", from);
    umx_findings_add(out, view, check, &answer);
}

void umx_cert_check_to_lync(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct sides sides;

    if (!build(view, check, out, &sides))
        return;
    for (size_t i = 0; i < sides.end_count; i++)
        for (size_t p = 0; !same_server(&sides, i) && p < sides.uc.pool_count; p++)
            if (sides.uc.pools[p].scope == UMX_UC_IN)
                judge_handshake(view, check, &sides, view->pair->exchange, sides.ends[i].fqdn, sides.uc.pools[p].fqdn,
                                UMX_SIP_TLS_PORT, out);
}

static void from_lync(const struct umx_view *view, const struct umx_phase_check *check, const struct sides *sides,
                      const struct umx_um_end *end, const struct umx_uc_pool *pool, const char *front_end,
                      struct umx_findings *out)
{
    (void)pool;
    judge_handshake(view, check, sides, view->pair->lync, front_end, end->fqdn, end->port, out);
}

void umx_cert_check_from_lync(const struct umx_view *view, const struct umx_phase_check *check,
                              struct umx_findings *out)
{
    each_front_end(view, check, true, from_lync, out);
}
