/* Kerberos and LDAP proofs with the machine account's keytab: whether the trust carries a ticket and a sealed bind,
 * whether the UM containers of the other forest can be read, whether one of its SIDs can be looked up. */
#include <string.h>

#include "agent/collect/prove.h"
#include "base/clock.h"
#include "base/text.h"
#include "directory/connection.h"
#include "directory/discovery.h"
#include "directory/ticket.h"

/* What one proof holds. */
struct attempt {
    const Umx__ProofTarget *target;
    struct umx_proof_result *result;
    int64_t until; /* monotonic */
    struct umx_arena *arena;
    struct umx_directory_account account;
    struct umx_ticket *ticket;
    struct umx_connection *connection;
    const char *host; /* the domain controller tried first */
};

/* What the other side answered is a FAIL; what could not be asked is UNKNOWN. */
static Umx__Proof__Status status_of(const struct umx_error *err)
{
    switch (err->status) {
    case UMX_E_DENIED:
    case UMX_E_UNAUTHENTICATED:
    case UMX_E_NOT_FOUND:
        return UMX__PROOF__STATUS__FAIL;
    default:
        return UMX__PROOF__STATUS__UNKNOWN;
    }
}

static int failed(const struct attempt *attempt, const char *what, const struct umx_error *err)
{
    char text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 512];

    umx_prove_say(attempt->result, status_of(err), "%s: %s", what, umx_error_format(err, text, sizeof text));
    return err->status;
}

/* The domain controller of the target, or the first one that DNS names. */
static int find_host(struct attempt *attempt, struct umx_error *err)
{
    const char *hosts[UMX_DISCOVERY_MAX];
    size_t count = 0;

    if (attempt->target->host != NULL && attempt->target->host[0] != '\0') {
        attempt->host = attempt->target->host;
        return 0;
    }
    int status = umx_discovery_controllers(attempt->target->forest, attempt->arena, hosts, &count, err);
    if (status == 0 && count == 0)
        status = umx_fail(err, UMX_ERR_FOREST_UNREACHABLE, attempt->target->forest, "DNS names no domain controller");
    if (status == 0)
        attempt->host = hosts[0];
    return status;
}

/* Ticket, then a sealed bind. */
static int bind_there(struct attempt *attempt, struct umx_error *err)
{
    return umx_connection_open(&attempt->account, attempt->ticket, &attempt->host, 1, NULL, attempt->until,
                               &attempt->connection, err);
}

static void prove_trust(struct attempt *attempt)
{
    static const Umx__Proof__Status statuses[] = {
        [UMX_TRUST_TICKET] = UMX__PROOF__STATUS__PASS,
        [UMX_TRUST_NO_REFERRAL] = UMX__PROOF__STATUS__FAIL,
        [UMX_TRUST_REFUSED] = UMX__PROOF__STATUS__FAIL,
        [UMX_TRUST_UNKNOWN] = UMX__PROOF__STATUS__UNKNOWN,
    };
    char detail[512] = "";
    struct umx_error err = {0};
    enum umx_ticket_trust trust =
        umx_ticket_over_trust(attempt->ticket, attempt->host, attempt->target->forest, detail, sizeof detail);

    umx_prove_say(attempt->result, statuses[trust], "%s", detail);
    if (trust != UMX_TRUST_TICKET)
        return;
    if (bind_there(attempt, &err) != 0)
        failed(attempt, "the ticket was issued, the bind failed", &err);
    else
        umx_prove_say(attempt->result, UMX__PROOF__STATUS__PASS, "a ticket and a sealed bind at %s", attempt->host);
}

static int count_entry(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    int32_t *objects = user;

    (void)entry;
    (void)arena;
    (void)err;
    (*objects)++;
    return 0;
}

/* V7.7: what a Lync server must see of the UM containers, seen with this server's own account. */
static void prove_directory(struct attempt *attempt)
{
    static const char *const attributes[] = {"objectClass", NULL};
    struct umx_search search = {.base = attempt->target->dn,
                                .scope = UMX_SCOPE_SUBTREE,
                                .filter = "(|(objectClass=msExchUMDialPlan)(objectClass=msExchUMIPGateway)"
                                          "(objectClass=msExchUMHuntGroup)(objectClass=msExchUMAutoAttendant))",
                                .attributes = attributes};
    struct umx_error err = {0};
    int32_t objects = 0;

    if (search.base == NULL || search.base[0] == '\0') {
        umx_prove_say(attempt->result, UMX__PROOF__STATUS__UNKNOWN, "the target names no container");
    } else if (bind_there(attempt, &err) != 0) {
        failed(attempt, "no bind", &err);
    } else if (umx_connection_search(attempt->connection, &search, count_entry, &objects, &err) != 0) {
        failed(attempt, "the container cannot be read", &err);
    } else {
        attempt->result->objects = objects;
        if (objects > 0)
            umx_prove_say(attempt->result, UMX__PROOF__STATUS__PASS, "%d UM objects are readable at %s", objects,
                          attempt->host);
        else
            umx_prove_say(attempt->result, UMX__PROOF__STATUS__FAIL,
                          "no UM object is readable at %s: no right to read, or none there", attempt->host);
    }
}

