#include "directory/membership.h"

#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "base/text.h"
#include "directory/read_people.h"
#include "directory/sid.h"

enum { ACCOUNT_DISABLED = 2, ACCOUNT_LOCKED = 16, FILETIME_PER_US = 10 };

#define FILETIME_1970 INT64_C(116444736000000000)

static bool has_expired(const struct umx_entry *entry)
{
    int64_t expires;
    if (!umx_entry_integer(entry, "accountExpires", &expires) || expires == 0 || expires == INT64_MAX) {
        return false;
    }
    return (expires - FILETIME_1970) / FILETIME_PER_US <= umx_clock_now();
}

/* Why the account may not be used now; NULL when it may. Whether a lockout has run out is known to the domain
 * controller alone, which computes it. */
static const char *refusal(const struct umx_entry *entry)
{
    int64_t control, computed;
    if (!umx_entry_integer(entry, "userAccountControl", &control) || control & ACCOUNT_DISABLED) {
        return "disabled";
    }
    if (has_expired(entry)) {
        return "expired";
    }
    return umx_entry_integer(entry, "msDS-User-Account-Control-Computed", &computed) && computed & ACCOUNT_LOCKED
               ? "locked"
               : NULL;
}

static bool has_sid(const struct umx_attribute *token, const char *sid)
{
    char text[UMX_SID_TEXT];
    for (size_t i = 0; token && i < token->count; i++) {
        if (umx_sid_text(token->values[i].bytes, token->values[i].length, text, NULL) == 0 && strcmp(text, sid) == 0) {
            return true;
        }
    }
    return false;
}

int umx_membership_read(struct umx_connection *connection, const Umx__Membership *asked, struct umx_arena *arena,
                        Umx__MembershipResult **out, struct umx_error *err)
{
    static const char *const attributes[] = {"sAMAccountName",
                                             "userAccountControl",
                                             "accountExpires",
                                             "userPrincipalName",
                                             "msDS-User-Account-Control-Computed",
                                             "tokenGroups",
                                             NULL};
    Umx__MembershipResult *result = umx_reflect_new(&umx__membership_result__descriptor, arena);
    struct umx_error why = {0};
    struct umx_entry entry;
    *out = result;
    if (!result || !asked->user_sid || !umx_sid_is(asked->user_sid)) {
        return result ? umx_fail(err, UMX_ERR_SID_INVALID, asked->user_sid ? asked->user_sid : "user", NULL)
                      : umx_fail(err, UMX_ERR_ARENA_FULL, "membership", NULL);
    }
    const char *base = umx_arena_format(arena, "<SID=%s>", asked->user_sid);
    result->has_found = result->has_enabled = 1;
    int status = base ? umx_connection_read(connection, &(struct umx_search){.base = base, .attributes = attributes},
                                            arena, &entry, &why)
                      : umx_fail(&why, UMX_ERR_ARENA_FULL, "membership", NULL);
    if (status) {
        if (why.id == UMX_ERR_OBJECT_NOT_FOUND) {
            return 0;
        }
        *err = why;
        return status;
    }
    const struct umx_attribute *token = umx_entry_find(&entry, "tokenGroups");
    if (!token) {
        return umx_fail(err, UMX_ERR_ACCESS_DENIED, entry.dn, "its tokenGroups are not readable");
    }
    result->found = 1;
    const char *refused = refusal(&entry);
    result->enabled = refused == NULL;
    result->refused = refused ? umx_arena_string(arena, refused) : NULL;
    result->principal = umx_entry_text(&entry, "userPrincipalName", arena);
    result->name = umx_entry_text(&entry, "sAMAccountName", arena);
    result->group_sid = umx_arena_alloc(arena, (asked->n_group_sid + 1) * sizeof *result->group_sid);
    if (!result->group_sid) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "membership", NULL);
    }
    for (size_t i = 0; i < asked->n_group_sid; i++) {
        if (has_sid(token, asked->group_sid[i])) {
            result->group_sid[result->n_group_sid++] = umx_arena_string(arena, asked->group_sid[i]);
        }
    }
    return 0;
}

/* Names of the other domains. */
struct others {
    const char *own_dn;
    struct umx_arena *arena;
    const char *names[UMX_READING_DOMAINS_MAX];
    size_t count;
};

static int add_domain(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct others *others = user;
    const char *dn = umx_entry_text(entry, "nCName", arena), *name = umx_entry_text(entry, "dnsRoot", others->arena);
    (void)err;
    if (dn && name && !umx_text_dn_equal(dn, others->own_dn) && others->count < UMX_READING_DOMAINS_MAX) {
        others->names[others->count++] = name;
    }
    return 0;
}

/* The domains of the forest but the connection's own. */
static int read_others(const struct umx_readers_source *source, struct others *others, struct umx_error *err)
{
    static const char *const attributes[] = {"nCName", "dnsRoot", NULL};
    const struct umx_root_dse *root = umx_connection_root(source->connection);
    const struct umx_search search = {.base = umx_arena_format(others->arena, "CN=Partitions,%s", root->config_dn),
                                      .scope = UMX_SCOPE_ONE,
                                      .filter = "(&(objectClass=crossRef)(systemFlags:1.2.840.113556.1.4.803:=3))",
                                      .attributes = attributes};
    others->own_dn = root->domain_dn;
    return search.base ? umx_connection_search(source->connection, &search, add_domain, others, err)
                       : umx_fail(err, UMX_ERR_ARENA_FULL, "membership", NULL);
}

int umx_membership_has_domain(const struct umx_readers_source *source, const char *name, struct umx_arena *arena,
                              bool *has, struct umx_error *err)
{
    struct others others = {.arena = arena};
    *has = umx_text_equal(source->configure->forest, name);
    int status = *has ? 0 : read_others(source, &others, err);
    for (size_t i = 0; i < others.count && !status && !*has; i++) {
        *has = umx_text_equal(others.names[i], name);
    }
    return status;
}

int umx_membership_read_forest(const struct umx_readers_source *source, const Umx__Membership *asked,
                               struct umx_arena *arena, Umx__MembershipResult **out, struct umx_error *err)
{
    struct others others = {.arena = arena};
    int status = umx_membership_read(source->connection, asked, arena, out, err);
    if (status || (*out)->found) {
        return status;
    }
    status = read_others(source, &others, err);
    /* A domain that does not answer might know the user: that is an error, not a stranger. */
    for (size_t i = 0; i < others.count && !status && !(*out)->found; i++) {
        struct umx_connection *connection = NULL;
        status = umx_read_domain_connect(source, others.names[i], arena, &connection, err);
        if (!status) {
            status = umx_membership_read(connection, asked, arena, out, err);
        }
        umx_connection_close(connection);
    }
    return status;
}
