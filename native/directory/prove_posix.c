#include "directory/prove.h"

#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "base/text.h"
#include "directory/connection.h"
#include "directory/discovery.h"
#include "directory/ticket.h"

enum { DETAIL_MAX = 1024 };

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

static void conclude(Umx__Proof *proof, Umx__Proof__Status status, const char *detail, struct umx_arena *arena)
{
    struct umx_text valid = {0};
    umx_text_add_valid(&valid, detail, strlen(detail));
    proof->status = status;
    proof->detail = umx_arena_string(arena, umx_text_string(&valid));
    umx_text_free(&valid);
}

/* What an error means for a proof: refusals are an answer, silence is none. */
static void conclude_error(Umx__Proof *proof, const struct umx_error *why, struct umx_arena *arena)
{
    bool silence = why->status == UMX_E_TIMEOUT || why->status == UMX_E_UNREACHABLE ||
                   why->id == UMX_ERR_FILE_UNREADABLE || why->status == UMX_E_MEMORY;
    char detail[DETAIL_MAX];
    umx_text_copy(detail, sizeof detail, umx_error_why(why));
    conclude(proof, silence ? UMX__PROOF__STATUS__UNKNOWN : UMX__PROOF__STATUS__FAIL, detail, arena);
}

/* The first host that is given or found. */
static const char *first_host(const struct umx_prove *prove, struct umx_arena *arena, struct umx_error *why)
{
    const char *found[UMX_DISCOVERY_MAX];
    size_t count;
    if (prove->host_count) {
        return prove->hosts[0];
    }
    return umx_discovery_controllers(prove->target_forest, arena, found, &count, why) ? NULL : found[0];
}

/* Ticket over the trust, then the bind. NULL: the proof is concluded. */
static struct umx_connection *reach(const struct umx_prove *prove, Umx__Proof *proof, struct umx_arena *arena)
{
    struct umx_error why = {0};
    struct umx_ticket *ticket = NULL;
    struct umx_connection *connection = NULL;
    char detail[DETAIL_MAX];
    int64_t deadline = umx_clock_monotonic() + prove->timeout;
    const char *host = first_host(prove, arena, &why);
    const struct umx_directory_account account = {.forest = prove->target_forest,
                                                  .account = prove->principal,
                                                  .operation_timeout = (int)(prove->timeout / UMX_SECOND) + 1};
    if (!host || umx_ticket_get(prove->principal, prove->keytab, prove->password_file, &ticket, &why)) {
        conclude_error(proof, &why, arena);
        if (host && why.id == UMX_ERR_BIND_REFUSED) {
            proof->status = UMX__PROOF__STATUS__UNKNOWN; /* the account's own forest refused: no word on the trust */
        }
        return NULL;
    }
    if (!proof->target || !*proof->target) {
        proof->target = umx_arena_string(arena, host);
    }
    enum umx_ticket_trust trust =
        umx_text_equal(prove->forest, prove->target_forest)
            ? UMX_TRUST_TICKET
            : umx_ticket_over_trust(ticket, host, prove->target_forest, detail, sizeof detail);
    if (trust != UMX_TRUST_TICKET) {
        conclude(proof, trust == UMX_TRUST_UNKNOWN ? UMX__PROOF__STATUS__UNKNOWN : UMX__PROOF__STATUS__FAIL, detail,
                 arena);
    } else if (umx_connection_open(&account, ticket, &host, 1, NULL, deadline, &connection, &why)) {
        conclude_error(proof, &why, arena);
    }
    umx_ticket_free(ticket);
    return connection;
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
    struct umx_connection *connection = reach(prove, proof, arena);
    if (connection) {
        char *detail = umx_arena_format(arena, "%s issued a ticket over the trust and %s accepted it",
                                        prove->target_forest, umx_connection_root(connection)->host);
        conclude(proof, UMX__PROOF__STATUS__PASS, detail ? detail : "", arena);
        umx_connection_close(connection);
    }
    finish(proof, began);
    return 0;
}

static int count_entry(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    int32_t *count = user;
    (void)entry;
    (void)arena;
    (void)err;
    ++*count;
    return 0;
}

int umx_prove_directory(const struct umx_prove *prove, const char *base_dn, const char *class, struct umx_arena *arena,
                        Umx__Proof **out, struct umx_error *err)
{
    static const char *const nothing[] = {"1.1", NULL};
    int64_t began = umx_clock_monotonic();
    Umx__Proof *proof = *out = new_proof(prove, UMX__PROOF__KIND__DIRECTORY, base_dn, arena, err);
    char *filter = class ? umx_arena_format(arena, "(objectClass=%s)", class) : NULL;
    if (!proof || (class && !filter)) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, base_dn, NULL);
    }
    struct umx_connection *connection = reach(prove, proof, arena);
    if (connection) {
        struct umx_error why = {0};
        proof->has_objects = 1;
        const struct umx_search search = {
            .base = base_dn, .scope = UMX_SCOPE_ONE, .filter = filter, .attributes = nothing};
        if (umx_connection_search(connection, &search, count_entry, &proof->objects, &why)) {
            conclude_error(proof, &why, arena);
        } else {
            char *detail = umx_arena_format(arena, "%d objects seen on %s", (int)proof->objects,
                                            umx_connection_root(connection)->host);
            conclude(proof, proof->objects ? UMX__PROOF__STATUS__PASS : UMX__PROOF__STATUS__FAIL, detail ? detail : "",
                     arena);
        }
        umx_connection_close(connection);
    }
    finish(proof, began);
    return 0;
}

int umx_prove_sid(const struct umx_prove *prove, const char *sid, struct umx_arena *arena, Umx__Proof **out,
                  struct umx_error *err)
{
    static const char *const attributes[] = {"sAMAccountName", "objectSid", NULL};
    int64_t began = umx_clock_monotonic();
    Umx__Proof *proof = *out = new_proof(prove, UMX__PROOF__KIND__SID, sid, arena, err);
    char *base = umx_arena_format(arena, "<SID=%s>", sid);
    if (!proof || !base) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, sid, NULL);
    }
    struct umx_connection *connection = reach(prove, proof, arena);
    if (connection) {
        struct umx_entry entry;
        struct umx_error why = {0};
        if (umx_connection_read(connection, &(struct umx_search){.base = base, .attributes = attributes}, arena, &entry,
                                &why)) {
            conclude_error(proof, &why, arena);
        } else {
            const char *name = umx_entry_text(&entry, "sAMAccountName", arena);
            char *detail = umx_arena_format(arena, "%s", name ? name : entry.dn);
            conclude(proof, UMX__PROOF__STATUS__PASS, detail ? detail : "", arena);
        }
        umx_connection_close(connection);
    }
    finish(proof, began);
    return 0;
}