struct found {
    int count;
    char name[256];
};

static int take_name(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct found *found = user;

    (void)arena;
    (void)err;
    found->count++;
    umx_text_copy(found->name, sizeof found->name, entry->dn);
    return 0;
}

/* V1B.11: the other forest tells whose SID it is. */
static void prove_sid(struct attempt *attempt)
{
    static const char *const attributes[] = {"sAMAccountName", NULL};
    const char *sid = attempt->target->sid;
    struct umx_search search = {.scope = UMX_SCOPE_BASE, .attributes = attributes};
    struct umx_error err = {0};
    struct found found = {0};

    /* It becomes part of a DN: digits and hyphens only. */
    if (sid == NULL || strncmp(sid, "S-1-", 4) != 0 || strspn(sid + 1, "-0123456789") != strlen(sid) - 1) {
        umx_prove_say(attempt->result, UMX__PROOF__STATUS__UNKNOWN, "the target names no SID");
        return;
    }
    search.base = umx_arena_format(attempt->arena, "<SID=%s>", sid);
    if (search.base == NULL)
        umx_prove_say(attempt->result, UMX__PROOF__STATUS__UNKNOWN, "out of memory");
    else if (bind_there(attempt, &err) != 0)
        failed(attempt, "no bind", &err);
    else if (umx_connection_search(attempt->connection, &search, take_name, &found, &err) != 0)
        failed(attempt, "the SID cannot be looked up", &err);
    else if (found.count == 0)
        umx_prove_say(attempt->result, UMX__PROOF__STATUS__FAIL, "%s has no readable object of this SID",
                      attempt->host);
    else
        umx_prove_say(attempt->result, UMX__PROOF__STATUS__PASS, "it is %s", found.name);
}

static int prepare(struct attempt *attempt, const struct umx_host *host)
{
    const struct umx_host_identity *identity = &host->identity;
    struct umx_error err = {0};

    if (identity->principal[0] == '\0' || identity->keytab[0] == '\0') {
        umx_prove_say(attempt->result, UMX__PROOF__STATUS__UNKNOWN, "this host has no machine account to try it with");
        return UMX_E_UNSUPPORTED;
    }
    if (attempt->target->forest == NULL || attempt->target->forest[0] == '\0') {
        umx_prove_say(attempt->result, UMX__PROOF__STATUS__UNKNOWN, "the target names no forest");
        return UMX_E_ARGUMENT;
    }
    umx_text_copy(attempt->result->identity, sizeof attempt->result->identity, identity->principal);
    attempt->account = (struct umx_directory_account){.forest = attempt->target->forest,
                                                      .account = identity->principal,
                                                      .keytab = identity->keytab,
                                                      .operation_timeout = UMX_PROVE_TIMEOUT};
    if (find_host(attempt, &err) != 0)
        return failed(attempt, "no domain controller", &err);
    if (umx_ticket_get(identity->principal, identity->keytab, NULL, &attempt->ticket, &err) != 0)
        return failed(attempt, "no ticket for the machine account", &err);
    return 0;
}

void umx_prove_by_directory(struct umx_host *host, const Umx__ProofTarget *target, int64_t timeout,
                            struct umx_proof_result *result)
{
    struct attempt attempt = {.target = target,
                              .result = result,
                              .until = umx_clock_monotonic() + timeout,
                              .arena = umx_arena_new(4 * 1024 * 1024)};

    if (attempt.arena == NULL) {
        umx_prove_say(result, UMX__PROOF__STATUS__UNKNOWN, "out of memory");
        return;
    }
    if (prepare(&attempt, host) == 0) {
        if (target->kind == UMX__PROOF__KIND__TRUST)
            prove_trust(&attempt);
        else if (target->kind == UMX__PROOF__KIND__DIRECTORY)
            prove_directory(&attempt);
        else
            prove_sid(&attempt);
    }
    umx_connection_close(attempt.connection);
    umx_ticket_free(attempt.ticket);
    umx_arena_free(attempt.arena);
}
