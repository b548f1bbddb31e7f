/* Kerberos and LDAP proofs with the machine account: directory/prove.h does them, this says with whose account and
 * against what. */
#include <string.h>

#include "agent/collect/prove.h"
#include "base/text.h"
#include "directory/prove.h"

enum { PROVE_ARENA = 4 * 1024 * 1024 };

/* It becomes part of a DN: digits and hyphens only. */
static bool is_sid(const char *sid)
{
    return sid != NULL && strncmp(sid, "S-1-", 4) == 0 && strlen(sid) < 200 &&
           strspn(sid + 1, "-0123456789") == strlen(sid) - 1;
}

static const char *missing(const struct umx_host_identity *identity, const Umx__ProofTarget *target)
{
    if (identity->recorded && (identity->principal[0] == '\0' || identity->keytab[0] == '\0'))
        return "this host has no machine account to try it with";
    if (target->forest == NULL || target->forest[0] == '\0')
        return "the target names no forest";
    if (target->kind == UMX__PROOF__KIND__DIRECTORY && (target->dn == NULL || target->dn[0] == '\0'))
        return "the target names no container";
    if (target->kind == UMX__PROOF__KIND__SID && !is_sid(target->sid))
        return "the target names no SID";
    return NULL;
}

static int prove(const struct umx_prove *with, const Umx__ProofTarget *target, struct umx_arena *arena,
                 Umx__Proof **proof, struct umx_error *err)
{
    if (target->kind == UMX__PROOF__KIND__TRUST)
        return umx_prove_trust(with, arena, proof, err);
    if (target->kind == UMX__PROOF__KIND__DIRECTORY)
        return umx_prove_directory(with, target->dn, NULL, arena, proof, err);
    return umx_prove_sid(with, target->sid, arena, proof, err);
}

void umx_prove_by_directory(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                            struct umx_proof_result *result)
{
    const struct umx_host_identity *identity = &host->identity;
    const char *hosts[] = {target->host};
    const struct umx_prove with = {.server = identity->fqdn,
                                   .forest = identity->forest,
                                   .principal = identity->principal,
                                   .keytab = identity->keytab,
                                   .target_forest = target->forest,
                                   .hosts = hosts,
                                   .host_count = target->host != NULL && target->host[0] != '\0',
                                   .timeout = timeout};
    struct umx_arena *arena = umx_arena_new(PROVE_ARENA);
    struct umx_error err = {0};
    Umx__Proof *proof = NULL;
    const char *why = missing(identity, target);

    if (why != NULL || arena == NULL) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "%s", why != NULL ? why : "out of memory");
    } else if (prove(&with, target, arena, &proof, &err) != 0) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "%s", err.why);
    } else {
        umx_prove_say(result, proof->status, "%s", proof->detail != NULL ? proof->detail : "");
        umx_text_copy(result->identity, sizeof result->identity, proof->identity != NULL ? proof->identity : "");
        if (proof->has_objects)
            result->objects = proof->objects;
    }
    umx_arena_free(arena);
}
