#include "directory/prove.h"

#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "base/text.h"
#include "directory/prove_internal.h"

static Umx__Proof *new_proof(const struct umx_prove *prove, Umx__Proof__Kind kind, const char *target,
                             struct umx_arena *arena, struct umx_error *err)
{
    Umx__Proof *proof = umx_reflect_new(&umx__proof__descriptor, arena);
    if (!proof) {
        umx_fail(err, UMX_ERR_ARENA_FULL, prove->target_forest, NULL);
        return NULL;
    }
    proof->server = umx_arena_string(arena, prove->server);
    proof->forest = umx_arena_string(arena, prove->forest);
    proof->target_forest = umx_arena_string(arena, prove->target_forest);
    proof->identity = umx_arena_string(arena, prove->principal);
    proof->target = umx_arena_string(arena, target);
    proof->has_kind = proof->has_status = 1;
    proof->kind = kind;
    proof->status = UMX__PROOF__STATUS__UNKNOWN;
    return proof;
}

void umx_prove_conclude(Umx__Proof *proof, Umx__Proof__Status status, const char *detail, struct umx_arena *arena)
{
    struct umx_text valid = {0};
    umx_text_add_valid(&valid, detail, strlen(detail));
    proof->status = status;
    proof->detail = umx_arena_string(arena, umx_text_string(&valid));
    umx_text_free(&valid);
}

void umx_prove_conclude_error(Umx__Proof *proof, const struct umx_error *why, struct umx_arena *arena)
{
    bool silence = why->status == UMX_E_TIMEOUT || why->status == UMX_E_UNREACHABLE || why->status == UMX_E_MEMORY ||
                   why->id == UMX_ERR_FILE_UNREADABLE;
    umx_prove_conclude(proof, silence ? UMX__PROOF__STATUS__UNKNOWN : UMX__PROOF__STATUS__FAIL, umx_error_why(why),
                       arena);
}

static void finish(Umx__Proof *proof, int64_t began)
{
    proof->has_duration = 1;
    proof->duration = umx_clock_monotonic() - began;
}

int umx_prove_trust(const struct umx_prove *prove, struct umx_arena *arena, Umx__Proof **out, struct umx_error *err)
{
    int64_t began = umx_clock_monotonic();
    Umx__Proof *proof = *out = new_proof(prove, UMX__PROOF__KIND__TRUST, "", arena, err);
    if (!proof) {
        return UMX_E_LIMIT;
    }
    struct umx_prove_session *session = umx_prove_session_open(prove, proof, arena);
    if (session) {
        char *detail = umx_arena_format(arena, "%s issued a ticket over the trust and %s accepted it",
                                        prove->target_forest, umx_prove_session_host(session));
        umx_prove_conclude(proof, UMX__PROOF__STATUS__PASS, detail ? detail : "", arena);
        umx_prove_session_close(session);
    }
    finish(proof, began);
    return 0;
}

int umx_prove_directory(const struct umx_prove *prove, const char *base_dn, const char *class, struct umx_arena *arena,
                        Umx__Proof **out, struct umx_error *err)
{
    int64_t began = umx_clock_monotonic();
    Umx__Proof *proof = *out = new_proof(prove, UMX__PROOF__KIND__DIRECTORY, base_dn, arena, err);
    if (!proof) {
        return UMX_E_LIMIT;
    }
    struct umx_prove_session *session = umx_prove_session_open(prove, proof, arena);
    if (session) {
        struct umx_error why = {0};
        proof->has_objects = 1;
        if (umx_prove_session_count(session, base_dn, class, &proof->objects, &why)) {
            umx_prove_conclude_error(proof, &why, arena);
        } else {
            char *detail =
                umx_arena_format(arena, "%d objects seen on %s", (int)proof->objects, umx_prove_session_host(session));
            umx_prove_conclude(proof, proof->objects ? UMX__PROOF__STATUS__PASS : UMX__PROOF__STATUS__FAIL,
                               detail ? detail : "", arena);
        }
        umx_prove_session_close(session);
    }
    finish(proof, began);
    return 0;
}

int umx_prove_sid(const struct umx_prove *prove, const char *sid, struct umx_arena *arena, Umx__Proof **out,
                  struct umx_error *err)
{
    int64_t began = umx_clock_monotonic();
    Umx__Proof *proof = *out = new_proof(prove, UMX__PROOF__KIND__SID, sid, arena, err);
    if (!proof) {
        return UMX_E_LIMIT;
    }
    struct umx_prove_session *session = umx_prove_session_open(prove, proof, arena);
    if (session) {
        char name[UMX_PROVE_DETAIL];
        struct umx_error why = {0};
        if (umx_prove_session_account(session, sid, name, sizeof name, &why)) {
            umx_prove_conclude_error(proof, &why, arena);
        } else {
            umx_prove_conclude(proof, UMX__PROOF__STATUS__PASS, name, arena);
        }
        umx_prove_session_close(session);
    }
    finish(proof, began);
    return 0;
}
