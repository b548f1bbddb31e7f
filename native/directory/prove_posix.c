/* Proofs with a keytab or a password file: MIT Kerberos and a connection of this folder. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/connection.h"
#include "directory/discovery.h"
#include "directory/prove_internal.h"
#include "directory/ticket.h"

struct umx_prove_session {
    struct umx_connection *connection;
};

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

/* Whether the other side's Kerberos lets the ticket through; concludes the proof when it does not. */
static bool has_ticket(const struct umx_prove *prove, struct umx_ticket *ticket, const char *host, Umx__Proof *proof,
                       struct umx_arena *arena)
{
    char detail[UMX_PROVE_DETAIL];
    if (umx_text_equal(prove->forest, prove->target_forest)) {
        return true;
    }
    enum umx_ticket_trust trust = umx_ticket_over_trust(ticket, host, prove->target_forest, detail, sizeof detail);
    if (trust != UMX_TRUST_TICKET) {
        umx_prove_conclude(proof, trust == UMX_TRUST_UNKNOWN ? UMX__PROOF__STATUS__UNKNOWN : UMX__PROOF__STATUS__FAIL,
                           detail, arena);
    }
    return trust == UMX_TRUST_TICKET;
}

struct umx_prove_session *umx_prove_session_open(const struct umx_prove *prove, Umx__Proof *proof,
                                                 struct umx_arena *arena)
{
    struct umx_error why = {0};
    struct umx_ticket *ticket = NULL;
    struct umx_prove_session *session = calloc(1, sizeof *session);
    int64_t deadline = umx_clock_monotonic() + prove->timeout;
    const char *host = first_host(prove, arena, &why);
    const struct umx_directory_account account = {.forest = prove->target_forest,
                                                  .account = prove->principal,
                                                  .operation_timeout = (int)(prove->timeout / UMX_SECOND) + 1};
    if (!session) {
        umx_fail(&why, UMX_ERR_MEMORY, prove->target_forest, NULL);
    }
    if (!session || !host || umx_ticket_get(prove->principal, prove->keytab, prove->password_file, &ticket, &why)) {
        umx_prove_conclude_error(proof, &why, arena);
        if (why.id == UMX_ERR_BIND_REFUSED) {
            proof->status = UMX__PROOF__STATUS__UNKNOWN; /* the account's own forest refused: no word on the trust */
        }
        goto out;
    }
    if (!proof->target || !*proof->target) {
        proof->target = umx_arena_string(arena, host);
    }
    if (has_ticket(prove, ticket, host, proof, arena) &&
        umx_connection_open(&account, ticket, &host, 1, NULL, deadline, &session->connection, &why)) {
        umx_prove_conclude_error(proof, &why, arena);
    }
out:
    umx_ticket_free(ticket);
    if (session && !session->connection) {
        free(session);
        session = NULL;
    }
    return session;
}

void umx_prove_session_close(struct umx_prove_session *session)
{
    umx_connection_close(session->connection);
    free(session);
}

const char *umx_prove_session_host(const struct umx_prove_session *session)
{
    return umx_connection_root(session->connection)->host;
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

int umx_prove_session_count(struct umx_prove_session *session, const char *base_dn, const char *class, int32_t *count,
                            struct umx_error *err)
{
    static const char *const nothing[] = {"1.1", NULL};
    char filter[256] = "(objectClass=*)";
    if (class && snprintf(filter, sizeof filter, "(objectClass=%s)", class) >= (int)sizeof filter) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, class, "no class has so long a name");
    }
    *count = 0;
    return umx_connection_search(
        session->connection,
        &(struct umx_search){.base = base_dn, .scope = UMX_SCOPE_ONE, .filter = filter, .attributes = nothing},
        count_entry, count, err);
}

int umx_prove_session_account(struct umx_prove_session *session, const char *sid, char *name, size_t size,
                              struct umx_error *err)
{
    static const char *const attributes[] = {"sAMAccountName", NULL};
    char base[256];
    struct umx_entry entry;
    struct umx_arena *arena = umx_arena_new(1 << 20);
    if (!arena) {
        return umx_fail(err, UMX_ERR_MEMORY, sid, NULL);
    }
    int status =
        snprintf(base, sizeof base, "<SID=%s>", sid) < (int)sizeof base
            ? umx_connection_read(session->connection, &(struct umx_search){.base = base, .attributes = attributes},
                                  arena, &entry, err)
            : umx_fail(err, UMX_ERR_SID_INVALID, sid, NULL);
    if (!status) {
        const char *account = umx_entry_text(&entry, "sAMAccountName", arena);
        umx_text_copy(name, size, account ? account : entry.dn);
    }
    umx_arena_free(arena);
    return status;
}
